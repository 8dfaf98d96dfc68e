/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which vCPU each hart runs. Every hart has a queue of its own (runqueue.h), with its own lock; a
 * hart that has nothing to do takes work from another's. A pinned VM owns its harts: nobody else is
 * queued there. sched.c takes turns, sched_place.c gives VMs their harts and shares.
 */
#ifndef HOST_BARE_SCHED_H
#define HOST_BARE_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "appliance/vm.h"
#include "host/bare/hart.h"
#include "host/bare/runqueue.h"

/* The vCPU's entity, made with the vCPU. */
static inline struct sched_entity *sched_entity(const struct cald_vcpu *vcpu)
{
    return cald_vcpu_owner(vcpu);
}

/* Finds a home for each vCPU of a VM that is on no hart, all of them asleep. False after one line
 * that names VM and property, with nothing changed. Calls of sched_place() and sched_remove() are
 * serialised by the caller. */
bool sched_place(struct vm *vm);

/* Takes a VM off its harts. Its vCPUs are asleep, but for the caller's own. */
void sched_remove(struct vm *vm);

/* Who runs on this hart now, or NULL; called by that hart between turns. The vCPU before it has
 * been taken off the hart. */
struct cald_vcpu *sched_next(struct hart *hart);

/* The running vCPU, whose run ended with CALD_WAIT, sleeps: until something comes for it, or until
 * its timer. On its hart; without effect if something has come already. */
void sched_wait(struct cald_vcpu *vcpu, const struct cald_exit *exit);

/* The running vCPU, which has been put, sleeps until host_wake(). `stays` is asked while nobody can
 * wake it: false: it does not sleep. NULL: it does. On its hart. */
void sched_stay(struct cald_vcpu *vcpu, bool (*stays)(const struct cald_vcpu *vcpu));

/* The running vCPU lets its equals go first. */
void sched_yield(struct cald_vcpu *vcpu);

/* This hart's time to look again has come. */
void sched_timer(struct hart *hart, uint64_t now);

/* A priority, and `budget` in each `period`; ticks, budget 0: no reservation. */
struct sched_share {
    unsigned priority;
    uint64_t budget, period;
};

/* Gives all of a VM's vCPUs another share, from now on. False: a hart hasn't that much to give, and
 * nobody's share has changed. No queue's lock is held. */
bool sched_change(struct vm *vm, const struct sched_share *share);

/* While it is wanted, vCPUs that wait give their hart away also where nobody else has use for it:
 * so that all of a hart's idle time is known. */
void sched_account_waits(bool wanted);

/* Has the hart look at its queue soon. */
void sched_nudge(struct hart *hart);

/* The hart that is an entity's home, its queue's lock held: until then the home may change. */
struct hart *sched_lock_home(struct sched_entity *entity);

/* Harts that run nothing, a bit each: for those who look for one. */
extern _Atomic uint64_t sched_idle;

#endif
