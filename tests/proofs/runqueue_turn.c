/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a turn among equals is at least an eighth and at most the whole of a slice, a debt
 *   shortens it, and nobody's turn ends who has no equal waiting; nothing overflows
 * Bounds: any state of the entity; any time
 * Assumes: a slice of 8 to 2^55 ticks; a credit as runqueue_charge() leaves it; a clock that is
 *   not about to wrap
 * Sources: host/bare/runqueue.c
 * Loops: 1
 */
#include "host/bare/runqueue.h"
#include "tests/proofs/proof.h"

void heap_add(struct heap *heap, struct heap_node *node, uint64_t key)
{
    (void)heap, (void)node, (void)key;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    (void)heap, (void)node;
}

void proof(void)
{
    static struct runqueue rq;
    static struct sched_entity current, equal;
    uint64_t now = nondet_u64();
    bool waits = nondet_bool(), reserved = nondet_bool();
    rq.slice = 8 + below((1UL << 55) - 8);
    rq.slice_end = UINT64_MAX;
    rq.current = &current;
    current.priority = (unsigned)below(PRIORITY_MAX + 1);
    current.budget = reserved ? 1 + below(1UL << 62) : 0;
    current.in_turn = nondet_bool();
    current.credit = (int64_t)nondet_u64();
    int64_t credit = current.credit;
    assume(credit >= -(int64_t)(32 * rq.slice) && credit <= (int64_t)rq.slice);
    assume(now < UINT64_MAX - rq.slice);
    rq.level[current.priority].first = waits ? &equal : NULL;

    runqueue_turn(&rq, now);
    if (!waits || reserved) {
        holds(rq.slice_end == UINT64_MAX);
        return;
    }
    uint64_t turn = rq.slice_end - now;
    holds(turn >= rq.slice / 8 && turn <= rq.slice);
    holds(current.in_turn);
    holds(credit >= 0 || turn < rq.slice);
}
