/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/runqueue.h"

#include <stddef.h>

static struct sched_entity *entity_of(struct heap_node *node)
{
    return (struct sched_entity *)((char *)node - offsetof(struct sched_entity, node));
}

/* An urgent turn is short: it counts on no budget. */
static unsigned level_of(const struct sched_entity *entity)
{
    return entity->urgent ? PRIORITY_MAX + 1 : entity->priority;
}

static bool is_reserved(const struct sched_entity *entity)
{
    return entity->budget && !entity->urgent;
}

void runqueue_add(struct runqueue *rq, struct sched_entity *entity, uint64_t now, bool first)
{
    unsigned n = level_of(entity);
    entity->state = ENTITY_READY;
    entity->ready_since = now;
    entity->next = entity->prev = NULL;
    rq->ready++;
    rq->levels |= 1UL << n;
    rq->level[n].waiting += !is_reserved(entity);
    if (is_reserved(entity)) {
        heap_add(&rq->level[n].reserved, &entity->node, entity->deadline);
    } else if (!rq->level[n].first) {
        rq->level[n].first = rq->level[n].last = entity;
    } else if (first) {
        entity->next = rq->level[n].first;
        entity->next->prev = entity;
        rq->level[n].first = entity;
    } else {
        entity->prev = rq->level[n].last;
        entity->prev->next = entity;
        rq->level[n].last = entity;
    }
}

/* A look at so many, that a long row costs no more; then it is last. */
#define SINCE_LOOKS 64

void runqueue_add_since(struct runqueue *rq, struct sched_entity *entity, uint64_t since)
{
    struct sched_entity *after = rq->level[level_of(entity)].first;
    unsigned looks = 0;
    while (after && after->ready_since <= since)
        after = ++looks < SINCE_LOOKS ? after->next : NULL;
    if (!after || !after->prev || is_reserved(entity)) {
        runqueue_add(rq, entity, since, after != NULL);
        return;
    }
    runqueue_add(rq, entity, since, true); /* first, and then from there to its place */
    struct sched_entity *before = after->prev;
    rq->level[level_of(entity)].first = entity->next;
    entity->next->prev = NULL;
    entity->next = after;
    entity->prev = before;
    before->next = after->prev = entity;
}

void runqueue_remove(struct runqueue *rq, struct sched_entity *entity)
{
    unsigned n = level_of(entity);
    rq->ready--;
    rq->level[n].waiting -= !is_reserved(entity);
    if (is_reserved(entity)) {
        heap_remove(&rq->level[n].reserved, &entity->node);
    } else {
        if (entity->prev)
            entity->prev->next = entity->next;
        else
            rq->level[n].first = entity->next;
        if (entity->next)
            entity->next->prev = entity->prev;
        else
            rq->level[n].last = entity->prev;
        entity->next = entity->prev = NULL;
    }
    if (!rq->level[n].first && !rq->level[n].reserved.root)
        rq->levels &= ~(1UL << n);
}

struct sched_entity *runqueue_best(const struct runqueue *rq)
{
    if (!rq->levels)
        return NULL;
    unsigned n = 63u - (unsigned)__builtin_clzl(rq->levels);
    struct heap_node *reserved = rq->level[n].reserved.root;
    return reserved ? entity_of(reserved) : rq->level[n].first;
}

bool runqueue_before(const struct sched_entity *a, const struct sched_entity *b)
{
    if (level_of(a) != level_of(b))
        return level_of(a) > level_of(b);
    if (!is_reserved(a))
        return false;
    return !is_reserved(b) || a->deadline < b->deadline;
}

unsigned runqueue_load(const struct runqueue *rq, const struct sched_entity *entity)
{
    const struct sched_entity *current = __atomic_load_n(&rq->current, __ATOMIC_RELAXED);
    unsigned level = level_of(entity), sum = current && level_of(current) >= level;
    uint64_t levels = __atomic_load_n(&rq->levels, __ATOMIC_RELAXED);
    for (levels = levels >> level << level; levels; levels &= levels - 1)
        sum += __atomic_load_n(&rq->level[__builtin_ctzll(levels)].waiting, __ATOMIC_RELAXED);
    return sum;
}

