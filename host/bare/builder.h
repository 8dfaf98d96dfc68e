/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work that makes or ends a VM takes as long as its memory is large. It runs on a stack of the VM's
 * own, in the turns of its vCPU 0, with that one's priority and budget; where it calls
 * host_may_yield(), the hart can go to somebody else and the work goes on later, perhaps on another
 * hart. It must hold no lock there.
 */
#ifndef HOST_BARE_BUILDER_H
#define HOST_BARE_BUILDER_H

#include "appliance/vm.h"

/* Takes a stack for the VM. False: no memory. */
bool builder_define(struct vm *vm);

/*
 * Begins such work of a VM, or goes on with it. True: it is done; false: the hart is wanted, and
 * more is to be done in a later turn of vCPU 0, whose hart calls this.
 */
bool builder_run(struct vm *vm, void (*work)(struct vm *vm));

#endif
