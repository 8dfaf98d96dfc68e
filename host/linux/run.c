/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* KVM_RUN: the library runs the vCPU on whatever hart its thread is, and says why it ended. */
#include <linux/kvm.h>

#include <asm/sbi.h>
#include <linux/bottom_half.h>
#include <linux/interrupt.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/uaccess.h>

#include "module.h"

#define SBI_NOT_SUPPORTED (-2)
#define SBI_LEGACY_LAST 8

static void guest_timer(struct guest_vcpu *v)
{
    LIBRARY_DO(cald_vcpu_timer(v->vcpu));
}

static enum hrtimer_restart on_timer(struct hrtimer *timer)
{
    guest_timer(container_of(timer, struct guest_vcpu, timer));
    return HRTIMER_NORESTART;
}

static void on_arm(struct irq_work *work)
{
    struct guest_vcpu *v = container_of(work, struct guest_vcpu, arm);
    u64 deadline = READ_ONCE(v->deadline), now = get_cycles64();
    if (deadline != UINT64_MAX)
        hrtimer_start(&v->timer,
                      ktime_add_ns(ktime_get(), deadline > now ? host_ns(deadline - now) : 0),
                      HRTIMER_MODE_ABS_PINNED_HARD);
}

static void on_wake(struct irq_work *work)
{
    struct guest_vcpu *v = container_of(work, struct guest_vcpu, wake);
    rcuwait_wake_up(&v->wait);
}

static enum hrtimer_restart on_sleep(struct hrtimer *timer)
{
    struct guest_vcpu *v = container_of(timer, struct guest_vcpu, sleep);
    guest_timer(v);
    WRITE_ONCE(v->woken, true);
    rcuwait_wake_up(&v->wait);
    return HRTIMER_NORESTART;
}

