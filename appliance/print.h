/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages about a VM: one line, led by its name. */
#ifndef APPLIANCE_PRINT_H
#define APPLIANCE_PRINT_H

#include "host/host.h"

#define vm_info(name, format, ...) host_print("vm %s: " format, name, ##__VA_ARGS__)
#define vm_error(name, format, ...) host_error("vm %s: " format, name, ##__VA_ARGS__)

#endif
