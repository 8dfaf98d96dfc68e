/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/sched.h"

#include "host/host.h"

_Atomic uint64_t sched_idle;

/* Harts whose vCPU waits for interrupts on the hart itself, a bit each. A hart sets its own and
 * then looks whether anybody waits for a hart; who comes to wait looks at the bits after that. */
static _Atomic uint64_t sched_alone;
static atomic_bool account_waits;

/* To leave the guest, and to enter it again, is short. What is between, making and ending a VM,
 * may be long: that is an ordinary turn, with the VM's own priority and budget, unless the operator
 * stops it. */
static bool is_urgent(const struct sched_entity *entity)
{
    const struct vm *vm = vm_of_vcpu(entity->vcpu);
    return atomic_load(&vm->request) != VM_REQUEST_NONE &&
           (atomic_load(&vm->building) == VM_REQUEST_NONE || atomic_load(&vm->hurried));
}

void sched_nudge(struct hart *hart)
{
    atomic_store(&hart->resched, true);
    hart_kick(hart);
}

struct hart *sched_lock_home(struct sched_entity *entity)
{
    for (;;) {
        struct hart *hart = &harts[atomic_load(&entity->home)];
        lock_take(&hart->rq.lock);
        if (atomic_load(&entity->home) == hart->index)
            return hart;
        lock_release(&hart->rq.lock);
    }
}

static void lock_both(struct hart *a, struct hart *b)
{
    lock_take(a->index < b->index ? &a->rq.lock : &b->rq.lock);
    lock_take(a->index < b->index ? &b->rq.lock : &a->rq.lock);
}

static void release_both(struct hart *a, struct hart *b)
{
    lock_release(&a->rq.lock);
    lock_release(&b->rq.lock);
}

/* Somebody waits for a turn: from now on WFI gives a hart away. A guest that is in one goes on with
 * its next instruction, as after an interrupt that was another's. */
static void end_lone_waits(void)
{
    for (uint64_t set = atomic_exchange(&sched_alone, 0); set; set &= set - 1)
        sched_nudge(&harts[__builtin_ctzll(set)]);
}

void sched_account_waits(bool wanted)
{
    atomic_store(&account_waits, wanted);
    end_lone_waits();
}

static bool anybody_waits(void)
{
    for (unsigned n = 0; n < hart_count; n++) {
        if (atomic_load(&harts[n].rq.ready))
            return true;
    }
    return atomic_load(&account_waits);
}

/* Whether the running vCPU's WFI is an exit; its hart's lock is held. It is none for a pinned VM's,
 * nor for a vCPU that is the only one at home here while nobody waits elsewhere. What has a budget
 * must not use it up asleep. */
static void choose_wait(struct hart *hart)
{
    const struct runqueue *rq = &hart->rq;
    uint64_t bit = 1ULL << hart->index;
    bool pinned = atomic_load(&rq->owner);
    bool alone = rq->current && !pinned && rq->entities == 1 && !rq->current->budget;
    if (alone) {
        atomic_fetch_or(&sched_alone, bit);
        alone = !anybody_waits();
    }
    if (!alone && atomic_load(&sched_alone) & bit)
        atomic_fetch_and(&sched_alone, ~bit);
    if (rq->current)
        cald_vcpu_wfi_exits(rq->current->vcpu, !pinned && !alone);
}

/* An entity has come into the queue: does its hart, or an idle one, have to look? */
static void announce(struct hart *hart, const struct sched_entity *entity)
{
    const struct runqueue *rq = &hart->rq;
    const struct sched_entity *current = rq->current;
    if (entity->state != ENTITY_READY)
        return;
    if (!current || runqueue_before(entity, current)) {
        sched_nudge(hart);
        return;
    }
    if (rq->slice_end == UINT64_MAX && runqueue_has_equal(rq, current))
        sched_nudge(hart);
    end_lone_waits();
    uint64_t idle = atomic_load(&sched_idle) & entity->allowed;
    if (idle && !entity->budget && !atomic_load(&rq->owner) && hart->loaded != entity->vcpu)
        sched_nudge(&harts[__builtin_ctzll(idle)]);
}

/* ---- Taking turns; on the hart itself, its lock held ----------------------------------------- */

