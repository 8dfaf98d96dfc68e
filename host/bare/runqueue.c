/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/runqueue.h"

#include <stddef.h>

static struct seat *seat_of(struct heap_node *node)
{
    return (struct seat *)((char *)node - offsetof(struct seat, node));
}

/* An urgent turn is short: it counts on no budget. */
static unsigned level_of(const struct seat *seat)
{
    return seat->urgent ? PRIORITY_MAX + 1 : seat->priority;
}

static bool is_reserved(const struct seat *seat)
{
    return seat->budget && !seat->urgent;
}

void runqueue_add(struct runqueue *rq, struct seat *seat, uint64_t now, bool first)
{
    unsigned n = level_of(seat);
    seat->state = SEAT_READY;
    seat->ready_since = now;
    seat->next = seat->prev = NULL;
    rq->ready++;
    rq->levels |= 1UL << n;
    rq->level[n].waiting += !is_reserved(seat);
    if (is_reserved(seat)) {
        heap_add(&rq->level[n].reserved, &seat->node, seat->deadline);
    } else if (!rq->level[n].first) {
        rq->level[n].first = rq->level[n].last = seat;
    } else if (first) {
        seat->next = rq->level[n].first;
        seat->next->prev = seat;
        rq->level[n].first = seat;
    } else {
        seat->prev = rq->level[n].last;
        seat->prev->next = seat;
        rq->level[n].last = seat;
    }
}

/* A look at so many, that a long row costs no more; then it is last. */
#define SINCE_LOOKS 64

void runqueue_add_since(struct runqueue *rq, struct seat *seat, uint64_t since)
{
    struct seat *after = rq->level[level_of(seat)].first;
    unsigned looks = 0;
    while (after && after->ready_since <= since)
        after = ++looks < SINCE_LOOKS ? after->next : NULL;
    if (!after || !after->prev || is_reserved(seat)) {
        runqueue_add(rq, seat, since, after != NULL);
        return;
    }
    runqueue_add(rq, seat, since, true); /* first, and then from there to its place */
    struct seat *before = after->prev;
    rq->level[level_of(seat)].first = seat->next;
    seat->next->prev = NULL;
    seat->next = after;
    seat->prev = before;
    before->next = after->prev = seat;
}

void runqueue_remove(struct runqueue *rq, struct seat *seat)
{
    unsigned n = level_of(seat);
    rq->ready--;
    rq->level[n].waiting -= !is_reserved(seat);
    if (is_reserved(seat)) {
        heap_remove(&rq->level[n].reserved, &seat->node);
    } else {
        if (seat->prev)
            seat->prev->next = seat->next;
        else
            rq->level[n].first = seat->next;
        if (seat->next)
            seat->next->prev = seat->prev;
        else
            rq->level[n].last = seat->prev;
        seat->next = seat->prev = NULL;
    }
    if (!rq->level[n].first && !rq->level[n].reserved.root)
        rq->levels &= ~(1UL << n);
}

struct seat *runqueue_best(const struct runqueue *rq)
{
    if (!rq->levels)
        return NULL;
    unsigned n = 63u - (unsigned)__builtin_clzl(rq->levels);
    struct heap_node *reserved = rq->level[n].reserved.root;
    return reserved ? seat_of(reserved) : rq->level[n].first;
}

bool runqueue_before(const struct seat *a, const struct seat *b)
{
    if (level_of(a) != level_of(b))
        return level_of(a) > level_of(b);
    if (!is_reserved(a))
        return false;
    return !is_reserved(b) || a->deadline < b->deadline;
}

unsigned runqueue_load(const struct runqueue *rq, const struct seat *seat)
{
    const struct seat *current = __atomic_load_n(&rq->current, __ATOMIC_RELAXED);
    unsigned level = level_of(seat), sum = current && level_of(current) >= level;
    uint64_t levels = __atomic_load_n(&rq->levels, __ATOMIC_RELAXED);
    for (levels = levels >> level << level; levels; levels &= levels - 1)
        sum += __atomic_load_n(&rq->level[__builtin_ctzll(levels)].waiting, __ATOMIC_RELAXED);
    return sum;
}

