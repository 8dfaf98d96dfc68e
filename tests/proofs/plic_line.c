/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a context's line is high exactly if a source pends that is enabled for it, is not in
 *   service and has a priority above the threshold
 * Bounds: 2 contexts, 5 sources of one word; any state of these
 * Assumes: one hart at a time
 * Sources: lib/irq/plic.c
 * Loops: 6 best_source.1:2 asks.0:2 plic_any.1:3
 */
#include "tests/proofs/plic.h"

void proof(void)
{
    plic_any();
    unsigned context = nondet_bool();
    bool high = false;
    for (unsigned source = 1; source <= SOURCES; source++)
        high |= plic_ready(context, source) && plic_priority[source] > plic.threshold[context];
    holds(plic_line(&plic, context) == high);
}
