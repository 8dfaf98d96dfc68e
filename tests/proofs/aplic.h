/* SPDX-License-Identifier: BSD-2-Clause */
/* An APLIC of two harts and a few sources in any state that the code can bring about. */
#ifndef TESTS_PROOFS_APLIC_H
#define TESTS_PROOFS_APLIC_H

#include "lib/irq/aplic.h"
#include "tests/proofs/proof.h"

#ifndef SOURCES
#define SOURCES 4
#endif
#define SOURCE_BITS ((2U << SOURCES) - 2)
#define HARTS 2

static struct aplic aplic;
static uint32_t aplic_target[SOURCES + 1];
static uint8_t aplic_mode[SOURCES + 1];

static inline void aplic_tell(struct aplic *which, unsigned hart)
{
    holds(which == &aplic && hart < HARTS && !aplic.msi);
}

static inline void aplic_send(struct aplic *which, unsigned hart, uint32_t id)
{
    holds(which == &aplic && hart < HARTS && id < 2048 && aplic.msi);
}

static inline void aplic_open(struct aplic *which, unsigned source)
{
    holds(which == &aplic && aplic.forwarded[0] >> source & 1);
}

static inline uint32_t some_sources(void)
{
    return nondet_u32() & SOURCE_BITS;
}

/* Between two calls: the lock is free. */
static inline void aplic_wellformed(void)
{
    holds(aplic.lock.next == aplic.lock.serving);
    holds(!((aplic.pending[0] | aplic.enable[0]) & ~SOURCE_BITS));
    holds(!aplic.pending[0] || aplic.words & 1);
    unsigned source = 1 + (unsigned)below(SOURCES);
    uint8_t mode = aplic_mode[source];
    holds(mode <= 7 && mode != 2 && mode != 3);
    holds(aplic_target[source] >> 18 < HARTS);
    holds(aplic_target[0] == 0 && aplic_mode[0] == 0);
    if (mode == 0)
        holds(!((aplic.pending[0] | aplic.enable[0]) >> source & 1) && !aplic_target[source]);
}

static inline void aplic_any(bool msi)
{
    aplic.changed = aplic_tell;
    aplic.message = aplic_send;
    aplic.completed = aplic_open;
    aplic.harts = HARTS;
    aplic.sources = SOURCES;
    aplic.target = aplic_target;
    aplic.mode = aplic_mode;
    aplic.msi = msi;
    aplic.enabled = nondet_bool();
    aplic.wire[0] = some_sources();
    aplic.pending[0] = some_sources();
    aplic.enable[0] = some_sources();
    aplic.forwarded[0] = some_sources();
    aplic.edge[0] = some_sources() & aplic.forwarded[0];
    aplic.served[0] = some_sources() & aplic.forwarded[0];
    aplic.stale[0] = some_sources() & aplic.forwarded[0];
    aplic.words = aplic.pending[0] ? 1 : nondet_bool();
    for (unsigned source = 1; source <= SOURCES; source++) {
        uint8_t mode = nondet_u8() & 7;
        assume(mode != 2 && mode != 3);
        aplic_mode[source] = mode;
        uint32_t low = nondet_u32() & (msi ? 0x7ff : 0xff);
        assume(msi || low);
        aplic_target[source] = mode ? (uint32_t)nondet_bool() << 18 | low : 0;
        if (!mode) {
            aplic.pending[0] &= ~(1U << source);
            aplic.enable[0] &= ~(1U << source);
        }
    }
    for (unsigned hart = 0; hart < HARTS; hart++) {
        aplic.idc[hart].delivery = nondet_bool();
        aplic.idc[hart].force = nondet_bool();
        aplic.idc[hart].threshold = nondet_u8();
    }
}

#endif
