/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: memory that would lie where other memory of the VM's lies is always found, but for
 *   registers of one device in two slots that lead to the same place; what doesn't meet is let in
 * Bounds: 1 slot, whose address and size are multiples of 2^58
 * Assumes: slots end within the address space, as cald_vm_slot() asks for
 * Sources: lib/vm/memory.c
 * Loops: 3
 */
#include "lib/vm/memory.c"
#include "tests/proofs/proof.h"

/* Of 64 bits few may be anything: CBMC is slow at sums. */
static uint64_t coarse(void)
{
    return (uint64_t)nondet_u16() << 58;
}

void proof(void)
{
    static struct memory memory;
    uint64_t gpa = coarse(), size = coarse(), pa = coarse();
    uint32_t flags = nondet_u32() & (SLOT_DEVICE | SLOT_BY_PAGE | SLOT_READ_ONLY);
    assume(size && gpa + size - 1 >= gpa);
    memory.slots = 1;
    bool meets = false;
    for (unsigned n = 0; n < 1; n++) {
        struct slot *slot = &memory.slot[n];
        slot->gpa = coarse();
        slot->size = coarse();
        slot->pa = coarse();
        slot->flags = nondet_u32() & (SLOT_DEVICE | SLOT_BY_PAGE | SLOT_READ_ONLY);
        uint64_t last = slot->gpa + slot->size - 1;
        if (!slot->size)
            continue;
        assume(last >= slot->gpa);
        bool same =
            flags & SLOT_DEVICE && slot->flags & SLOT_DEVICE && pa - gpa == slot->pa - slot->gpa;
        meets |= !same && gpa <= last && slot->gpa <= gpa + size - 1;
    }
    holds(overlaps(&memory, gpa, size, pa, flags) == meets);
}