void run_begin(struct guest_vcpu *v)
{
    v->cpu = -1;
    rcuwait_init(&v->wait);
    v->arm = IRQ_WORK_INIT_HARD(on_arm);
    v->wake = IRQ_WORK_INIT_HARD(on_wake);
    hrtimer_setup(&v->timer, on_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
    hrtimer_setup(&v->sleep, on_sleep, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
}

void run_end(struct guest_vcpu *v)
{
    irq_work_sync(&v->arm);
    irq_work_sync(&v->wake);
    hrtimer_cancel(&v->timer);
    hrtimer_cancel(&v->sleep);
}

/* Whoever wakes it marks it first, so nothing is lost before it sleeps. The library hears of a time
 * that has come here too: its next run may be too short for an interrupt. */
static void sleep_until(struct guest_vcpu *v, u64 until)
{
    u64 now = get_cycles64();
    if (cald_vcpu_pending(v->vcpu))
        return;
    if (until <= now) {
        guest_timer(v);
        return;
    }
    if (until != UINT64_MAX)
        hrtimer_start(&v->sleep, ktime_add_ns(ktime_get(), host_ns(until - now)),
                      HRTIMER_MODE_ABS_HARD);
    rcuwait_wait_event(&v->wait, READ_ONCE(v->woken) || cald_vcpu_pending(v->vcpu),
                       TASK_INTERRUPTIBLE);
    hrtimer_cancel(&v->sleep);
}

/* Softirqs may use vector registers, which are a guest's then: they wait. With PREEMPT_RT they are
 * threads, which wait anyway. */
static bool softirqs_wait(const struct guest_vcpu *v)
{
    return v->guest->vectors && !IS_ENABLED(CONFIG_PREEMPT_RT);
}

/* One stay on a hart. Interrupts are taken between two runs, with the vCPU's registers left in the
 * hart; what needs the thread itself ends the stay. */
static enum cald_why stay(struct guest_vcpu *v, struct cald_exit *exit)
{
    enum cald_why why;
    bool wait = softirqs_wait(v);
    preempt_disable();
    if (wait)
        local_bh_disable();
    local_irq_disable();
    WRITE_ONCE(v->cpu, smp_processor_id());
    WRITE_ONCE(v->woken, false);
    for (;;) {
        why = cald_vcpu_run(v->vcpu, smp_processor_id(), exit);
        if (why != CALD_AGAIN || need_resched() || signal_pending(current) ||
            atomic_read(&v->guest->stops) || (wait && local_softirq_pending()))
            break;
        local_irq_enable();
        local_irq_disable();
    }
    cald_vcpu_put(v->vcpu);
    WRITE_ONCE(v->cpu, -1);
    local_irq_enable();
    if (wait)
        local_bh_enable();
    preempt_enable();
    return why;
}

/* ---- Exits to the VMM ---- */

static bool out_mmio(struct guest_vcpu *v, const struct cald_exit *exit)
{
    if (exit->write && (ioevent_store(v->guest, exit) || coalesced_store(v->guest, exit))) {
        LIBRARY_DO(cald_vcpu_complete(v->vcpu, CALD_OK, 0));
        return false;
    }
    v->run->exit_reason = KVM_EXIT_MMIO;
    v->run->mmio.phys_addr = exit->gpa;
    v->run->mmio.len = exit->width;
    v->run->mmio.is_write = exit->write;
    if (exit->write)
        memcpy(v->run->mmio.data, &exit->value, exit->width); /* little endian, as KVM's */
    v->pending = KVM_EXIT_MMIO;
    return true;
}

/* As Linux's own KVM: what is for experiments and what is a vendor's go to the VMM, as the consoles
 * do that are switched on. */
static bool is_vmms(const struct guest *guest, u64 extension)
{
    u32 ext = KVM_RISCV_SBI_EXT_MAX;
    if (extension >= SBI_EXT_EXPERIMENTAL_START && extension <= SBI_EXT_EXPERIMENTAL_END)
        ext = KVM_RISCV_SBI_EXT_EXPERIMENTAL;
    else if (extension >= SBI_EXT_VENDOR_START && extension <= SBI_EXT_VENDOR_END)
        ext = KVM_RISCV_SBI_EXT_VENDOR;
    else if (extension == SBI_EXT_DBCN)
        ext = KVM_RISCV_SBI_EXT_DBCN;
    else if (extension <= SBI_LEGACY_LAST)
        ext = KVM_RISCV_SBI_EXT_V01;
    return ext < KVM_RISCV_SBI_EXT_MAX && test_bit(ext, guest->sbi_on);
}

static bool out_sbi(struct guest_vcpu *v, const struct cald_exit *exit)
{
    if (!is_vmms(v->guest, exit->extension)) {
        LIBRARY_DO(cald_vcpu_complete(v->vcpu, SBI_NOT_SUPPORTED, 0));
        return false;
    }
    v->run->exit_reason = KVM_EXIT_RISCV_SBI;
    v->run->riscv_sbi.extension_id = exit->extension;
    v->run->riscv_sbi.function_id = exit->function;
    memcpy(v->run->riscv_sbi.args, exit->args, sizeof(exit->args));
    v->run->riscv_sbi.ret[0] = SBI_NOT_SUPPORTED;
    v->run->riscv_sbi.ret[1] = 0;
    v->pending = KVM_EXIT_RISCV_SBI;
    return true;
}

/* As KVM does it, all vCPUs are stopped; the VMM sets their registers anew or ends. */
static bool out_system(struct guest_vcpu *v, u32 type)
{
    struct guest *guest = v->guest;
    guest_stop(guest);
    LIBRARY_DO(cald_vm_reset(guest->vm));
    guest_go(guest);
    v->run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
    v->run->system_event.type = type;
    v->run->system_event.ndata = 0;
    return true;
}

static bool out_error(struct guest_vcpu *v, const char *text)
{
    pr_info_ratelimited("caldarium: vm %s: vCPU %u: %s\n", v->guest->name, v->id, text);
    v->run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
    v->run->internal.suberror = KVM_INTERNAL_ERROR_EMULATION;
    v->run->internal.ndata = 0;
    return true;
}

/* There is nothing to tell but that: it is at the pc. */
static bool out_debug(struct guest_vcpu *v)
{
    v->run->exit_reason = KVM_EXIT_DEBUG;
    memset(&v->run->debug, 0, sizeof(v->run->debug));
    return true;
}

static int bring_page(struct guest_vcpu *v, const struct cald_exit *exit)
{
    return memory_get_page(v->guest, exit->gpa, exit->write);
}

/* True: the VMM has to do something. */
static bool handle(struct guest_vcpu *v, enum cald_why why, const struct cald_exit *exit,
                   int *error)
{
    switch (why) {
    case CALD_AGAIN:
    case CALD_YIELD:
    case CALD_REQUEST: /* guest_stop(): the loop waits */
    case CALD_SUSPEND: /* not served */
        return false;
    case CALD_WAIT:
        sleep_until(v, exit->until);
        return false;
    case CALD_PAGE:
        *error = bring_page(v, exit);
        return *error;
    case CALD_MMIO:
        return out_mmio(v, exit);
    case CALD_SBI:
        return out_sbi(v, exit);
    case CALD_CSR_ACCESS: /* none that VMMs know of is missing: an illegal instruction */
        LIBRARY_DO(cald_vcpu_complete(v->vcpu, CALD_ENOENT, 0));
        return false;
    case CALD_OFF:
        return out_system(v, KVM_SYSTEM_EVENT_SHUTDOWN);
    case CALD_RESET:
        return out_system(v, KVM_SYSTEM_EVENT_RESET);
    case CALD_FAULT:
        return out_error(v, exit->text);
    case CALD_BREAKPOINT:
        return out_debug(v);
    }
    return false;
}

/* What the VMM did with the last exit. */
static void finish(struct guest_vcpu *v)
{
    u64 value = 0;
    switch (v->pending) {
    case KVM_EXIT_MMIO:
        if (!v->run->mmio.is_write)
            memcpy(&value, v->run->mmio.data, min_t(u32, v->run->mmio.len, sizeof(value)));
        LIBRARY_DO(cald_vcpu_complete(v->vcpu, CALD_OK, value));
        break;
    case KVM_EXIT_RISCV_SBI:
        LIBRARY_DO(cald_vcpu_complete(v->vcpu, v->run->riscv_sbi.ret[0], v->run->riscv_sbi.ret[1]));
        break;
    }
    v->pending = 0;
}

/* The vCPU's registers are those behind it then, and there for the VMM to look at. */
void run_complete_store(struct guest_vcpu *v)
{
    if (v->pending == KVM_EXIT_MMIO && v->run->mmio.is_write)
        finish(v);
}

static int run_loop(struct guest_vcpu *v)
{
    struct guest *guest = v->guest;
    struct cald_exit exit;
    for (;;) {
        int error = 0;
        if (signal_pending(current)) {
            v->run->exit_reason = KVM_EXIT_INTR;
            return -EINTR;
        }
        cond_resched();
        down_read(&guest->runs);
        enum cald_why why = stay(v, &exit);
        up_read(&guest->runs);
        if (handle(v, why, &exit, &error))
            return error;
    }
}

/* What a debugger has written into the guest's code has to be seen, though none of it is what the
 * library expects to change: it reads all memory anew. No KVM_RUN of it goes on. */
static void run_debug(struct guest_vcpu *v)
{
    LIBRARY_DO(cald_vcpu_breakpoints(v->vcpu, v->debug));
    memory_forget(v->guest);
    v->debug_changed = false;
}

int vcpu_run(struct guest_vcpu *v)
{
    sigset_t before;
    int error = READ_ONCE(v->vcpu) ? READ_ONCE(v->guest->failed) : guest_make(v->guest);
    if (error)
        return error;
    if (v->debug_changed)
        run_debug(v);
    finish(v);
    if (READ_ONCE(v->run->immediate_exit__unsafe))
        return -EINTR; /* the last exit's reason stays */
    if (v->has_sigset)
        sigprocmask(SIG_SETMASK, &v->sigset, &before);
    error = run_loop(v);
    if (v->has_sigset)
        sigprocmask(SIG_SETMASK, &before, NULL);
    return error;
}
