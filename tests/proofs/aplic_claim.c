/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: topi, and a claim by claimi, name the pending, enabled source of that hart with the
 *   lowest priority number, the lowest source among equals, below the threshold if there is one;
 *   the claim takes an edge's pending bit away, and no other source's
 * Bounds: 2 harts, 2 sources, any state of these
 * Assumes: none of the sources is the board's (forwarded); one hart at a time
 * Sources: lib/irq/aplic.c
 * Loops: 6 top.1:3 claim.0:1 end_service.0:1 end_service.1:3 lock_take.0:1
 */
#define SOURCES 2
#include "tests/proofs/aplic.h"

#define TOPI 0x18u
#define CLAIMI 0x1cu

static bool asks(unsigned hart, unsigned source)
{
    unsigned threshold = aplic.idc[hart].threshold;
    return (aplic.pending[0] & aplic.enable[0]) >> source & 1 &&
           aplic_target[source] >> 18 == hart &&
           (!threshold || (aplic_target[source] & 0xff) < threshold);
}

void proof(void)
{
    aplic_any(false);
    aplic.forwarded[0] = aplic.edge[0] = aplic.served[0] = aplic.stale[0] = 0;
    unsigned hart = nondet_bool(), other = 1 + (unsigned)below(SOURCES);
    bool claims = nondet_bool(), waits = asks(hart, other);
    bool asked[SOURCES + 1] = {false};
    for (unsigned source = 1; source <= SOURCES; source++)
        asked[source] = asks(hart, source);
    uint32_t pending = aplic.pending[0];

    uint64_t answer;
    holds(aplic_read(&aplic, 0x4000 + hart * 32 + (claims ? CLAIMI : TOPI), 4, &answer));
    unsigned source = (unsigned)(answer >> 16), priority = answer & 0xff;
    holds(source <= SOURCES && (!source || asked[source]));
    holds(source || priority == 0);
    holds(!source || priority == (aplic_target[source] & 0xff));
    unsigned others = aplic_target[other] & 0xff;
    if (waits)
        holds(source && (priority < others || (priority == others && source <= other)));
    bool edge = source && aplic_mode[source] < 6;
    holds(aplic.pending[0] == (claims && edge ? pending & ~(1U << source) : pending));
    aplic_wellformed();
}
