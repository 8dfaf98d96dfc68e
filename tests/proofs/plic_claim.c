/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a claim returns the pending, enabled source of the highest priority, the lowest number
 *   among equals, 0 only if there is none; nobody else can claim it then; others stay as they were
 * Bounds: 2 contexts, 5 sources of one word; any state of these
 * Assumes: one hart at a time
 * Sources: lib/irq/plic.c
 * Loops: 6 claim.0:2 best_source.1:2 asks.0:2 report.0:3 plic_any.1:3
 */
#include "tests/proofs/plic.h"

void proof(void)
{
    plic_any();
    unsigned context = nondet_bool();
    unsigned other = (unsigned)below(SOURCES) + 1;
    bool ready = plic_ready(context, other);
    uint32_t pending = plic.pending[0], claimed = plic.claimed[0];
    bool was[SOURCES + 1];
    for (unsigned source = 1; source <= SOURCES; source++)
        was[source] = plic_ready(context, source);

    uint64_t source;
    holds(plic_read(&plic, PLIC_CLAIM(context), 4, &source));
    holds(source <= SOURCES);
    if (ready && plic_priority[other]) {
        holds(source != 0);
        holds(plic_priority[source] > plic_priority[other] ||
              (plic_priority[source] == plic_priority[other] && source <= other));
    }
    if (source) {
        holds(was[source] && plic_priority[source]);
        holds(plic.claimed[0] == (claimed | 1U << source));
        holds(plic.pending[0] == (pending & ~(1U << source)));
    } else {
        holds(plic.claimed[0] == claimed && plic.pending[0] == pending);
    }
}
