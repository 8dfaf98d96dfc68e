/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a completion opens the gateway of its own source alone, and only if that is enabled for
 *   the context and was claimed; a wire that is still high, or an edge that came meanwhile, pends
 *   then, and the contexts that it concerns are told
 * Bounds: 2 contexts, 5 sources of one word; any state of these; any value written
 * Assumes: one hart at a time
 * Sources: lib/irq/plic.c
 * Loops: 6 report.0:3 plic_any.1:3
 */
#include "tests/proofs/plic.h"

void proof(void)
{
    plic_any();
    unsigned context = nondet_bool();
    uint32_t source = nondet_u32();
    uint32_t claimed = plic.claimed[0], pending = plic.pending[0];
    uint32_t asks = plic.level[0] | plic.edge[0];
    bool exists = source >= 1 && source <= SOURCES;
    uint32_t bit = exists ? 1U << source : 0;
    bool counts = claimed & plic_enable[2 * context + 1][0] & bit;

    holds(plic_write(&plic, PLIC_CLAIM(context), 4, source));
    holds(plic.claimed[0] == (counts ? claimed & ~bit : claimed));
    holds((plic.pending[0] & ~bit) == (pending & ~bit));
    if (counts && asks & bit) {
        holds(plic.pending[0] & bit);
        holds(plic_told >> context & 1);
    } else {
        holds(plic.pending[0] == pending);
    }
}
