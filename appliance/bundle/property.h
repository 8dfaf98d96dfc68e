/* SPDX-License-Identifier: BSD-2-Clause */
/* The properties of one VM: one table, one parser each. */
#ifndef APPLIANCE_BUNDLE_PROPERTY_H
#define APPLIANCE_BUNDLE_PROPERTY_H

#include "appliance/config.h"

void property_defaults(struct vm_config *config);

/* Reads every property of the VM's node. What is wrong is said once; the VM is refused then. */
void property_read_all(const void *fdt, int node, struct vm_config *config);

/* Refuses the VM: prints `vm NAME: ...` and keeps the reason. */
void property_refuse(struct vm_config *config, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