bool runqueue_has_equal(const struct runqueue *rq, const struct seat *seat)
{
    return !is_reserved(seat) && rq->level[level_of(seat)].first;
}

void runqueue_sleep(struct runqueue *rq, struct seat *seat, enum seat_state state, uint64_t when)
{
    seat->state = state;
    seat->in_turn = false;
    seat->in_timers = when != UINT64_MAX;
    if (seat->in_timers)
        heap_add(&rq->timers, &seat->node, when);
}

static void refill(struct seat *seat, uint64_t deadline)
{
    seat->budget_left = seat->budget;
    seat->deadline = deadline;
}

void runqueue_wake(struct runqueue *rq, struct seat *seat, uint64_t now)
{
    if (seat->in_timers)
        heap_remove(&rq->timers, &seat->node);
    seat->in_timers = false;
    seat->woken = now;
    /* What is left of an old budget may be used only at the reserved rate: else it would take more
     * than its share of what remains until that deadline. */
    if (seat->budget &&
        (now >= seat->deadline || (unsigned __int128)seat->budget_left * seat->period >
                                      (unsigned __int128)seat->budget * (seat->deadline - now)))
        refill(seat, now + seat->period);
    if (seat->budget && !seat->budget_left && !seat->urgent) {
        runqueue_sleep(rq, seat, SEAT_THROTTLED, seat->deadline);
        return;
    }
    runqueue_add(rq, seat, now, false);
}

void runqueue_expire(struct runqueue *rq, uint64_t now)
{
    struct heap_node *node;
    while ((node = rq->timers.root) && node->key <= now) {
        struct seat *seat = seat_of(node);
        if (seat->state == SEAT_THROTTLED) {
            heap_remove(&rq->timers, node);
            seat->in_timers = false;
            /* Periods follow each other without a gap, unless this hart looks far too late. */
            uint64_t next = seat->deadline + seat->period;
            refill(seat, next > now ? next : now + seat->period);
            runqueue_add(rq, seat, now, false);
        } else {
            runqueue_wake(rq, seat, now);
        }
    }
}

/* However late a hart looked: the debt is paid within as many turns. */
#define DEBT_TURNS 32

bool runqueue_charge(const struct runqueue *rq, struct seat *seat, uint64_t now)
{
    uint64_t used = now > seat->charged ? now - seat->charged : 0;
    int64_t floor = -(int64_t)(DEBT_TURNS * rq->slice);
    seat->charged = now;
    if (rq->slice_end != UINT64_MAX)
        seat->credit = seat->credit - (int64_t)used > floor ? seat->credit - (int64_t)used : floor;
    if (!seat->budget)
        return false;
    seat->budget_left = used < seat->budget_left ? seat->budget_left - used : 0;
    return !seat->budget_left;
}

void runqueue_turn(struct runqueue *rq, uint64_t now)
{
    struct seat *seat = rq->current;
    if (!seat || !runqueue_has_equal(rq, seat)) {
        rq->slice_end = UINT64_MAX;
        return;
    }
    if (rq->slice_end != UINT64_MAX)
        return;
    int64_t slice = (int64_t)rq->slice, least = slice / 8;
    if (!seat->in_turn)
        seat->credit = seat->credit < 0 ? seat->credit + slice : slice;
    seat->in_turn = true;
    rq->slice_end = now + (uint64_t)(seat->credit > least ? seat->credit : least);
}

uint64_t runqueue_deadline(const struct runqueue *rq)
{
    uint64_t when = rq->slice_end;
    const struct seat *seat = rq->current;
    if (seat && seat->budget && seat->charged + seat->budget_left < when)
        when = seat->charged + seat->budget_left;
    if (rq->timers.root && rq->timers.root->key < when)
        when = rq->timers.root->key;
    return when;
}
