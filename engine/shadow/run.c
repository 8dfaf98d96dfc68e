/* SPDX-License-Identifier: BSD-2-Clause */
/* Running a guest until core is needed: what the guest's own hart would have done is done here. */
#include "engine/common/kick.h"
#include "engine/hot.h"
#include "engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

_Noreturn void s_trap_inside(void)
{
    host_panic("trap inside the hypervisor: scause %#lx sepc %#lx stval %#lx", csr_read(CSR_SCAUSE),
               csr_read(CSR_SEPC), csr_read(CSR_STVAL));
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
    host_timer_arm((struct vcpu *)v, UINT64_MAX);
    v->exits[EXIT_HOT_TIMER]++;
    return true;
}

static bool illegal(struct engine_vcpu *v, struct exit *exit)
{
    uint32_t insn = (uint32_t)exit->gva; /* stval holds the instruction, or zero */
    if (!insn && !s_fetch_insn(v, v->pc, &insn))
        return true; /* another vCPU changed the page under us: the guest runs into it again */
    return s_privileged(v, insn, exit);
}

/* True: answered, the guest goes on. */
static bool answer(struct engine_vcpu *v, struct exit *exit)
{
    if (exit->cause & CAUSE_INTERRUPT) {
        exit->reason = EXIT_INTERRUPT;
        return interrupt(v, exit->cause & ~CAUSE_INTERRUPT);
    }
    switch (exit->cause) {
    case CAUSE_ILLEGAL:
        return illegal(v, exit);
    case CAUSE_INSN_PAGE:
    case CAUSE_LOAD_PAGE:
    case CAUSE_STORE_PAGE:
        return s_fault(v, exit);
    case CAUSE_USER_ECALL:
        if (!v->s.user) {
            exit->reason = EXIT_SBI;
            return false;
        }
        break;
    case CAUSE_BREAKPOINT:
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
        exit->reason = EXIT_ERROR;
        return false;
    }
    v->exits[EXIT_HOT_TRAP]++;
    s_deliver(v, exit->cause, exit->cause == CAUSE_USER_ECALL ? 0 : exit->gva);
    return true;
}

#define HARTS_SSTATUS (SSTATUS_FS | SSTATUS_VS | SSTATUS_MXR)

void s_run(struct engine_vcpu *v, struct exit *exit)
{
    struct s_vcpu *s = &v->s;
    uint64_t vector = csr_read(CSR_STVEC);
    s_hole_enter(v);
    if (s_features.h)
        csr_clear(CSR_HSTATUS, HSTATUS_SPV); /* sret leads to our U-mode, not to a guest's */
    s->stale_root = true;
    do {
        s_deliver_interrupt(v);
        if (s->stale_root) {
            s->stale_root = false;
            s_hart_page(v->hart)->shadow_satp = s_tables_satp(v);
            s_mode_registers(v);
        }
        csr_write(CSR_SSTATUS, SSTATUS_UXL_64 | (s->sstatus & HARTS_SSTATUS));
        csr_write(CSR_SEPC, v->pc);
        s_enter(v);
        v->pc = csr_read(CSR_SEPC);
        s->sstatus = (s->sstatus & ~(SSTATUS_FS | SSTATUS_VS)) |
                     (csr_read(CSR_SSTATUS) & (SSTATUS_FS | SSTATUS_VS));
        *exit = (struct exit){.cause = csr_read(CSR_SCAUSE), .gva = csr_read(CSR_STVAL)};
    } while (answer(v, exit));
    csr_clear(CSR_SSTATUS, SSTATUS_FS | SSTATUS_VS);
    csr_write(CSR_STVEC, vector);
    v->exits[exit->reason]++;
}
