/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which vCPU a hart runs next: the order alone, without locks, harts or clocks of its own.
 *
 * Higher priorities come first. Within one, vCPUs that have a reservation with budget left come
 * first, the earliest deadline ahead; then the others, in turn. A reservation is a
 * constant-bandwidth server (Abeni, Buttazzo, "Integrating Multimedia Applications in Hard
 * Real-Time Systems", 1998): `budget` ticks in each `period`, and no more, also where the hart
 * would be free.
 *
 * Times are ticks of the host's clock. The caller holds the queue's lock.
 */
#ifndef HOST_BARE_RUNQUEUE_H
#define HOST_BARE_RUNQUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "appliance/config.h"
#include "host/bare/heap.h"
#include "riscv/lock.h"

struct cald_vcpu;
struct vm;

enum entity_state {
    ENTITY_OFF,       /* its VM is on no hart */
    ENTITY_READY,     /* waits in its hart's queue for a turn */
    ENTITY_RUNNING,   /* is its hart's current one */
    ENTITY_BLOCKED,   /* waits for mail, or for its own timer */
    ENTITY_THROTTLED, /* has used its budget up and waits for the next period */
};

/* A vCPU as the scheduler knows it. Belongs to the queue of its home hart. */
struct sched_entity {
    struct cald_vcpu *vcpu;
    _Atomic unsigned home; /* hart index; changes under the lock of the old home's queue */
    enum entity_state state;
    bool urgent; /* something is requested of its VM: ahead of everybody, for one short turn */
    unsigned priority;              /* 0 .. PRIORITY_MAX, higher first */
    uint64_t allowed;               /* bit n: may run on hart n */
    uint64_t budget, period;        /* the reservation; 0: none */
    uint64_t budget_left, deadline; /* of the period that runs */
    uint64_t reserved_ppm;          /* the reservation, in millionths of a hart */
    uint64_t charged;               /* until when its running time is accounted */
    int64_t credit; /* ticks that it may still run in this turn; a debt carries over */
    bool in_turn;
    uint64_t ready_since, woken, arrived; /* arrived: at this home */
    uint64_t steal;                       /* ticks that it was ready and did not run */
    uint64_t switches;                    /* how often it got the hart */
    uint64_t idle;                        /* ticks that it had given its hart away to wait */
    uint64_t asleep_since;                /* host time when it did so last; 0: it is awake */
    struct sched_entity *next, *prev;     /* in its level's row */
    struct heap_node node; /* READY with a reservation: by deadline; else in `timers` */
    bool in_timers;
};

struct runqueue {
    struct lock lock;
    uint64_t levels; /* bit n: level n has somebody ready */
    struct {
        struct sched_entity *first, *last;
        unsigned waiting; /* in this row */
        struct heap reserved;
    } level[PRIORITY_MAX + 2]; /* by priority, the urgent above all */
    struct heap timers;        /* BLOCKED ones with a timer, THROTTLED ones: when they are due */
    _Atomic unsigned ready; /* how many wait; read without the lock by harts that look for work */
    unsigned entities;      /* how many have their home here */
    uint64_t reserved_ppm;  /* bandwidth given away here, in millionths of the hart */
    struct sched_entity *current;
    uint64_t rotate_at;       /* not before that is a difference of one evened out */
    uint64_t slice;           /* ticks of a turn among equals */
    uint64_t slice_end;       /* UINT64_MAX: the current one is alone at its priority */
    struct vm *_Atomic owner; /* a pinned VM that has this hart for itself, or NULL */
};

#define RUNQUEUE_SLICE_HZ 200 /* a turn among equals is 5 ms */

/* Puts an entity, which is in no row, into the queue as READY: last of its equals, or first. */
void runqueue_add(struct runqueue *rq, struct sched_entity *entity, uint64_t now, bool first);

/* The same for one that has waited elsewhere since then: it comes before those who wait less. */
void runqueue_add_since(struct runqueue *rq, struct sched_entity *entity, uint64_t since);

/* Takes a READY entity out. Its state is the caller's to change. */
void runqueue_remove(struct runqueue *rq, struct sched_entity *entity);

/* Who would run now, or NULL. Stays in the queue. */
struct sched_entity *runqueue_best(const struct runqueue *rq);

/* Whether `a`, ready, has to run before `b`, running. */
bool runqueue_before(const struct sched_entity *a, const struct sched_entity *b);

/* How many take turns at the entity's level here or come before it, the running one among them.
 * Without the lock: an estimate. */
unsigned runqueue_load(const struct runqueue *rq, const struct sched_entity *entity);

/* Somebody is READY who takes turns with this one. */
bool runqueue_has_equal(const struct runqueue *rq, const struct sched_entity *entity);

/* An entity in no row sleeps until `when` (UINT64_MAX: until it is woken) in the given state. */
void runqueue_sleep(struct runqueue *rq, struct sched_entity *entity, enum entity_state state,
                    uint64_t when);

/* A BLOCKED entity becomes READY. Its budget begins anew unless the old one still fits its
 * deadline.
 */
void runqueue_wake(struct runqueue *rq, struct sched_entity *entity, uint64_t now);

/* Wakes and refills all that are due. */
void runqueue_expire(struct runqueue *rq, uint64_t now);

/* Accounts the running entity's time until now. True: its budget is used up. */
bool runqueue_charge(const struct runqueue *rq, struct sched_entity *entity, uint64_t now);

/*
 * The turn of the running entity among its equals: begins if somebody waits for its end, and
 * slice_end says when that is. Who overran one turn has the next one shortened by as much, so that
 * equals get the same time, whatever holds a hart up at the end of a turn.
 */
void runqueue_turn(struct runqueue *rq, uint64_t now);

/* When the hart has to look again: a turn, a budget or a sleep ends. */
uint64_t runqueue_deadline(const struct runqueue *rq);

#endif
