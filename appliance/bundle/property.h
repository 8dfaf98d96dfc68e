/* SPDX-License-Identifier: BSD-2-Clause */
/* The properties of one VM: one table, one parser each. */
#ifndef APPLIANCE_BUNDLE_PROPERTY_H
#define APPLIANCE_BUNDLE_PROPERTY_H

#include "appliance/config.h"

struct property {
    const void *fdt;
    int node; /* whose it is, of a device */
    const char *name;
    const char *data;
    int bytes;
};

/* For the parsers of a VM's properties and of the nodes below it: what is wrong refuses the VM,
 * and the answer is false. `name` is what messages call the property. */
bool property_wrong(struct vm_config *config, const struct property *p, const char *expected);
bool property_image(struct vm_config *config, const struct property *p, struct config_image *out);
bool property_flag(struct vm_config *config, const struct property *p, bool *out);
/* A number of one or two cells. */
bool property_bytes(struct vm_config *config, const struct property *p, uint64_t *out);

/* A node below the VM's: a device, device.c. */
void property_read_device(const void *fdt, int node, struct vm_config *config);

void property_defaults(struct vm_config *config);

/* Reads every property of the VM's node. What is wrong is said once; the VM is refused then. */
void property_read_all(const void *fdt, int node, struct vm_config *config);

/* Refuses the VM: prints `vm NAME: ...` and keeps the reason. */
void property_refuse(struct vm_config *config, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
