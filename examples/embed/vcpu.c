/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU in a task of its own: runs, and does what the run ended for. */
#include "guest.h"

#define SBI_NOT_SUPPORTED (-2)

void guest_ends(struct guest *guest, enum guest_end end)
{
    enum guest_end runs = GUEST_RUNS;
    if (atomic_compare_exchange_strong(&guest->end, &runs, end)) /* the first one says how */
        task_wake(guest->keeper);
}

/* Our own device: reads tell how often the tickers have ticked, a store is shown. It is no region
 * of the library's (cald_vm_region() would make it one), so accesses end the run. */
static bool counter_access(struct guest *guest, const struct cald_exit *exit, uint64_t *value)
{
    if (exit->gpa != GUEST_COUNTER || exit->width < 4)
        return false;
    if (exit->write)
        print("vm %s: stored %#lx in the counter", guest->name, exit->value);
    *value = atomic_load(&ticks_of_all);
    return true;
}

static void mmio(struct guest_vcpu *v, const struct cald_exit *exit)
{
    uint64_t value = 0;
    bool good = counter_access(v->guest, exit, &value);
    cald_vcpu_complete(v->vcpu, good ? CALD_OK : CALD_EFAULT, value);
}

/* What wakes it may come before it sleeps: then host_wake() has left a mark on the task, or the
 * library says so. */
static void wait(struct guest_vcpu *v, uint64_t until)
{
    if (!cald_vcpu_pending(v->vcpu))
        task_wait(until);
}

static void handle(struct guest_vcpu *v, enum cald_why why, const struct cald_exit *exit)
{
    switch (why) {
    case CALD_AGAIN:
    case CALD_REQUEST: /* guest->end says what it was for */
    case CALD_SUSPEND: /* its next runs wait */
        return;
    case CALD_WAIT:
        wait(v, exit->until);
        return;
    case CALD_YIELD:
        task_yield();
        return;
    case CALD_MMIO:
        mmio(v, exit);
        return;
    case CALD_SBI: /* we have no extension of our own */
        cald_vcpu_complete(v->vcpu, SBI_NOT_SUPPORTED, 0);
        return;
    case CALD_CSR_ACCESS: /* nor a register: an illegal instruction */
        cald_vcpu_complete(v->vcpu, CALD_ENOENT, 0);
        return;
    case CALD_PAGE:
        v->pages++;
        if (!guest_page_get(v->guest, exit->gpa)) {
            print("vm %s: no memory is left for it", v->guest->name);
            guest_ends(v->guest, GUEST_FAULT);
        }
        return;
    case CALD_OFF:
        guest_ends(v->guest, GUEST_OFF);
        return;
    case CALD_RESET:
        guest_ends(v->guest, GUEST_RESET);
        return;
    case CALD_FAULT:
        print("vm %s: %s", v->guest->name, exit->text);
        guest_ends(v->guest, GUEST_FAULT);
        return;
    case CALD_BREAKPOINT: /* never asked for */
        return;
    }
}

/* A hart has one vCPU at a time; it stays there while other tasks only tick. One that waits goes on
 * waiting: what comes for it wakes it all the same. */
static void load(struct hart *hart, struct guest_vcpu *v)
{
    struct guest_vcpu *other = hart->vcpu;
    if (other && other != v)
        cald_vcpu_put(other->vcpu);
    hart->vcpu = v;
}

void guest_vcpu_run(void *with)
{
    struct guest_vcpu *v = with;
    struct hart *hart = this_hart();
    struct cald_exit exit;
    while (atomic_load(&v->guest->end) == GUEST_RUNS) {
        uint64_t irq = irq_save();
        load(hart, v);
        enum cald_why why = cald_vcpu_run(v->vcpu, hart->index, &exit);
        irq_restore(irq); /* what interrupted the run is taken here */
        handle(v, why, &exit);
    }
    uint64_t irq = irq_save();
    cald_vcpu_put(v->vcpu);
    if (hart->vcpu == v)
        hart->vcpu = NULL;
    irq_restore(irq);
}

static struct guest_vcpu *mine(struct cald_vcpu *vcpu)
{
    return cald_vcpu_owner(vcpu);
}

static void on_alarm(struct task *task)
{
    struct guest_vcpu *v = task->with;
    cald_vcpu_timer(v->vcpu);
}

void host_timer_arm(struct cald_vcpu *vcpu, uint64_t deadline)
{
    struct task *task = mine(vcpu)->task;
    task->on_alarm = on_alarm;
    task_alarm(task, deadline);
}

void host_kick(struct cald_vcpu *vcpu)
{
    hart_interrupt(mine(vcpu)->task->hart);
}

void host_wake(struct cald_vcpu *vcpu)
{
    task_wake(mine(vcpu)->task);
}