/* What the hart holds of a vCPU goes back into its struct, so that it may run elsewhere. */
static void unload(struct hart *hart)
{
    struct cald_vcpu *vcpu = hart->loaded;
    if (!vcpu)
        return;
    cald_vcpu_put(vcpu);
    if (cald_vcpu_pending(vcpu))
        hart->woken = vcpu;
    hart->loaded = NULL;
}

/* Takes the running vCPU off; the caller puts its entity somewhere. */
static struct sched_entity *step_down(struct hart *hart)
{
    struct sched_entity *entity = hart->rq.current;
    hart->rq.current = NULL;
    hart->rq.slice_end = UINT64_MAX;
    cald_vcpu_put(entity->vcpu);
    hart->loaded = NULL;
    return entity;
}

static void step_up(struct hart *hart, uint64_t now)
{
    struct runqueue *rq = &hart->rq;
    struct sched_entity *entity = runqueue_best(rq);
    if (!entity)
        return;
    struct cald_vcpu *vcpu = entity->vcpu;
    runqueue_remove(rq, entity);
    if (hart->loaded != vcpu)
        unload(hart);
    hart->loaded = vcpu;
    cald_vcpu_attention(vcpu, (const uint8_t *)&hart->resched);
    rq->current = entity;
    rq->slice_end = UINT64_MAX;
    entity->state = ENTITY_RUNNING;
    entity->charged = now;
    entity->switches++;
    if (entity->asleep_since && entity->woken > entity->asleep_since)
        entity->idle += entity->woken - entity->asleep_since;
    entity->asleep_since = 0;
    if (now > entity->ready_since) {
        entity->steal += now - entity->ready_since;
        cald_vcpu_steal(vcpu, entity->steal);
    }
}

/* Whether the running one has to go, and where to. */
static void review(struct hart *hart, uint64_t now)
{
    struct runqueue *rq = &hart->rq;
    struct sched_entity *entity = rq->current;
    bool spent = runqueue_charge(rq, entity, now), over = now >= rq->slice_end;
    struct sched_entity *best = runqueue_best(rq);
    entity->urgent = is_urgent(entity);
    if (spent && !entity->urgent)
        runqueue_sleep(rq, step_down(hart), ENTITY_THROTTLED, entity->deadline);
    else if (best && (over || runqueue_before(best, entity)))
        runqueue_add(rq, step_down(hart), now, !over);
    entity->in_turn &= !over;
    hart->turn_over |= over;
}

/* Moves an entity that does not run; both locks are held. */
static void move(struct sched_entity *entity, struct hart *from, struct hart *to, uint64_t now)
{
    uint64_t since = entity->ready_since;
    bool timed = entity->in_timers;
    uint64_t when = entity->node.key;
    if (entity->state == ENTITY_READY)
        runqueue_remove(&from->rq, entity);
    else if (timed)
        heap_remove(&from->rq.timers, &entity->node);
    from->rq.entities--;
    from->rq.reserved_ppm -= entity->reserved_ppm;
    to->rq.entities++;
    to->rq.reserved_ppm += entity->reserved_ppm;
    entity->arrived = now;
    atomic_store(&entity->home, to->index);
    if (entity->state == ENTITY_READY) {
        runqueue_add_since(&to->rq, entity, since);
    } else if (timed) {
        runqueue_sleep(&to->rq, entity, entity->state, when);
    }
}

/* Somebody that waits in another hart's queue and may run here. No reservation moves: the bandwidth
 * was given on its hart. A look at a few is enough; the next idle turn looks again. */
#define STEAL_LOOKS 16

static struct sched_entity *find_work(const struct hart *victim, const struct hart *thief)
{
    unsigned looks = 0;
    for (unsigned n = PRIORITY_MAX + 1; n-- > 0;) {
        for (struct sched_entity *entity = victim->rq.level[n].first; entity && looks < STEAL_LOOKS;
             entity = entity->next, looks++) {
            if (entity->allowed >> thief->index & 1 && victim->loaded != entity->vcpu)
                return entity;
        }
    }
    return NULL;
}

static bool steal(struct hart *hart)
{
    for (unsigned n = 1; n < hart_count; n++) {
        struct hart *victim = &harts[(hart->index + n) % hart_count];
        /* One that waits behind nobody is about to run where it is. */
        if (!atomic_load(&victim->rq.ready))
            continue;
        lock_both(hart, victim);
        struct sched_entity *entity = NULL;
        if (victim->rq.current && !atomic_load(&hart->rq.owner))
            entity = find_work(victim, hart);
        if (entity)
            move(entity, victim, hart, host_time());
        release_both(hart, victim);
        if (entity)
            return true;
    }
    return false;
}

