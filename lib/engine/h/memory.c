/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a VM's memory is in its second stage. A slot that is one run of memory is entered whole
 * when it is set, so that a running guest never faults on it; pages that come singly are entered
 * when the guest first needs them, and what went comes back so too.
 *
 * A page that the host takes away while a vCPU is at entering it must not stay entered: as with
 * what is known of the page itself (lib/engine/common/memory.c), `forgets` is read before, and
 * compared with the lock held. An IOMMU may use the same table; nobody tells it of what goes, so
 * slots of a VM with such a device keep all of their pages (lib/vm/memory.c sees to it).
 */
#include "lib/engine/h/h.h"
#include "caldarium/host.h"
#include "riscv/asm.h"

#define TRIES 4

int h_enter_slot(struct engine_vm *vm, const struct slot *slot, uint64_t size)
{
    uint64_t mask = slot_mask(slot);
    if (!mask)
        return gstage_split(&vm->h.gstage, slot->gpa, size);
    return gstage_map_as(&vm->h.gstage, slot->gpa, slot->pa, size, mask);
}

/* Harts that run none of its vCPUs now may remember it too: `maps` tells them when one comes. */
void h_unmap(struct engine_vm *vm, uint64_t gpa, uint64_t size)
{
    gstage_unmap(&vm->h.gstage, gpa, size);
    atomic_fetch_add(&vm->h.maps, 1);
}

void h_protect(struct engine_vm *vm, uint64_t gpa, uint64_t size)
{
    gstage_protect(&vm->h.gstage, gpa, size);
    atomic_fetch_add(&vm->h.maps, 1);
}

void h_forget(struct engine_vcpu *v)
{
    h_window_flush(v);
}

static enum memory_is enter_single(struct engine_vm *vm, const struct slot *slot, uint64_t gpa,
                                   bool write)
{
    struct memory *memory = &vm->memory;
    for (unsigned n = 0; n < TRIES; n++) {
        struct memory_page page;
        uint64_t before = atomic_load(&memory->forgets);
        enum memory_is is =
            memory_page(memory, slot, gpa, write ? MEMORY_WRITE : MEMORY_READ, &page);
        if (is != MEMORY_HERE)
            return is;
        lock_take(&memory->lock);
        bool still = atomic_load(&memory->forgets) == before;
        if (still)
            gstage_page(&vm->h.gstage, gpa, page.pa, page.writable ? UINT64_MAX : ~PTE_W);
        lock_release(&memory->lock);
        if (still)
            break;
    }
    return MEMORY_HERE; /* or it goes as often as it comes: the guest runs into it again */
}

enum memory_is h_fault(struct engine_vcpu *v, uint64_t gpa, uint64_t needed)
{
    const struct slot *slot = memory_slot(&v->vm->memory, gpa);
    if (!slot)
        return MEMORY_NOTHING;
    uint64_t mask = slot_mask(slot);
    if (!mask) {
        enum memory_is is = enter_single(v->vm, slot, gpa, needed == PTE_W);
        if (is != MEMORY_HERE)
            return is;
    } else {
        if (!(mask & needed))
            return MEMORY_NOTHING;
        lock_take(&v->vm->memory.lock);
        gstage_again(&v->vm->h.gstage, gpa, slot->gpa, slot_size(slot), slot->pa, mask);
        lock_release(&v->vm->memory.lock);
    }
    hfence_gvma_address(gpa); /* the hart may remember that there was less */
    return MEMORY_HERE;
}
