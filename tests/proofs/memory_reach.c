/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: the accessor of guest memory leads to pages that the host gave for the VM alone, at the
 *   same offset in the page, with no more bytes than are left of it; a write reaches nothing that
 *   is read-only, nor a page that the host gave to be read, and is noted where that is logged; a
 *   look asks the host for nothing; where there is no slot, nothing is reached
 * Bounds: a slot of 2 pages, that are given one by one, at any address; any address
 * Assumes: what the host says of a page holds
 * Sources: lib/engine/common/memory.c
 * Loops: 5 lock_take.0:1
 */
#include "tests/proofs/memory.h"

void proof(void)
{
    memory_any();
    const struct slot *slot = &memory.slot[0];
    uint64_t gpa = nondet_u64(), run, in = gpa - slot->gpa, n = below(GIVEN_PAGES);
    uint8_t *va;
    enum memory_how how = (enum memory_how)below(3);
    bool was = is_given[n];
    enum memory_is is = memory_reach(&memory, gpa, how, &va, &run);
    holds(memory.lock.next == memory.lock.serving);
    holds(how != MEMORY_PEEK || is_given[n] == was);
    if (in >= SINGLE_PAGES * HOST_PAGE_SIZE)
        holds(is == MEMORY_NOTHING);
    if (is != MEMORY_HERE)
        return;
    uint64_t offset = (uint64_t)(va - given), page = offset / HOST_PAGE_SIZE;
    holds(page < GIVEN_PAGES && is_given[page]);
    holds(offset % HOST_PAGE_SIZE == gpa % HOST_PAGE_SIZE);
    holds(run == HOST_PAGE_SIZE - gpa % HOST_PAGE_SIZE);
    if (how == MEMORY_WRITE) {
        holds(given_writable[page] && !(slot->flags & SLOT_READ_ONLY));
        holds(!(slot->flags & SLOT_LOG_DIRTY) || dirty[0] >> in / HOST_PAGE_SIZE & 1);
    }
}