bool runqueue_has_equal(const struct runqueue *rq, const struct sched_entity *entity)
{
    return !is_reserved(entity) && rq->level[level_of(entity)].first;
}

void runqueue_sleep(struct runqueue *rq, struct sched_entity *entity, enum entity_state state,
                    uint64_t when)
{
    entity->state = state;
    entity->in_turn = false;
    entity->in_timers = when != UINT64_MAX;
    if (entity->in_timers)
        heap_add(&rq->timers, &entity->node, when);
}

static void refill(struct sched_entity *entity, uint64_t deadline)
{
    entity->budget_left = entity->budget;
    entity->deadline = deadline;
}

void runqueue_wake(struct runqueue *rq, struct sched_entity *entity, uint64_t now)
{
    if (entity->in_timers)
        heap_remove(&rq->timers, &entity->node);
    entity->in_timers = false;
    entity->woken = now;
    /* What is left of an old budget may be used only at the reserved rate: else it would take more
     * than its share of what remains until that deadline. */
    if (entity->budget && (now >= entity->deadline ||
                           (unsigned __int128)entity->budget_left * entity->period >
                               (unsigned __int128)entity->budget * (entity->deadline - now)))
        refill(entity, now + entity->period);
    if (entity->budget && !entity->budget_left && !entity->urgent) {
        runqueue_sleep(rq, entity, ENTITY_THROTTLED, entity->deadline);
        return;
    }
    runqueue_add(rq, entity, now, false);
}

void runqueue_expire(struct runqueue *rq, uint64_t now)
{
    struct heap_node *node;
    while ((node = rq->timers.root) && node->key <= now) {
        struct sched_entity *entity = entity_of(node);
        if (entity->state == ENTITY_THROTTLED) {
            heap_remove(&rq->timers, node);
            entity->in_timers = false;
            /* Periods follow each other without a gap, unless this hart looks far too late. */
            uint64_t next = entity->deadline + entity->period;
            refill(entity, next > now ? next : now + entity->period);
            runqueue_add(rq, entity, now, false);
        } else {
            runqueue_wake(rq, entity, now);
        }
    }
}

/* However late a hart looked: the debt is paid within as many turns. */
#define DEBT_TURNS 32

bool runqueue_charge(const struct runqueue *rq, struct sched_entity *entity, uint64_t now)
{
    uint64_t used = now > entity->charged ? now - entity->charged : 0;
    int64_t floor = -(int64_t)(DEBT_TURNS * rq->slice);
    entity->charged = now;
    if (rq->slice_end != UINT64_MAX)
        entity->credit =
            entity->credit - (int64_t)used > floor ? entity->credit - (int64_t)used : floor;
    if (!entity->budget)
        return false;
    entity->budget_left = used < entity->budget_left ? entity->budget_left - used : 0;
    return !entity->budget_left;
}

void runqueue_turn(struct runqueue *rq, uint64_t now)
{
    struct sched_entity *entity = rq->current;
    if (!entity || !runqueue_has_equal(rq, entity)) {
        rq->slice_end = UINT64_MAX;
        return;
    }
    if (rq->slice_end != UINT64_MAX)
        return;
    int64_t slice = (int64_t)rq->slice, least = slice / 8;
    if (!entity->in_turn)
        entity->credit = entity->credit < 0 ? entity->credit + slice : slice;
    entity->in_turn = true;
    rq->slice_end = now + (uint64_t)(entity->credit > least ? entity->credit : least);
}

uint64_t runqueue_deadline(const struct runqueue *rq)
{
    uint64_t when = rq->slice_end;
    const struct sched_entity *entity = rq->current;
    if (entity && entity->budget && entity->charged + entity->budget_left < when)
        when = entity->charged + entity->budget_left;
    if (rq->timers.root && rq->timers.root->key < when)
        when = rq->timers.root->key;
    return when;
}
