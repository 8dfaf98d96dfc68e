/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a vCPU is told that it may store to a page without coming back only where the slot is not
 *   read-only, the host gave the page to be written, and its dirty bit is set if that is logged
 * Bounds: a slot of 2 pages, that are given one by one, at any address; any access to it
 * Assumes: what the host says of a page holds
 * Sources: lib/engine/common/memory.c
 * Loops: 5 lock_take.0:1
 */
#include "tests/proofs/memory.h"

void proof(void)
{
    memory_any();
    uint64_t gpa = nondet_u64();
    const struct slot *slot = memory_slot(&memory, gpa);
    if (!slot)
        return;
    holds(gpa - slot->gpa < slot->size);
    struct memory_page page;
    enum memory_how how = (enum memory_how)below(3);
    if (memory_page(&memory, slot, gpa, how, &page) != MEMORY_HERE || !page.writable)
        return;
    uint64_t number = (gpa - slot->gpa) / HOST_PAGE_SIZE;
    holds(!(slot->flags & SLOT_READ_ONLY));
    holds(!(slot->flags & SLOT_LOG_DIRTY) || dirty[0] >> number & 1);
    if (slot->flags & SLOT_BY_PAGE)
        holds(page.pa >= GIVEN_PA && given_writable[(page.pa - GIVEN_PA) / HOST_PAGE_SIZE]);
}
