/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: `gstage_protect()` leaves no leaf with W in its range, and changes nothing else of any
 *   leaf
 * Bounds: Sv39x4; 2 pages mapped, 1 or 2 protected, anywhere in 4 of the 512 entries of each level,
 *   not across a table's end
 * Assumes: page-aligned arguments
 * Sources: lib/engine/h/gstage.c
 * Loops: 4 descend.0:1 gstage_map_as.0:3 reduce.0:3
 */
#include "lib/engine/h/gstage.h"
#include "tests/proofs/tables.h"

void proof(void)
{
    struct gstage stage;
    uint64_t gpa = page_below(1UL << 41), from = page_below(1UL << 41), at = page_below(1UL << 41);
    uint64_t pa = below(1UL << 55), was, is;
    uint64_t size = nondet_bool() ? HOST_PAGE_SIZE : 2 * HOST_PAGE_SIZE;
    assume(pa % HOST_PAGE_SIZE == 0 && (gpa >> 12) % ENTRIES != ENTRIES - 1);
    assume((from >> 12) % ENTRIES != ENTRIES - 1);
    if (gstage_init(&stage, 3) < 0 || gstage_map(&stage, gpa, pa, 2 * HOST_PAGE_SIZE) < 0)
        return;
    uint64_t before = walk(stage.root, at, &was);
    gstage_protect(&stage, from, size);
    uint64_t after = walk(stage.root, at, &is);
    if (at >= from && at - from < size)
        holds(after == (before & ~PTE_W));
    else
        holds(after == before);
    holds(!after || is == was);
}
