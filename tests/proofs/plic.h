/* SPDX-License-Identifier: BSD-2-Clause */
/* A PLIC of two contexts and a few sources in any state that the code can bring about. */
#ifndef TESTS_PROOFS_PLIC_H
#define TESTS_PROOFS_PLIC_H

#include "lib/irq/plic.h"
#include "tests/proofs/proof.h"

#ifndef SOURCES
#define SOURCES 5
#endif
#define SOURCE_BITS ((2U << SOURCES) - 2)
#define CONTEXTS 2
#define PLIC_CLAIM(context) (0x201004U + (context)*0x2000U) /* of its S-mode */

static struct plic plic;
static uint32_t plic_enable[2 * CONTEXTS][PLIC_WORDS];
static uint8_t plic_priority[SOURCES + 1];
static uint32_t plic_told; /* contexts whose lines may have changed */

static inline void plic_tell(struct plic *which, unsigned context)
{
    holds(which == &plic && context < CONTEXTS);
    plic_told |= 1U << context;
}

static inline uint32_t some_sources(void)
{
    return nondet_u32() & SOURCE_BITS;
}

static inline void plic_any(void)
{
    plic.contexts = CONTEXTS;
    plic.sources = SOURCES;
    plic.changed = plic_tell;
    plic.enable = (void *)plic_enable;
    plic.priority = (void *)plic_priority;
    plic.level[0] = some_sources();
    plic.edge[0] = some_sources();
    plic.pending[0] = some_sources();
    plic.claimed[0] = some_sources();
    plic.words = plic.pending[0] ? 1 : nondet_bool();
    for (unsigned source = 1; source <= SOURCES; source++)
        plic_priority[source] = nondet_u8() & PLIC_MAX_PRIORITY;
    for (unsigned context = 0; context < CONTEXTS; context++) {
        plic_enable[2 * context + 1][0] = some_sources();
        plic.threshold[context] = nondet_u8() & PLIC_MAX_PRIORITY;
    }
}

/* What plic_any() begins with, any access leaves. */
static inline void plic_holds(void)
{
    uint32_t all = plic.level[0] | plic.edge[0] | plic.pending[0] | plic.claimed[0];
    holds(!((all | plic_enable[1][0] | plic_enable[3][0]) & ~SOURCE_BITS));
    unsigned word = (unsigned)below(PLIC_WORDS), source = (unsigned)below(SOURCES + 1);
    holds(plic_enable[0][word] == 0 && plic_enable[2][word] == 0);
    holds(word == 0 || (plic_enable[1][word] == 0 && plic_enable[3][word] == 0));
    holds(plic_priority[source] <= (source ? PLIC_MAX_PRIORITY : 0));
    holds(plic.threshold[0] <= PLIC_MAX_PRIORITY && plic.threshold[1] <= PLIC_MAX_PRIORITY);
    /* Who takes no notice of `words` loses interrupts. */
    holds(!plic.pending[0] || plic.words & 1);
}

static inline bool plic_ready(unsigned context, unsigned source)
{
    return (plic.pending[0] & ~plic.claimed[0] & plic_enable[2 * context + 1][0]) >> source & 1;
}

#endif
