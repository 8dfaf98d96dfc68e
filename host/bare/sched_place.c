/* SPDX-License-Identifier: BSD-2-Clause */
/* Which harts a VM has, and what share of them: when it starts, ends or is given another. */
#include "core/print.h"
#include "host/bare/sched.h"
#include "host/host.h"

static struct hart *hart_by_id(uint64_t id)
{
    for (unsigned n = 0; n < hart_count; n++) {
        if (harts[n].board->id == id)
            return &harts[n];
    }
    return NULL;
}

/* Those of the mask that no pinned VM has. */
static uint64_t without_owned(uint64_t mask)
{
    for (unsigned n = 0; n < hart_count; n++) {
        if (atomic_load(&harts[n].rq.owner))
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
        uint64_t left = without_owned(sched_seat(&other->vcpus[0])->allowed) & ~taken;
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
    seat->arrived = host_time();
    seat->priority = config->priority;
    seat->budget = host_timebase() * config->budget_us / 1000000;
    seat->period = host_timebase() * config->period_us / 1000000;
    seat->reserved_ppm = config->budget_us ? config->budget_us * 1000000UL / config->period_us : 0;
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
        sched_nudge(chosen[n]);
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
    uint64_t open = without_owned(allowed), left = open;
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
        struct hart *hart = sched_lock_home(seat);
        struct runqueue *rq = &hart->rq;
        if (seat->state == SEAT_READY)
            runqueue_remove(rq, seat);
        if (seat->in_timers)
            heap_remove(&rq->timers, &seat->node);
        seat->in_timers = false;
        if (rq->current == seat)
            rq->current = NULL;
        if (hart->loaded == seat->vcpu)
            hart->loaded = NULL; /* the keeper's, on its hart: the others sleep, put away */
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
        struct hart *hart = sched_lock_home(seat);
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
            sched_nudge(hart);
        }
        lock_release(&hart->rq.lock);
        if (!fits)
            return false;
    }
    return true;
}
