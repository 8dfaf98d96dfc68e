/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: after `gstage_map()` in an empty table each guest page of the range leads to its own
 *   machine page with all rights, and no other guest page to any: a VM has what it was given and
 *   nothing else
 * Bounds: Sv39x4; a range of 1 or 2 pages, anywhere in 4 of the 512 entries of each level; any
 *   machine address below 2^55
 * Assumes: page-aligned arguments, as the header asks for; memory for tables may run out
 * Sources: lib/engine/h/gstage.c
 * Loops: 4 descend.0:1 gstage_map_as.0:3
 */
#include "lib/engine/h/gstage.h"
#include "tests/proofs/tables.h"

void proof(void)
{
    struct gstage stage;
    uint64_t gpa = page_below(1UL << 41), at = page_below(1UL << 41), pa = below(1UL << 55), to;
    uint64_t size = nondet_bool() ? HOST_PAGE_SIZE : 2 * HOST_PAGE_SIZE;
    assume(pa % HOST_PAGE_SIZE == 0 && (gpa >> 12) % ENTRIES != ENTRIES - 1);
    if (gstage_init(&stage, 3) < 0)
        return;
    int result = gstage_map(&stage, gpa, pa, size);
    uint64_t leaf = walk(stage.root, at, &to);
    bool inside = at >= gpa && at - gpa < size;
    if (leaf) {
        holds(inside);
        holds(to == pa + (at - gpa));
        holds((leaf & (PTE_R | PTE_W | PTE_X | PTE_U)) == (PTE_R | PTE_W | PTE_X | PTE_U));
    } else {
        holds(!inside || result < 0);
    }
}
