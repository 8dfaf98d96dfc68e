/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a guest until core is needed. What the guest's own hart would have done is done in
 * s_hot(), called by entry.S on each trap; only what that leaves over returns from s_enter().
 */
#include <stddef.h>

#include "engine/common/kick.h"
#include "engine/common/offsets.h"
#include "engine/hot.h"
#include "engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

_Static_assert(offsetof(struct engine_vcpu, gpr) == V_GPR(0), "entry.S");
_Static_assert(offsetof(struct engine_vcpu, host_sp) == V_HOST_SP, "entry.S");
_Static_assert(offsetof(struct engine_vcpu, s.user) == V_S_USER, "entry.S");
_Static_assert(offsetof(struct engine_vcpu, s.due) == V_S_DUE, "entry.S");

/* What of sstatus is the guest's own while it runs, and lives in the hart. */
#define HARTS_SSTATUS (SSTATUS_FS | SSTATUS_VS)

_Noreturn void s_trap_inside(void)
{
    host_panic("trap inside the hypervisor: scause %#lx sepc %#lx stval %#lx", csr_read(CSR_SCAUSE),
               csr_read(CSR_SEPC), csr_read(CSR_STVAL));
}

/* Before the guest goes on: its interrupts, then the root for what it is now. */
static void settle(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    s->due = false;
    if (s->sip & s->sie)
        s_deliver_interrupt(v);
    if (s->stale_root) {
        s->stale_root = false;
        s_hart_page(v->hart)->shadow_satp = s_tables_satp(v);
        s_mode_registers(v);
    }
}

/* As engine h's: false: the world outside has to look. */
static bool interrupt(struct engine_vcpu *v, uint64_t number)
{
    if (engine_kick_taken(number)) {
        v->exits[EXIT_HOT_KICK]++;
        return hot_mail(v);
    }
    if (number != IRQ_S_TIMER || v->s.timer > host_time())
        return false;
    v->s.timer = UINT64_MAX;
    v->s.sip |= IRQ_BIT(IRQ_S_TIMER);
    v->s.due = true;
    host_timer_arm((struct vcpu *)v, UINT64_MAX);
    v->exits[EXIT_HOT_TIMER]++;
    return true;
}

/* Memory first: stval may be zero, and QEMU 10's tells of an earlier instruction where an mret is.
 */
static bool illegal_insn(struct engine_vcpu *v, uint64_t tval, uint32_t *insn)
{
    s_fetch_note(v);
    if (!s_fetch_next(v, insn) && !s_fetch_insn(v, v->pc, insn)) {
        *insn = (uint32_t)tval;
        return tval;
    }
    if (riscv_insn_bytes(*insn) == 2)
        *insn &= 0xffff;
    return true;
}

/* True: answered, the guest goes on. */
static bool answer(struct engine_vcpu *v, uint64_t cause, struct exit *exit)
{
    uint64_t tval = csr_read(CSR_STVAL);
    uint32_t insn;
    switch (cause) {
    case CAUSE_ILLEGAL:
        if (!illegal_insn(v, tval, &insn))
            return true; /* another vCPU changed the page under us: the guest runs into it again */
        if (s_privileged(v, insn))
            return true;
        return s_illegal(v, insn, exit);
    case CAUSE_INSN_PAGE:
    case CAUSE_LOAD_PAGE:
    case CAUSE_STORE_PAGE:
        exit->cause = cause;
        exit->gva = tval;
        return s_fault(v, exit);
    case CAUSE_USER_ECALL:
        if (!v->s.user) {
            exit->reason = EXIT_SBI;
            return false;
        }
        tval = 0;
        break;
    case CAUSE_BREAKPOINT:
        exit->gva = v->pc; /* QEMU 10's stval may be another address of the same page */
        exit->reason = EXIT_BREAKPOINT;
        return false;
    case CAUSE_INSN_MISALIGNED:
    case CAUSE_LOAD_MISALIGNED:
    case CAUSE_STORE_MISALIGNED:
    case CAUSE_INSN_ACCESS:
    case CAUSE_LOAD_ACCESS:
    case CAUSE_STORE_ACCESS:
        break;
    default:
        exit->reason = EXIT_INTERRUPT;
        if (cause & CAUSE_INTERRUPT)
            return interrupt(v, cause & ~CAUSE_INTERRUPT);
        *exit = (struct exit){.reason = EXIT_ERROR, .cause = cause, .gva = tval};
        return false;
    }
    v->exits[EXIT_HOT_TRAP]++;
    s_deliver(v, cause, tval);
    return true;
}

/*
 * A kernel's way in and out is short, and half of it privileged: those that follow each other are
 * done at once, since a trap costs several times what one of them does. Nothing is kept of the
 * guest's code but where it lies.
 */
#define RUN 16

static void run_on(struct engine_vcpu *v)
{
    uint32_t insn;
    for (unsigned n = 0; n < RUN && s_fetch_next(v, &insn) && s_privileged(v, insn); n++) {
        if (v->s.due)
            settle(v);
    }
}

bool s_hot(struct engine_vcpu *v)
{
    uint64_t cause = csr_read(CSR_SCAUSE);
    v->pc = csr_read(CSR_SEPC);
    if (!answer(v, cause, v->s.exit))
        return false;
    if (v->s.due)
        settle(v);
    run_on(v);
    csr_write(CSR_SEPC, v->pc);
    return true;
}

void s_hot_due(struct engine_vcpu *v)
{
    v->pc = csr_read(CSR_SEPC);
    settle(v);
    csr_write(CSR_SEPC, v->pc);
}

void s_run(struct engine_vcpu *v, struct exit *exit)
{
    struct s_vcpu *s = &v->s;
    uint64_t vector = csr_read(CSR_STVEC);
    *exit = (struct exit){0};
    s->exit = exit;
    s_hole_enter(v);
    if (s_features.h)
        csr_clear(CSR_HSTATUS, HSTATUS_SPV); /* sret leads to our U-mode, not to a guest's */
    csr_write(CSR_SSTATUS, SSTATUS_UXL_64 | (s->sstatus & (HARTS_SSTATUS | SSTATUS_MXR)));
    s_root_changed(s);
    settle(v);
    csr_write(CSR_SEPC, v->pc);
    s_enter(v);
    s->sstatus = (s->sstatus & ~HARTS_SSTATUS) | (csr_read(CSR_SSTATUS) & HARTS_SSTATUS);
    csr_clear(CSR_SSTATUS, HARTS_SSTATUS | SSTATUS_MXR);
    csr_write(CSR_STVEC, vector);
    v->exits[exit->reason]++;
}
