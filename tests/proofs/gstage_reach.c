/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: `gstage_levels()` answers the fewest levels of a mode that is there and reaches all
 *   addresses; `cald_table_map()` refuses what is not page-aligned or lies beyond that reach, and
 *   maps nothing then
 * Bounds: none on arguments; a table of 3 levels
 * Assumes: what isn't refused is not followed (it is `gstage_map`'s)
 * Sources: lib/engine/h/gstage.c
 * Loops: 6 descend.0:1 gstage_map_as.0:1
 */
#include "caldarium/caldarium.h"
#include "caldarium/devices.h"
#include "lib/engine/h/gstage.h"
#include "tests/proofs/tables.h"

static uint64_t reach(unsigned levels)
{
    return 1UL << (12 + 9 * levels + 2);
}

void proof(void)
{
    uint64_t end = nondet_u64();
    unsigned modes = nondet_u32(), levels = gstage_levels(end, modes), other;
    holds(levels == 0 || (levels >= 3 && levels <= 5));
    holds(levels == 0 || (modes >> levels & 1 && end <= reach(levels)));
    other = 3 + (unsigned)below(3);
    if (modes >> other & 1 && end <= reach(other))
        holds(levels != 0 && levels <= other);

    uint64_t table = cald_table_create(1UL << 40, 1U << 3);
    if (!table)
        return;
    uint64_t gpa = nondet_u64(), pa = nondet_u64(), size = nondet_u64();
    bool fits = !((gpa | pa | size) % HOST_PAGE_SIZE) && gpa <= reach(3) && size <= reach(3) - gpa;
    assume(!fits || size == 0);
    uint64_t taken = tables_taken;
    holds(cald_table_map(table, gpa, pa, size) == (fits ? CALD_OK : CALD_EINVAL));
    holds(tables_taken == taken && tables[0][below(ENTRIES)] == 0);
}
