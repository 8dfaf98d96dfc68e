/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU's next step, on its own hart: what its mail, its HSM state and its last exit ask for.
 *
 * Its mode (lib/vcpu/mail.c tells the protocol) is HOST in a call of cald_vcpu_run(), GUEST while
 * guest code runs, and BLOCKED or AWAY from a CALD_WAIT on, until the next call. Between two calls
 * it stays HOST where the host has nothing else to do (CALD_MACHINE_KICKS_ARE_OURS), so that a
 * fence of another vCPU's is carried out as such; else it is AWAY, and a full fence is left to it.
 */
#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/exit.h"
#include "lib/vcpu/trace.h"
#include "lib/vcpu/vcpu.h"
#include "host/host.h"

/* Mail that ends the sleep of a vCPU that is stopped. */
#define MAIL_STOPPED (MAIL_WAKE | MAIL_CONTROL)

/* The vCPU has a hart again. */
static void arrive(struct cald_vcpu *vcpu, uint32_t hart)
{
    atomic_store(&vcpu->hart, hart);
    vcpu->eng.hart = hart;
    sbi_pmu_back(vcpu);
    if (vcpu->steal_changed) {
        vcpu->steal_changed = false;
        sbi_sta_update(vcpu);
    }
    vcpu_enter_mode(vcpu, VCPU_HOST);
}

/* Whoever writes mail from here on finds the mode and wakes the vCPU; what came before this is seen
 * by cald_vcpu_pending(). */
static enum cald_why wait(struct cald_vcpu *vcpu, enum vcpu_mode mode, uint64_t until,
                          struct cald_exit *exit)
{
    exit->until = until;
    exit->off_hart = mode == VCPU_AWAY;
    sbi_pmu_away(vcpu);
    vcpu_enter_mode(vcpu, mode);
    return CALD_WAIT;
}

/* A stopped vCPU holds nothing on the hart; its start comes as mail. */
static enum cald_why wait_stopped(struct cald_vcpu *vcpu, struct cald_exit *exit)
{
    if (vcpu->eng.loaded)
        vcpu_put(vcpu);
    return wait(vcpu, VCPU_AWAY, UINT64_MAX, exit);
}

static enum cald_why wait_irq(struct cald_vcpu *vcpu, struct cald_exit *exit)
{
    return wait(vcpu, VCPU_BLOCKED, vcpu->eng.ops->timer_deadline(&vcpu->eng), exit);
}

/* Mail that is none for the guest. The HSM state tells what MAIL_WAKE does. */
static enum cald_why mail_for_host(uint32_t mail)
{
    return mail & MAIL_CONTROL ? CALD_REQUEST : CALD_AGAIN;
}

/* A suspended vCPU waits until its interrupt comes; mail has to be looked at to know. */
static enum cald_why wait_suspended(struct cald_vcpu *vcpu, struct cald_exit *exit)
{
    uint32_t mail = vcpu_take_mail(vcpu);
    if (mail)
        return mail_for_host(mail);
    if (!vcpu->eng.ops->irq_waiting(&vcpu->eng))
        return wait_irq(vcpu, exit);
    sbi_hsm_resume(vcpu);
    return CALD_AGAIN;
}

/* Runs the guest until an exit, and handles that. */
static void run_until_exit(struct cald_vcpu *vcpu)
{
    struct exit exit;
    vcpu->entered = host_time();
    vcpu->eng.ops->run(&vcpu->eng, &exit);
    vcpu_enter_mode(vcpu, VCPU_HOST);
    uint64_t left = host_time();
    vcpu->ticks_guest += left - vcpu->entered;
    vcpu->entered = 0;
    struct cald_trace_entry entry;
    bool traced = trace_on(vcpu);
    if (traced)
        entry = trace_describe(vcpu, &exit, left);
    exit_handle(vcpu, &exit);
    uint64_t end = host_time();
    vcpu->ticks_host += end - left;
    if (traced)
        trace_note(vcpu, &entry, end);
}

/* The guest can't go on before what went out is completed. */
static enum cald_why go_on(struct cald_vcpu *vcpu, struct cald_exit *exit)
{
    if (!pending_finish(vcpu))
        pending_tell(vcpu, exit);
    return vcpu->why;
}

