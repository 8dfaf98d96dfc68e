/* SPDX-License-Identifier: BSD-2-Clause */
/* VMs on harts: where their vCPUs are placed, and what carries a request (appliance/vm.h) out. */
#ifndef HOST_BARE_VMS_H
#define HOST_BARE_VMS_H

#include <stdbool.h>
#include <stddef.h>

#include "appliance/vm.h"

/* Reads the bundle and defines its VMs. Says what is wrong with it if there is none. */
void vms_define(const void *blob, size_t bytes);

/* Starts each VM that starts by itself; powers off at once if `when-done=poweroff` and none does.
 */
void vms_autostart(void);

/* Finds harts and starts a VM that is defined or has ended. -1 after one line that says why. */
int vms_start(struct vm *vm);

/* On the vCPU's hart: prints its state, if somebody has asked for that. */
void vms_report(struct cald_vcpu *vcpu);

/* The same, but it goes on from what was saved of `from`. */
int vms_start_from(struct vm *vm, struct vm *from);

/* Says which harts don't answer a request that was made long ago; on the console's hart. Returns
 * the host time at which to look again. */
uint64_t vms_watch(uint64_t now);

/* On the vCPU's hart: takes part in a request of the VM. True: the vCPU may not run now. */
bool vms_leave(struct cald_vcpu *vcpu);

#endif