/* Of those who wait for a turn at that priority and may go there: who has been here longest. */
static struct sched_entity *find_mover(const struct hart *from, const struct hart *to,
                                       unsigned priority)
{
    struct sched_entity *entity = from->rq.level[priority].first, *best = NULL;
    for (unsigned looks = 0; entity && looks < STEAL_LOOKS; entity = entity->next, looks++) {
        if (entity->allowed >> to->index & 1 && from->loaded != entity->vcpu &&
            (!best || entity->arrived < best->arrived))
            best = entity;
    }
    return best;
}

/* Where two vCPUs more take turns than elsewhere, one of them goes there. Where it is one more or
 * the same, they go or change places every few turns: nobody stays among the many, or on the
 * slower hart. */
#define ROTATE_TURNS 4

static void even_out(struct hart *hart)
{
    struct sched_entity *current = hart->rq.current, *mover = NULL, *other = NULL;
    hart->turn_over = false;
    if (!current || current->budget || hart_count < 2)
        return;
    struct hart *to = &harts[(hart->index + 1 + hart->look++ % (hart_count - 1)) % hart_count];
    unsigned here = runqueue_load(&hart->rq, current), there = runqueue_load(&to->rq, current);
    uint64_t now = host_time();
    if (here < there || (here < there + 2 && now < hart->rq.rotate_at))
        return;
    lock_both(hart, to);
    if (!atomic_load(&to->rq.owner))
        mover = find_mover(hart, to, current->priority);
    if (here == there && !(other = find_mover(to, hart, current->priority)))
        mover = NULL;
    if (mover) {
        move(mover, hart, to, now);
        announce(to, mover);
        if (other)
            move(other, to, hart, now);
        hart->rq.rotate_at = to->rq.rotate_at = now + ROTATE_TURNS * hart->rq.slice;
    }
    release_both(hart, to);
}

/* A pinned VM has this hart now: everybody else goes to the least crowded one that takes them. */
static struct hart *refuge(const struct sched_entity *entity)
{
    struct hart *best = NULL;
    for (unsigned n = 0; n < hart_count; n++) {
        struct hart *hart = &harts[n];
        if (entity->allowed >> n & 1 && !atomic_load(&hart->rq.owner) &&
            (!best || hart->rq.entities < best->rq.entities))
            best = hart;
    }
    return best;
}

static void evict(struct hart *hart)
{
    struct vm *owner = atomic_load(&hart->rq.owner);
    uint64_t now = host_time();
    lock_take(&hart->rq.lock);
    if (hart->rq.current && vm_of_vcpu(hart->rq.current->vcpu) != owner) {
        runqueue_charge(&hart->rq, hart->rq.current, now);
        runqueue_add(&hart->rq, step_down(hart), now, true);
    }
    if (hart->loaded && vm_of_vcpu(hart->loaded) != owner)
        unload(hart);
    lock_release(&hart->rq.lock);
    for (unsigned n = 0; n < vm_count; n++) {
        if (&vms[n] == owner)
            continue;
        for (unsigned id = 0; id < vm_vcpu_count(&vms[n]); id++) {
            struct sched_entity *entity = sched_entity(cald_vm_vcpu(vms[n].cald, id));
            if (atomic_load(&entity->home) != hart->index)
                continue;
            struct hart *to = refuge(entity);
            if (!to)
                continue; /* it has ended meanwhile, or sched_place() would have refused */
            lock_both(hart, to);
            if (atomic_load(&entity->home) == hart->index && entity->state != ENTITY_OFF)
                move(entity, hart, to, now);
            release_both(hart, to);
            sched_nudge(to);
        }
    }
}

static void decide(struct hart *hart)
{
    struct runqueue *rq = &hart->rq;
    atomic_store(&hart->resched, false);
    if (atomic_exchange(&hart->evict, 0))
        evict(hart);
    lock_take(&rq->lock);
    uint64_t now = host_time();
    runqueue_expire(rq, now);
    if (rq->current)
        review(hart, now);
    if (!rq->current)
        step_up(hart, now);
    runqueue_turn(rq, now);
    /* What was urgent ends with the turn. */
    if (rq->current && rq->current->urgent)
        atomic_store(&hart->resched, true);
    uint64_t bit = 1ULL << hart->index;
    if (rq->current || atomic_load(&rq->owner))
        atomic_fetch_and(&sched_idle, ~bit);
    else
        atomic_fetch_or(&sched_idle, bit);
    if (rq->ready)
        end_lone_waits();
    choose_wait(hart);
    hart_sched_deadline(hart, runqueue_deadline(rq));
    lock_release(&rq->lock);
    /* Its interrupt file left the hart while it slept, and had a message. */
    struct cald_vcpu *woken = hart->woken;
    hart->woken = NULL;
    if (woken)
        host_wake(woken);
}

