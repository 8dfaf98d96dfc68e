/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: `gstage_page()` changes where its own page leads, with no right beyond the mask, and no
 *   other page's leaf; where there is no single page it changes nothing
 * Bounds: Sv39x4; 2 pages mapped, anywhere in 4 of the 512 entries of each level, not across a
 *   table's end
 * Assumes: page-aligned arguments; the mask leaves V and R, as all callers' do, or is zero
 * Sources: lib/engine/h/gstage.c
 * Loops: 4 descend.0:1 gstage_map_as.0:3
 */
#include "lib/engine/h/gstage.h"
#include "tests/proofs/tables.h"

void proof(void)
{
    struct gstage stage;
    uint64_t gpa = page_below(1UL << 41), page = page_below(1UL << 41), at = page_below(1UL << 41);
    uint64_t pa = below(1UL << 55), new = below(1UL << 55), mask = nondet_u64(), was, is, to;
    assume((pa | new) % HOST_PAGE_SIZE == 0 && (gpa >> 12) % ENTRIES != ENTRIES - 1);
    assume(mask == 0 || (mask & PTE_V && mask & PTE_R));
    if (gstage_init(&stage, 3) < 0 || gstage_map(&stage, gpa, pa, 2 * HOST_PAGE_SIZE) < 0)
        return;
    uint64_t before = walk(stage.root, at, &was), there = walk(stage.root, page, &to);
    gstage_page(&stage, page, new, mask);
    uint64_t after = walk(stage.root, at, &is);
    if (at != page) {
        holds(after == before && (!after || is == was));
    } else if (there && after) {
        holds(is == new);
        holds(!(after & (PTE_R | PTE_W | PTE_X) & ~mask));
    }
}