static enum cald_why run(struct cald_vcpu *vcpu, struct cald_exit *exit)
{
    vcpu_enter_mode(vcpu, VCPU_GUEST);
    if (atomic_load(&vcpu->mailbox)) {
        vcpu_enter_mode(vcpu, VCPU_HOST);
        return mail_for_host(vcpu_take_mail(vcpu));
    }
    vcpu->why = CALD_AGAIN;
    run_until_exit(vcpu);
    if (vcpu->why == CALD_WAIT)
        return vcpu->eng.ops->irq_waiting(&vcpu->eng) ? CALD_AGAIN : wait_irq(vcpu, exit);
    if (vcpu->why >= CALD_MMIO)
        pending_tell(vcpu, exit);
    return vcpu->why;
}

static enum cald_why step(struct cald_vcpu *vcpu, uint32_t hart, struct cald_exit *exit)
{
    if (atomic_load_explicit(&vcpu->mode, memory_order_relaxed) != VCPU_HOST)
        arrive(vcpu, hart);
    /* What these bits announce is read after this; taken first, so that later mail counts anew. */
    if (atomic_fetch_and(&vcpu->mailbox, ~MAIL_STOPPED) & MAIL_CONTROL)
        return CALD_REQUEST;
    uint32_t hsm = atomic_load(&vcpu->hsm);
    if (hsm == SBI_HSM_STOPPED || hsm == HSM_START_CLAIMED)
        return wait_stopped(vcpu, exit);
    if (hsm == SBI_HSM_START_PENDING) {
        sbi_hsm_started(vcpu);
        return CALD_AGAIN;
    }
    if (!vcpu->eng.loaded) {
        vcpu_load(vcpu);
        atomic_fetch_or(&vcpu->mailbox, MAIL_EXTERNAL);
    }
    if (vcpu->pending.why)
        return go_on(vcpu, exit);
    return hsm == SBI_HSM_STARTED ? run(vcpu, exit) : wait_suspended(vcpu, exit);
}

/* The host may be in no hurry to call again: its harts have other work. Nobody waits for the vCPU
 * until then, and its counters stand. */
static void leave(struct cald_vcpu *vcpu)
{
    if (atomic_load_explicit(&vcpu->mode, memory_order_relaxed) != VCPU_HOST)
        return;
    sbi_pmu_away(vcpu);
    vcpu_enter_mode(vcpu, VCPU_AWAY);
}

enum cald_why cald_vcpu_run(struct cald_vcpu *vcpu, uint32_t hart, struct cald_exit *exit)
{
    enum cald_why why = step(vcpu, hart, exit);
    if (vcpu->leaves)
        leave(vcpu);
    return why;
}

bool cald_vcpu_pending(const struct cald_vcpu *vcpu)
{
    bool blocked = atomic_load_explicit(&vcpu->mode, memory_order_relaxed) == VCPU_BLOCKED;
    return atomic_load(&vcpu->mailbox) & (blocked ? MAIL_ANY : MAIL_STOPPED);
}

/* One that sleeps stays BLOCKED: who leaves mail for it wakes it. */
void cald_vcpu_put(struct cald_vcpu *vcpu)
{
    if (atomic_load_explicit(&vcpu->mode, memory_order_relaxed) != VCPU_BLOCKED) {
        sbi_pmu_away(vcpu);
        vcpu_enter_mode(vcpu, VCPU_AWAY);
    }
    if (vcpu->eng.loaded)
        vcpu_put(vcpu);
}

void cald_vcpu_wfi_exits(struct cald_vcpu *vcpu, bool exits)
{
    vcpu->eng.trap_wfi = exits;
}

void cald_vcpu_breakpoints(struct cald_vcpu *vcpu, bool exit)
{
    vcpu->breakpoints_exit = exit;
}

void cald_vcpu_attention(struct cald_vcpu *vcpu, const uint8_t *flag)
{
    vcpu->eng.attention = (const _Atomic bool *)flag;
}

void cald_vcpu_steal(struct cald_vcpu *vcpu, uint64_t ticks)
{
    vcpu->steal_changed |= vcpu->steal_ticks != ticks;
    vcpu->steal_ticks = ticks;
}
