/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking and giving back a VM's RAM; reading and writing it is vm_read() and its like in
 * lib/vm/vm.h. */
#ifndef APPLIANCE_MEMORY_H
#define APPLIANCE_MEMORY_H

#include "appliance/vm.h"

/* For a VM with direct-map, or that another serves, whose RAM that one has mapped: once, when it is
 * defined, takes its RAM for good, or refuses the VM. For others nothing. */
bool memory_set_aside(struct vm *vm, struct vm_config *config);

/* The VM is refused after all, and what was set aside is free. */
void memory_put_back(struct vm *vm);

/* Takes and maps what the config asks for. -1 after one line; memory_give_back() cleans up then. */
int memory_take(struct vm *vm);
void memory_give_back(struct vm *vm);

#endif
