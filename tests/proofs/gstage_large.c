/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: where `gstage_map()` uses pages of 2 MiB and 1 GiB, each address of the range leads to
 *   its own machine address, and none outside of it leads anywhere
 * Bounds: Sv39x4; a range that begins at any page of the first 4 GiB whose index is below 4, of
 *   one page, 2 MiB, 1 GiB, or one of these and the next smaller one; machine addresses below 2^55
 * Assumes: the range and the machine address are aligned to its first part
 * Sources: lib/engine/h/gstage.c
 * Loops: 4 descend.0:1 gstage_map_as.0:3
 */
#include "lib/engine/h/gstage.h"
#include "tests/proofs/tables.h"

void proof(void)
{
    static const uint64_t part[] = {1UL << 12, 1UL << 21, 1UL << 30};
    struct gstage stage;
    uint64_t gpa = page_below(1UL << 32), at = page_below(1UL << 32), pa = below(1UL << 55), to;
    unsigned which = (unsigned)below(3);
    uint64_t size = part[which];
    if (which && nondet_bool())
        size += part[which - 1];
    assume((gpa | pa) % part[which] == 0);
    assume((gpa >> (12 + 9 * which)) % ENTRIES != ENTRIES - 1);
    if (gstage_init(&stage, 3) < 0 || gstage_map(&stage, gpa, pa, size) < 0)
        return;
    uint64_t leaf = walk(stage.root, at, &to);
    if (at >= gpa && at - gpa < size)
        holds(leaf && to == pa + (at - gpa));
    else
        holds(!leaf);
}
