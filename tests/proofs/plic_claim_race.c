/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: two harts that claim at the same time never both get it, in any order of
 *   their steps
 * Bounds: 2 contexts, one claim each, 1 source, ready for both
 * Assumes: sequential consistency
 * Threads: 2
 * Sources: lib/irq/plic.c
 * Loops: 3 claim.0:2 best_source.1:2 best_source.0:2 asks.0:2 report.0:3
 */
#define SOURCES 1
#include "tests/proofs/plic.h"

static uint64_t first, second;
static bool done;

static void other(void)
{
    plic_read(&plic, PLIC_CLAIM(1), 4, &second);
    __CPROVER_atomic_begin();
    done = true;
    __CPROVER_atomic_end();
}

void proof(void)
{
    plic_any();
    plic.level[0] = plic.edge[0] = plic.claimed[0] = 0;
    plic.pending[0] = plic_enable[1][0] = plic_enable[3][0] = 2;
    plic.words = 1;
__CPROVER_ASYNC_1:
    other();
    plic_read(&plic, PLIC_CLAIM(0), 4, &first);
    assume(done);
    holds(!first || first != second);
}
