/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: time that is charged is never more than passed, never makes a budget larger or less than
 *   nothing, and a budget that is used up is told; a debt is bounded by 32 turns; nothing overflows
 * Bounds: none on budgets and times: a queue in any state
 * Assumes: a turn of less than 2^55 ticks; a credit as runqueue_turn() leaves it; less than 2^62
 *   ticks since the last charge
 * Sources: host/bare/runqueue.c
 * Loops: 1
 */
#include "host/bare/runqueue.h"
#include "tests/proofs/proof.h"

void proof(void)
{
    struct runqueue rq;
    struct sched_entity entity;
    uint64_t now = nondet_u64();
    rq.slice = below(1UL << 55);
    rq.slice_end = nondet_u64();
    entity.budget = nondet_u64();
    entity.budget_left = nondet_u64();
    entity.charged = nondet_u64();
    entity.credit = (int64_t)nondet_u64();
    int64_t floor = -(int64_t)(32 * rq.slice);
    assume(entity.budget_left <= entity.budget);
    assume(entity.credit >= floor && entity.credit <= (int64_t)rq.slice);
    assume(now < entity.charged || now - entity.charged < 1UL << 62);
    uint64_t left = entity.budget_left, used = now > entity.charged ? now - entity.charged : 0;
    int64_t credit = entity.credit;

    bool spent = runqueue_charge(&rq, &entity, now);
    holds(entity.charged == now);
    holds(entity.credit >= floor && entity.credit <= credit);
    if (entity.budget) {
        holds(entity.budget_left == (used < left ? left - used : 0));
        holds(spent == (entity.budget_left == 0));
    } else {
        holds(!spent && entity.budget_left == left);
    }
}
