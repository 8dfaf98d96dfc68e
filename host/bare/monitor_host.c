/* SPDX-License-Identifier: BSD-2-Clause */
/* What the monitor's commands ask of the bare machine. */
#include "appliance/monitor/monitor.h"
#include "appliance/monitor/show.h"

#include <stdio.h>

#include "host/bare/hart.h"
#include "host/bare/machine.h"
#include "host/bare/paging.h"
#include "host/bare/sched.h"
#include "host/bare/vms.h"
#include "host/host.h"

uint64_t monitor_host_hart_id(unsigned index)
{
    return harts[index].board->id;
}

void monitor_host_harts(void)
{
    monitor_print("%-8s %s", "hart id", "runs");
    for (unsigned n = 0; n < hart_count; n++) {
        struct runqueue *rq = &harts[n].rq;
        const char *console = n == console_hart ? "; console" : "";
        char runs[60] = "idle", rest[60] = "";
        lock_take(&rq->lock); /* the current one may end while its name is read */
        if (rq->current)
            snprintf(runs, sizeof(runs), "vm %s, vCPU %u",
                     vm_of_vcpu(rq->current->vcpu)->config->name, cald_vcpu_id(rq->current->vcpu));
        if (atomic_load(&rq->owner))
            snprintf(rest, sizeof(rest), "; kept for %s", atomic_load(&rq->owner)->config->name);
        else if (rq->entities)
            snprintf(rest, sizeof(rest), "; %u assigned, %u runnable", rq->entities,
                     atomic_load(&rq->ready));
        lock_release(&rq->lock);
        monitor_print("%-8lu %s%s%s", harts[n].board->id, runs, rest, console);
    }
    show_since_boot(host_time());
}

void monitor_host_memory(void)
{
    monitor_print("for VMs    %lu KiB", host_pages_total() >> 10);
    monitor_print("free       %lu KiB", host_pages_available() >> 10);
    monitor_print("a vCPU     %lu bytes, and %lu for its vector registers", cald_vcpu_bytes(),
                  32 * machine_vlenb);
    monitor_print("image      %lu KiB at %#lx", image_size() >> 10, image_pa());
}

void monitor_host_poweroff(void)
{
    machine_poweroff();
}

unsigned monitor_host_home(const struct cald_vcpu *vcpu)
{
    return atomic_load(&sched_entity(vcpu)->home);
}

/* With the time that one has slept by now. */
uint64_t monitor_host_idle(const struct cald_vcpu *vcpu)
{
    const struct sched_entity *entity = sched_entity(vcpu);
    uint64_t since = __atomic_load_n(&entity->asleep_since, __ATOMIC_RELAXED), now = host_time();
    uint64_t idle = __atomic_load_n(&entity->idle, __ATOMIC_RELAXED);
    return idle + (since && since < now ? now - since : 0);
}

uint64_t monitor_host_hart_idle(unsigned index)
{
    uint64_t since = atomic_load(&harts[index].idle_since), now = host_time();
    return atomic_load(&harts[index].idle_ticks) + (since && now > since ? now - since : 0);
}

void monitor_host_tick(bool on)
{
    struct hart *hart = &harts[console_hart];
    atomic_store(&hart->tick, on);
    sched_account_waits(on);
    if (on)
        host_watch(); /* its timer is its own to program */
}

bool monitor_host_share(const struct vm *vm, struct monitor_share *share)
{
    const struct sched_entity *entity = sched_entity(cald_vm_vcpu(vm->cald, 0));
    uint64_t hz = host_timebase();
    if (vm->config->schedule == SCHEDULE_PINNED)
        return false;
    share->priority = entity->priority;
    share->budget_us = (unsigned)(entity->budget * 1000000 / hz);
    share->period_us = (unsigned)(entity->period * 1000000 / hz);
    return true;
}

bool monitor_host_change(struct vm *vm, const struct monitor_share *share)
{
    uint64_t hz = host_timebase();
    return sched_change(vm, &(struct sched_share){.priority = share->priority,
                                                  .budget = hz * share->budget_us / 1000000,
                                                  .period = hz * share->period_us / 1000000});
}

int monitor_host_start(struct vm *vm)
{
    return vms_start(vm);
}

int monitor_host_start_from(struct vm *vm, struct vm *from)
{
    return vms_start_from(vm, from);
}
