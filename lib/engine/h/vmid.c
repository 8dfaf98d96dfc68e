/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMIDs tag TLB entries by VM. They are handed out upwards; when they run out a new generation
 * begins, and each hart flushes everything before it runs a VM of that generation. A VM that ends
 * leaves its number unused, so its stale entries match nobody.
 */
#include <stdatomic.h>

#include "lib/engine/h/h.h"

/* Called with the lock held. */
static uint64_t assign(struct cald_machine *machine)
{
    struct h_machine *h = &machine->h;
    uint64_t count = 1UL << machine->told.vmid_bits;
    if (!h->generation || h->next >= count) {
        h->generation++;
        h->next = count > 1 ? 1 : 0;
    }
    return h->generation << 16 | h->next++;
}

uint64_t h_hgatp(struct engine_vm *vm, uint64_t *vmid_generation)
{
    struct h_machine *h = &vm->machine->h;
    lock_take(&h->lock);
    uint64_t vmid = vm->h.vmid;
    if (!vmid || vmid >> 16 != h->generation) {
        vmid = assign(vm->machine);
        vm->h.vmid = vmid;
    }
    *vmid_generation = h->generation;
    lock_release(&h->lock);
    return gstage_atp(&vm->h.gstage) | (vmid & 0xffff) << HGATP_VMID_SHIFT;
}