struct cald_vcpu *sched_next(struct hart *hart)
{
    struct runqueue *rq = &hart->rq;
    if (rq->current && !atomic_load_explicit(&hart->resched, memory_order_acquire))
        return rq->current->vcpu;
    decide(hart);
    if (!rq->current && steal(hart))
        decide(hart);
    if (hart->turn_over)
        even_out(hart);
    return rq->current ? rq->current->vcpu : NULL;
}

static void sleep(struct cald_vcpu *vcpu, uint64_t until, bool off_hart,
                  bool (*stays)(const struct cald_vcpu *vcpu))
{
    struct sched_entity *entity = sched_entity(vcpu);
    struct hart *hart = &harts[atomic_load(&entity->home)]; /* running: it stays */
    struct runqueue *rq = &hart->rq;
    lock_take(&rq->lock);
    uint64_t now = host_time();
    if (entity->state != ENTITY_RUNNING) { /* its VM ended under it */
        lock_release(&rq->lock);
        return;
    }
    runqueue_charge(rq, entity, now);
    /* What comes after this look waits for the lock, and wakes it (host_wake()). */
    if ((stays && !stays(vcpu)) || until <= now) {
        lock_release(&rq->lock);
        return;
    }
    entity->urgent = false;
    entity->asleep_since = now;
    rq->current = NULL;
    if (off_hart)
        hart->loaded = NULL; /* its VM may end, and start on other harts */
    atomic_store(&hart->resched, true);
    runqueue_sleep(rq, entity, ENTITY_BLOCKED, until);
    lock_release(&rq->lock);
}

static bool nothing_came(const struct cald_vcpu *vcpu)
{
    return !cald_vcpu_pending(vcpu);
}

void sched_wait(struct cald_vcpu *vcpu, const struct cald_exit *exit)
{
    sleep(vcpu, exit->until, exit->off_hart, nothing_came);
}

void sched_stay(struct cald_vcpu *vcpu, bool (*stays)(const struct cald_vcpu *vcpu))
{
    sleep(vcpu, UINT64_MAX, true, stays);
}

void sched_yield(struct cald_vcpu *vcpu)
{
    struct hart *hart = &harts[atomic_load(&sched_entity(vcpu)->home)];
    if (hart->rq.slice_end != UINT64_MAX) {
        hart->rq.slice_end = 0;
        atomic_store(&hart->resched, true);
    }
}

void sched_timer(struct hart *hart, uint64_t now)
{
    if (hart->sched_deadline <= now)
        atomic_store(&hart->resched, true);
}

/* ---- Waking; on any hart --------------------------------------------------------------------- */

void host_wake(struct cald_vcpu *vcpu)
{
    struct sched_entity *entity = sched_entity(vcpu);
    bool urgent = is_urgent(entity);
    struct hart *hart = sched_lock_home(entity);
    struct runqueue *rq = &hart->rq;
    uint64_t now = host_time();
    switch (entity->state) {
    case ENTITY_OFF:
        break;
    case ENTITY_BLOCKED:
        entity->urgent = urgent;
        runqueue_wake(rq, entity, now);
        announce(hart, entity);
        break;
    case ENTITY_READY:
        if (!urgent || entity->urgent)
            break;
        runqueue_remove(rq, entity);
        entity->urgent = true;
        runqueue_add(rq, entity, now, false);
        announce(hart, entity);
        break;
    case ENTITY_THROTTLED:
        if (!urgent)
            break; /* its mail waits for it */
        entity->urgent = true;
        heap_remove(&rq->timers, &entity->node);
        entity->in_timers = false;
        runqueue_add(rq, entity, now, false);
        announce(hart, entity);
        break;
    case ENTITY_RUNNING:
        hart_kick(hart);
        break;
    }
    lock_release(&rq->lock);
}
