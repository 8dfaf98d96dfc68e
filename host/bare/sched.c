/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/sched.h"

#include "core/print.h"
#include "core/sbi/sbi.h"
#include "host/host.h"

_Atomic uint64_t sched_idle;

static bool is_urgent(const struct seat *seat)
{
    return atomic_load(&seat->vcpu->vm->wish) != VM_WISH_NONE;
}

/* Has the hart look at its queue soon. */
static void nudge(struct hart *hart)
{
    atomic_store(&hart->resched, true);
    hart_kick(hart);
}

/* A seat's home may change until its queue's lock is held. */
static struct hart *lock_home(struct seat *seat)
{
    for (;;) {
        struct hart *hart = &harts[atomic_load(&seat->home)];
        lock_take(&hart->rq.lock);
        if (atomic_load(&seat->home) == hart->index)
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

/* A seat has come into the queue: does its hart, or an idle one, have to look? */
static void announce(struct hart *hart, const struct seat *seat)
{
    const struct runqueue *rq = &hart->rq;
    const struct seat *current = rq->current;
    if (seat->state != SEAT_READY)
        return;
    if (!current || runqueue_before(seat, current)) {
        nudge(hart);
        return;
    }
    if (rq->slice_end == UINT64_MAX && runqueue_has_equal(rq, current))
        nudge(hart);
    uint64_t idle = atomic_load(&sched_idle) & seat->allowed;
    if (idle && !seat->budget && !atomic_load(&rq->owner) && hart->loaded != seat->vcpu)
        nudge(&harts[__builtin_ctzll(idle)]);
}

/* ---- Taking turns; on the hart itself, its lock held ----------------------------------------- */

/* What the hart holds of a vCPU goes back into its struct, so that it may run elsewhere. */
static void unload(struct hart *hart)
{
    struct vcpu *vcpu = hart->loaded;
    if (vcpu && vcpu->eng.loaded)
        vcpu_put(vcpu);
    if (vcpu && atomic_load(&vcpu->mailbox) & MAIL_EXTERNAL)
        hart->woken = vcpu;
    hart->loaded = NULL;
}

/* Takes the running vCPU off; the caller puts its seat somewhere. */
static struct seat *step_down(struct hart *hart)
{
    struct seat *seat = hart->rq.current;
    hart->rq.current = NULL;
    hart->rq.slice_end = UINT64_MAX;
    vcpu_enter_mode(seat->vcpu, VCPU_AWAY);
    unload(hart);
    return seat;
}

static void step_up(struct hart *hart, uint64_t now)
{
    struct runqueue *rq = &hart->rq;
    struct seat *seat = runqueue_best(rq);
    if (!seat)
        return;
    struct vcpu *vcpu = seat->vcpu;
    runqueue_remove(rq, seat);
    if (hart->loaded != vcpu)
        unload(hart);
    hart->loaded = vcpu;
    atomic_store(&vcpu->hart, hart->index);
    vcpu->eng.hart = hart->index;
    vcpu->eng.attention = &hart->resched;
    rq->current = seat;
    rq->slice_end = UINT64_MAX;
    seat->state = SEAT_RUNNING;
    seat->charged = now;
    seat->switches++;
    if (now > seat->ready_since) {
        seat->steal += now - seat->ready_since;
        vcpu->steal_ticks = seat->steal;
        sbi_sta_update(vcpu);
    }
    vcpu_enter_mode(vcpu, VCPU_HOST);
}

/* Whether the running one has to go, and where to. */
static void review(struct hart *hart, uint64_t now)
{
    struct runqueue *rq = &hart->rq;
    struct seat *seat = rq->current;
    bool spent = runqueue_charge(rq, seat, now), over = now >= rq->slice_end;
    struct seat *best = runqueue_best(rq);
    seat->urgent = is_urgent(seat);
    if (spent && !seat->urgent)
        runqueue_sleep(rq, step_down(hart), SEAT_THROTTLED, seat->deadline);
    else if (best && (over || runqueue_before(best, seat)))
        runqueue_add(rq, step_down(hart), now, !over);
    seat->in_turn &= !over;
    hart->turn_over |= over;
}

/* Moves a seat that does not run; both locks are held. */
static void move(struct seat *seat, struct hart *from, struct hart *to, uint64_t now)
{
    uint64_t since = seat->ready_since;
    bool timed = seat->in_timers;
    uint64_t when = seat->node.key;
    if (seat->state == SEAT_READY)
        runqueue_remove(&from->rq, seat);
    else if (timed)
        heap_remove(&from->rq.timers, &seat->node);
    from->rq.seats--;
    from->rq.reserved_ppm -= seat->reserved_ppm;
    to->rq.seats++;
    to->rq.reserved_ppm += seat->reserved_ppm;
    seat->arrived = now;
    atomic_store(&seat->home, to->index);
    if (seat->state == SEAT_READY) {
        runqueue_add_since(&to->rq, seat, since);
    } else if (timed) {
        runqueue_sleep(&to->rq, seat, seat->state, when);
    }
}

/* Somebody that waits in another hart's queue and may run here. No reservation moves: the bandwidth
 * was given on its hart. A look at a few is enough; the next idle turn looks again. */
#define STEAL_LOOKS 16

static struct seat *find_work(const struct hart *victim, const struct hart *thief)
{
    unsigned looks = 0;
    for (unsigned n = PRIORITY_MAX + 1; n-- > 0;) {
        for (struct seat *seat = victim->rq.level[n].first; seat && looks < STEAL_LOOKS;
             seat = seat->next, looks++) {
            if (seat->allowed >> thief->index & 1 && victim->loaded != seat->vcpu)
                return seat;
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
        struct seat *seat = NULL;
        if (victim->rq.current && !atomic_load(&hart->rq.owner))
            seat = find_work(victim, hart);
        if (seat)
            move(seat, victim, hart, host_time());
        release_both(hart, victim);
        if (seat)
            return true;
    }
    return false;
}

/* Of those who wait for a turn at that priority and may go there: who has been here longest. */
static struct seat *find_mover(const struct hart *from, const struct hart *to, unsigned priority)
{
    struct seat *seat = from->rq.level[priority].first, *best = NULL;
    for (unsigned looks = 0; seat && looks < STEAL_LOOKS; seat = seat->next, looks++) {
        if (seat->allowed >> to->index & 1 && from->loaded != seat->vcpu &&
            (!best || seat->arrived < best->arrived))
            best = seat;
    }
    return best;
}

/* Where two vCPUs more take turns than elsewhere, one of them goes there. Where it is one more or
 * the same, they go or change places every few turns: nobody stays among the many, or on the
 * slower hart. */
#define ROTATE_TURNS 4

static void even_out(struct hart *hart)
{
    struct seat *current = hart->rq.current, *mover = NULL, *other = NULL;
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
static struct hart *refuge(const struct seat *seat)
{
    struct hart *best = NULL;
    for (unsigned n = 0; n < hart_count; n++) {
        struct hart *hart = &harts[n];
        if (seat->allowed >> n & 1 && !atomic_load(&hart->rq.owner) &&
            (!best || hart->rq.seats < best->rq.seats))
            best = hart;
    }
    return best;
}

static void evict(struct hart *hart)
{
    struct vm *owner = atomic_load(&hart->rq.owner);
    uint64_t now = host_time();
    lock_take(&hart->rq.lock);
    if (hart->rq.current && hart->rq.current->vcpu->vm != owner) {
        runqueue_charge(&hart->rq, hart->rq.current, now);
        runqueue_add(&hart->rq, step_down(hart), now, true);
    }
    if (hart->loaded && hart->loaded->vm != owner)
        unload(hart);
    lock_release(&hart->rq.lock);
    for (unsigned n = 0; n < vm_count; n++) {
        if (&vms[n] == owner)
            continue;
        for (unsigned id = 0; id < vms[n].vcpu_count; id++) {
            struct seat *seat = sched_seat(&vms[n].vcpus[id]);
            if (atomic_load(&seat->home) != hart->index)
                continue;
            struct hart *to = refuge(seat);
            if (!to)
                continue; /* it has ended meanwhile, or sched_place() would have refused */
            lock_both(hart, to);
            if (atomic_load(&seat->home) == hart->index && seat->state != SEAT_OFF)
                move(seat, hart, to, now);
            release_both(hart, to);
            nudge(to);
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
    hart_sched_deadline(hart, runqueue_deadline(rq));
    lock_release(&rq->lock);
    /* Its interrupt file left the hart while it slept, and had a message. */
    struct vcpu *woken = hart->woken;
    hart->woken = NULL;
    if (woken && atomic_load(&woken->mode) == VCPU_BLOCKED)
        host_wake(woken);
}

struct vcpu *sched_next(struct hart *hart)
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

void sched_sleep(struct vcpu *vcpu, uint32_t wake_bits, uint64_t until, enum vcpu_mode mode)
{
    struct seat *seat = sched_seat(vcpu);
    struct hart *hart = &harts[atomic_load(&seat->home)]; /* running: it stays */
    struct runqueue *rq = &hart->rq;
    lock_take(&rq->lock);
    uint64_t now = host_time();
    if (seat->state != SEAT_RUNNING) { /* its VM ended under it */
        lock_release(&rq->lock);
        return;
    }
    runqueue_charge(rq, seat, now);
    /* The mode first, then the mailbox: mail that comes later finds the mode and waits for the lock
     * (core/mail.c tells the protocol). */
    vcpu_enter_mode(vcpu, mode);
    if (atomic_load(&vcpu->mailbox) & wake_bits || until <= now) {
        vcpu_enter_mode(vcpu, VCPU_HOST);
        lock_release(&rq->lock);
        return;
    }
    seat->urgent = false;
    seat->slept_since = now;
    rq->current = NULL;
    atomic_store(&hart->resched, true);
    runqueue_sleep(rq, seat, SEAT_BLOCKED, until);
    lock_release(&rq->lock);
}

void sched_yield(struct vcpu *vcpu)
{
    struct hart *hart = &harts[atomic_load(&sched_seat(vcpu)->home)];
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

void host_wake(struct vcpu *vcpu)
{
    struct seat *seat = sched_seat(vcpu);
    bool urgent = is_urgent(seat);
    struct hart *hart = lock_home(seat);
    struct runqueue *rq = &hart->rq;
    uint64_t now = host_time();
    switch (seat->state) {
    case SEAT_OFF:
        break;
    case SEAT_BLOCKED:
        seat->urgent = urgent;
        vcpu->ticks_idle += now - seat->slept_since;
        runqueue_wake(rq, seat, now);
        announce(hart, seat);
        break;
    case SEAT_READY:
        if (!urgent || seat->urgent)
            break;
        runqueue_remove(rq, seat);
        seat->urgent = true;
        runqueue_add(rq, seat, now, false);
        announce(hart, seat);
        break;
    case SEAT_THROTTLED:
        if (!urgent)
            break; /* its mail waits for it */
        seat->urgent = true;
        heap_remove(&rq->timers, &seat->node);
        seat->in_timers = false;
        runqueue_add(rq, seat, now, false);
        announce(hart, seat);
        break;
    case SEAT_RUNNING:
        hart_kick(hart);
        break;
    }
    lock_release(&rq->lock);
}

/* ---- A VM's place ---------------------------------------------------------------------------- */

static struct hart *hart_by_id(uint64_t id)
{
    for (unsigned n = 0; n < hart_count; n++) {
        if (harts[n].board->id == id)
            return &harts[n];
    }
    return NULL;
}

static uint64_t harts_of(uint64_t mask, bool owned_too)
{
    for (unsigned n = 0; n < hart_count; n++) {
        if (!owned_too && atomic_load(&harts[n].rq.owner))
            mask &= ~(1ULL << n);
    }
    return mask;
}

/* `harts` of the bundle as a mask; 0 after one line. */
static uint64_t allowed_harts(const struct vm_config *config)
{
    uint64_t mask = 0;
    if (!config->hart_count)
        return hart_count == 64 ? UINT64_MAX : (1ULL << hart_count) - 1;
    for (unsigned n = 0; n < config->hart_count; n++) {
        const struct hart *hart = hart_by_id(config->harts[n]);
        if (!hart) {
            vm_error(config->name, "property harts: the machine has no usable hart %lu",
                     config->harts[n]);
            return 0;
        }
        mask |= 1ULL << hart->index;
    }
    return mask;
}

/* Could everybody who shares harts now live without those in `taken`? Names who could not. */
static bool others_can_go(const struct vm *vm, uint64_t taken)
{
    for (unsigned n = 0; n < vm_count; n++) {
        const struct vm *other = &vms[n];
        if (other == vm || other->config->schedule != SCHEDULE_SHARED || !other->vcpus ||
            sched_seat(&other->vcpus[0])->state == SEAT_OFF)
            continue;
        uint64_t left = harts_of(sched_seat(&other->vcpus[0])->allowed, false) & ~taken;
        if (!left || other->config->budget_us) {
            bool there = false;
            for (unsigned id = 0; id < other->vcpu_count; id++)
                there |= taken >> atomic_load(&sched_seat(&other->vcpus[id])->home) & 1;
            if (!left || there) {
                vm_error(vm->config->name,
                         "property harts: VM %s is on them and can't go elsewhere",
                         other->config->name);
                return false;
            }
        }
    }
    return true;
}

static void take_seat(struct vcpu *vcpu, struct hart *hart, uint64_t allowed)
{
    const struct vm_config *config = vcpu->vm->config;
    struct seat *seat = sched_seat(vcpu);
    seat->allowed = allowed;
    seat->urgent = seat->in_timers = false;
    seat->budget = seat->budget_left = seat->deadline = 0;
    seat->steal = seat->switches = 0;
    seat->credit = 0;
    seat->in_turn = false;
    seat->slept_since = seat->arrived = host_time();
    seat->priority = config->priority;
    seat->budget = host_timebase() * config->budget_us / 1000000;
    seat->period = host_timebase() * config->period_us / 1000000;
    seat->reserved_ppm = config->budget_us ? config->budget_us * 1000000UL / config->period_us : 0;
    vcpu->eng.trap_wfi = config->schedule == SCHEDULE_SHARED;
    atomic_store(&vcpu->hart, hart->index);
    lock_take(&hart->rq.lock);
    atomic_store(&seat->home, hart->index);
    seat->state = SEAT_BLOCKED;
    hart->rq.seats++;
    hart->rq.reserved_ppm += seat->reserved_ppm;
    lock_release(&hart->rq.lock);
}

static bool place_pinned(struct vm *vm)
{
    const struct vm_config *config = vm->config;
    struct hart *chosen[VM_MAX_VCPUS];
    uint64_t taken = 0;
    for (unsigned n = 0; n < config->vcpus; n++) {
        struct hart *hart = chosen[n] = hart_by_id(config->harts[n]);
        if (!hart)
            return false; /* allowed_harts() has said so */
        const struct vm *owner = atomic_load(&hart->rq.owner);
        if (owner) {
            vm_error(config->name, "property harts: hart %lu is taken by VM %s", config->harts[n],
                     owner->config->name);
            return false;
        }
        taken |= 1ULL << hart->index;
    }
    if (!others_can_go(vm, taken))
        return false;
    for (unsigned n = 0; n < config->vcpus; n++) {
        atomic_store(&chosen[n]->rq.owner, vm);
        atomic_store(&chosen[n]->evict, 1);
        nudge(chosen[n]);
        take_seat(&vm->vcpus[n], chosen[n], 1ULL << chosen[n]->index);
    }
    return true;
}

/* The least crowded hart of the mask that has room for the reservation. given[n]: how many of the
 * VM's vCPUs go to hart n already. */
static struct hart *least_crowded(uint64_t mask, uint64_t ppm, const uint8_t *given)
{
    struct hart *best = NULL;
    for (; mask; mask &= mask - 1) {
        struct hart *hart = &harts[__builtin_ctzll(mask)];
        if (hart->rq.reserved_ppm + (given[hart->index] + 1) * ppm <= 1000000 &&
            (!best || hart->rq.seats < best->rq.seats))
            best = hart;
    }
    return best;
}

/* Each vCPU on a hart that none of its VM's others has, as long as there is one; then once more
 * around. */
static bool place_shared(struct vm *vm, uint64_t allowed)
{
    const struct vm_config *config = vm->config;
    uint64_t open = harts_of(allowed, false), left = open;
    uint64_t ppm = config->budget_us ? config->budget_us * 1000000UL / config->period_us : 0;
    uint8_t given[BOARD_HARTS] = {0};
    struct hart *chosen[VM_MAX_VCPUS];
    if (!open) {
        vm_error(config->name, "property harts: pinned VMs have all of them");
        return false;
    }
    for (unsigned n = 0; n < config->vcpus; n++) {
        chosen[n] = least_crowded(left, ppm, given);
        if (!chosen[n]) {
            left = open;
            chosen[n] = least_crowded(left, ppm, given);
        }
        if (!chosen[n]) {
            vm_error(config->name,
                     "property budget-us: the harts it may run on have given away too "
                     "much already to give %lu %% of one more",
                     ppm / 10000);
            return false;
        }
        given[chosen[n]->index]++;
        left &= ~(1ULL << chosen[n]->index);
    }
    for (unsigned n = 0; n < config->vcpus; n++)
        take_seat(&vm->vcpus[n], chosen[n], allowed);
    return true;
}

bool sched_place(struct vm *vm)
{
    uint64_t allowed = allowed_harts(vm->config);
    if (!allowed)
        return false;
    return vm->config->schedule == SCHEDULE_PINNED ? place_pinned(vm) : place_shared(vm, allowed);
}

void sched_remove(struct vm *vm)
{
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct seat *seat = sched_seat(&vm->vcpus[n]);
        struct hart *hart = lock_home(seat);
        struct runqueue *rq = &hart->rq;
        if (seat->state == SEAT_READY)
            runqueue_remove(rq, seat);
        if (seat->in_timers)
            heap_remove(&rq->timers, &seat->node);
        seat->in_timers = false;
        if (rq->current == seat)
            rq->current = NULL;
        seat->state = SEAT_OFF;
        rq->seats--;
        rq->reserved_ppm -= seat->reserved_ppm;
        if (atomic_load(&rq->owner) == vm)
            atomic_store(&rq->owner, NULL);
        lock_release(&rq->lock);
    }
}

bool sched_change(struct vm *vm, unsigned priority, uint64_t budget, uint64_t period)
{
    uint64_t ppm = budget ? (uint64_t)((unsigned __int128)budget * 1000000 / period) : 0;
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct seat *seat = sched_seat(&vm->vcpus[n]);
        struct hart *hart = lock_home(seat);
        bool fits = hart->rq.reserved_ppm - seat->reserved_ppm + ppm <= 1000000;
        if (fits && seat->state != SEAT_OFF) {
            bool ready = seat->state == SEAT_READY;
            uint64_t since = seat->ready_since, now = host_time();
            if (ready)
                runqueue_remove(&hart->rq, seat);
            hart->rq.reserved_ppm += ppm - seat->reserved_ppm;
            seat->reserved_ppm = ppm;
            seat->priority = priority;
            seat->budget = seat->budget_left = budget;
            seat->period = period;
            seat->deadline = now + period;
            if (seat->state == SEAT_THROTTLED) {
                heap_remove(&hart->rq.timers, &seat->node);
                seat->in_timers = false;
                ready = true;
            }
            if (ready) {
                runqueue_add(&hart->rq, seat, now, false);
                seat->ready_since = since;
            }
            nudge(hart);
        }
        lock_release(&hart->rq.lock);
        if (!fits)
            return false;
    }
    return true;
}
