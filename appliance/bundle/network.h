/* SPDX-License-Identifier: BSD-2-Clause */
/* The networks of a bundle: the nodes below /networks. */
#ifndef APPLIANCE_BUNDLE_NETWORK_H
#define APPLIANCE_BUNDLE_NETWORK_H

#include "appliance/config.h"

/* A name as VMs and networks have it: letters, digits, - _ . */
bool bundle_good_name(const char *name, size_t length);

/* All of /networks is as it should be, or it is not there; false after a line. */
bool networks_check(const void *fdt);

/* The network that is called so, and its MTU; NULL: there is none. */
const char *networks_find(const void *fdt, const char *name, uint32_t *mtu);

#endif
