/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: who wakes up with a reservation has, until its deadline, no more than its share of the
 *   time that is left (the rule of a constant-bandwidth server), and never more than its budget;
 *   who has none left is throttled until its deadline
 * Bounds: budgets and periods of up to 15 ticks, times of up to 63: products of larger ones take
 *   CBMC too long
 * Assumes: a budget of at most its period; the deadline lies at most a period ahead
 * Sources: host/bare/runqueue.c
 * Loops: 2
 */
#include "host/bare/runqueue.h"
#include "tests/proofs/proof.h"

static struct heap_node *added;
static uint64_t added_key;

void heap_add(struct heap *heap, struct heap_node *node, uint64_t key)
{
    (void)heap;
    added = node;
    added_key = key;
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    (void)heap, (void)node;
}

void proof(void)
{
    static struct runqueue rq;
    static struct sched_entity entity;
    uint64_t now = below(64);
    entity.state = ENTITY_BLOCKED;
    entity.priority = (unsigned)below(PRIORITY_MAX + 1);
    entity.period = 1 + below(15);
    entity.budget = 1 + below(15);
    entity.budget_left = below(16);
    entity.deadline = below(80);
    assume(entity.budget <= entity.period && entity.budget_left <= entity.budget);
    assume(entity.deadline <= now + entity.period);

    runqueue_wake(&rq, &entity, now);
    holds(entity.deadline > now && entity.deadline <= now + entity.period);
    holds(entity.budget_left <= entity.budget);
    holds(entity.budget_left * entity.period <= entity.budget * (entity.deadline - now));
    holds(added == &entity.node && added_key == entity.deadline);
    holds(entity.state == (entity.budget_left ? ENTITY_READY : ENTITY_THROTTLED));
    holds(rq.ready == (entity.budget_left ? 1 : 0));
}
