/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: an edge that comes while another hart completes its source is not lost, in any order of
 *   their steps: it pends afterwards, and the context was told
 * Bounds: 1 source, in service at one context; one edge, one completion
 * Assumes: sequential consistency
 * Threads: 2
 * Sources: lib/irq/plic.c
 * Loops: 3 report.0:3 plic_any.1:3 plic_any.0:6
 */
#define SOURCES 1
#include "tests/proofs/plic.h"

static bool done;

static void device(void)
{
    plic_pulse(&plic, 1);
    __CPROVER_atomic_begin();
    done = true;
    __CPROVER_atomic_end();
}

void proof(void)
{
    plic_any();
    plic.level[0] = plic.edge[0] = plic.pending[0] = 0;
    plic.claimed[0] = plic_enable[1][0] = 2;
    plic_enable[3][0] = 0;
    plic.words = nondet_bool();
__CPROVER_ASYNC_1:
    device();
    plic_write(&plic, PLIC_CLAIM(0), 4, 1);
    assume(done);
    holds(plic.pending[0] == 2 && plic.claimed[0] == 0 && plic.words & 1);
    holds(plic_told & 1);
}
