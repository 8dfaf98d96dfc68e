/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking and giving back a VM's RAM; reading and writing it is vm_read() and its like in
 * lib/vm/vm.h.
 */
#ifndef LIB_VM_MEMORY_H
#define LIB_VM_MEMORY_H

#include "lib/vm/vm.h"

/* Takes and maps what the config asks for. -1 after one line; memory_give_back() cleans up then. */
/* For a VM with direct-map, once, when it is defined: takes its RAM for good, or refuses the VM. */
bool memory_set_aside(struct cald_vm *vm, struct vm_config *config);

int memory_take(struct cald_vm *vm);
void memory_give_back(struct cald_vm *vm);

#endif
