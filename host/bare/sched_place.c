/* SPDX-License-Identifier: BSD-2-Clause */
/* Which harts a VM has, and what share of them: when it starts, ends or is given another. */
#include "appliance/print.h"
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
        if (other == vm || other->config->schedule != SCHEDULE_SHARED || !other->cald ||
            sched_entity(cald_vm_vcpu(other->cald, 0))->state == ENTITY_OFF)
            continue;
        uint64_t left = without_owned(sched_entity(cald_vm_vcpu(other->cald, 0))->allowed) & ~taken;
        if (!left || other->config->budget_us) {
            bool there = false;
            for (unsigned id = 0; id < vm_vcpu_count(other); id++)
                there |=
                    taken >> atomic_load(&sched_entity(cald_vm_vcpu(other->cald, id))->home) & 1;
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

static void place_entity(struct cald_vcpu *vcpu, struct hart *hart, uint64_t allowed)
{
    const struct vm_config *config = vm_of_vcpu(vcpu)->config;
    struct sched_entity *entity = sched_entity(vcpu);
    entity->allowed = allowed;
    entity->urgent = entity->in_timers = false;
    entity->budget = entity->budget_left = entity->deadline = 0;
    entity->steal = entity->switches = entity->idle = entity->asleep_since = 0;
    entity->credit = 0;
    entity->in_turn = false;
    entity->arrived = host_time();
    entity->priority = config->priority;
    entity->budget = host_timebase() * config->budget_us / 1000000;
    entity->period = host_timebase() * config->period_us / 1000000;
    entity->reserved_ppm =
        config->budget_us ? config->budget_us * 1000000UL / config->period_us : 0;
    lock_take(&hart->rq.lock);
    atomic_store(&entity->home, hart->index);
    entity->state = ENTITY_BLOCKED;
    hart->rq.entities++;
    hart->rq.reserved_ppm += entity->reserved_ppm;
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
        place_entity(cald_vm_vcpu(vm->cald, n), chosen[n], 1ULL << chosen[n]->index);
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
            (!best || hart->rq.entities < best->rq.entities))
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
        place_entity(cald_vm_vcpu(vm->cald, n), chosen[n], allowed);
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
    for (unsigned n = 0; n < vm_vcpu_count(vm); n++) {
        struct sched_entity *entity = sched_entity(cald_vm_vcpu(vm->cald, n));
        struct hart *hart = sched_lock_home(entity);
        struct runqueue *rq = &hart->rq;
        if (entity->state == ENTITY_READY)
            runqueue_remove(rq, entity);
        if (entity->in_timers)
            heap_remove(&rq->timers, &entity->node);
        entity->in_timers = false;
        if (rq->current == entity)
            rq->current = NULL;
        if (hart->loaded == entity->vcpu)
            hart->loaded = NULL; /* the leader's, on its hart: the others sleep, off theirs */
        entity->state = ENTITY_OFF;
        rq->entities--;
        rq->reserved_ppm -= entity->reserved_ppm;
        if (atomic_load(&rq->owner) == vm)
            atomic_store(&rq->owner, NULL);
        lock_release(&rq->lock);
    }
}

/* All queues' locks, in the order in which sched.c takes two of them: no vCPU changes its home. */
static void lock_all(void)
{
    for (unsigned n = 0; n < hart_count; n++)
        lock_take(&harts[n].rq.lock);
}

static void release_all(void)
{
    for (unsigned n = 0; n < hart_count; n++)
        lock_release(&harts[n].rq.lock);
}

/* Would each hart still give away no more than all of itself, if the VM's vCPUs had `ppm` each? */
static bool share_fits(const struct vm *vm, uint64_t ppm)
{
    for (unsigned n = 0; n < hart_count; n++) {
        uint64_t reserved = harts[n].rq.reserved_ppm;
        for (unsigned id = 0; id < vm_vcpu_count(vm); id++) {
            const struct sched_entity *entity = sched_entity(cald_vm_vcpu(vm->cald, id));
            if (entity->state != ENTITY_OFF && atomic_load(&entity->home) == n)
                reserved += ppm - entity->reserved_ppm;
        }
        if (reserved > 1000000)
            return false;
    }
    return true;
}

/* One that is ready keeps its place in time, one that has used up its budget has a new one. */
static void change_share(struct sched_entity *entity, const struct sched_share *share, uint64_t ppm)
{
    struct hart *hart = &harts[atomic_load(&entity->home)];
    bool ready = entity->state == ENTITY_READY;
    uint64_t since = entity->ready_since, now = host_time();
    if (ready)
        runqueue_remove(&hart->rq, entity);
    hart->rq.reserved_ppm += ppm - entity->reserved_ppm;
    entity->reserved_ppm = ppm;
    entity->priority = share->priority;
    entity->budget = entity->budget_left = share->budget;
    entity->period = share->period;
    entity->deadline = now + share->period;
    if (entity->state == ENTITY_THROTTLED) {
        heap_remove(&hart->rq.timers, &entity->node);
        entity->in_timers = false;
        ready = true;
    }
    if (ready) {
        runqueue_add(&hart->rq, entity, now, false);
        entity->ready_since = since;
    }
    sched_nudge(hart);
}

bool sched_change(struct vm *vm, const struct sched_share *share)
{
    uint64_t ppm = 0;
    if (share->budget)
        ppm = (uint64_t)((unsigned __int128)share->budget * 1000000 / share->period);
    lock_all();
    bool fits = share_fits(vm, ppm);
    for (unsigned n = 0; fits && n < vm_vcpu_count(vm); n++) {
        struct sched_entity *entity = sched_entity(cald_vm_vcpu(vm->cald, n));
        if (entity->state != ENTITY_OFF)
            change_share(entity, share, ppm);
    }
    release_all();
    return fits;
}
