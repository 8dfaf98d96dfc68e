/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a guest until the engine can't go on by itself. What the guest's own hart would have done
 * is done in s_hot(), called by entry.S on each trap; only what that leaves over returns from
 * s_enter().
 */
#include <stddef.h>

#include "lib/engine/common/kick.h"
#include "lib/engine/common/offsets.h"
#include "lib/engine/hot.h"
#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/scan.h"
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "lib/common/line.h"
#include "riscv/asm.h"

_Static_assert(offsetof(struct engine_vcpu, gpr) == V_GPR(0), "entry.S");
_Static_assert(offsetof(struct engine_vcpu, host_sp) == V_HOST_SP, "entry.S");
_Static_assert(offsetof(struct engine_vcpu, s.user) == V_S_USER, "entry.S");
_Static_assert(offsetof(struct engine_vcpu, s.due) == V_S_DUE, "entry.S");

/* With sources noted the kernel's two views have places of their own: SUM changes in C. */
static void part_from_sum(struct s_vcpu *s)
{
    enum s_view shown = s->view_shown;
    s->root_at_hand[S_KERNEL_SUM] = 0;
    if (shown == S_KERNEL_SUM) {
        s_roots_unknown(s);
        s->view_shown = (uint8_t)shown;
    }
}

/* What of sstatus is the guest's own while it runs, and lives in the hart. */
static __attribute__((noinline)) void show_other(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    uint64_t satp = s_tables_satp(v);
    if (s->satp_shown != s->satp)
        s_roots_unknown(s);
    s->view_shown = s_view(s);
    s->page->shadow_satp = s->root_at_hand[s->view_shown] = satp;
    if (s->satp_shown != s->satp)
        s_tables_at_hand(s);
    if (s->noting)
        part_from_sum(s);
    s->satp_shown = s->satp;
    if (s->mode_shown != s_mode(s))
        s_mode_registers(v);
}

static inline void show_root(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    s->stale_root = false;
    if (s->view_shown != s_view(s) || s->satp_shown != s->satp || s->mode_shown != s_mode(s))
        show_other(v);
}

/* Before the guest goes on: its interrupts, then the root for what it is now. */
static void settle(struct engine_vcpu *v)
{
    s_due(v);
    if (v->s.stale_root)
        show_root(v);
}

/* As engine h's: false: the world outside has to look. */
static bool interrupt(struct engine_vcpu *v, uint64_t number)
{
    if (engine_kick_taken(v, number)) {
        v->exits[EXIT_HOT_KICK]++;
        return hot_mail(v);
    }
    if (number != IRQ_S_TIMER || v->s.timer > host_time())
        return false;
    s_timer_due(v);
    v->exits[EXIT_HOT_TIMER]++;
    return true;
}

/* The guest's own instruction at the pc. False: it can't be read there. */
static inline bool insn_at_pc(struct engine_vcpu *v, uint32_t *insn)
{
    s_fetch_note(v);
    return s_fetch_next(v, insn) || s_fetch_insn(v, v->pc, insn);
}

/* Memory first: stval may be zero, and QEMU 10's tells of an earlier instruction where an mret is.
 */
static bool illegal_insn(struct engine_vcpu *v, uint64_t tval, uint32_t *insn)
{
    if (!insn_at_pc(v, insn)) {
        *insn = (uint32_t)tval;
        return tval;
    }
    if (riscv_insn_bytes(*insn) == 2)
        *insn &= 0xffff;
    return true;
}

/* The ebreak is ours: it stands for `insn`, or for nothing any more (0). */
static bool replaced(struct engine_vcpu *v, uint32_t *insn)
{
    if (!insn_at_pc(v, insn)) {
        /* It has gone from the guest's tables: the guest runs into that, fence or no fence. */
        s_tables_flush_page(v, v->pc & ~(HOST_PAGE_SIZE - 1), true, 0);
        s_tables_flush_page(v, (v->pc + 2) & ~(HOST_PAGE_SIZE - 1), true, 0);
        *insn = 0;
        return true;
    }
    if (*insn == INSN_EBREAK || (*insn & 0xffff) == INSN_C_EBREAK)
        return false;
    if (!s_scan_privileged(*insn)) {
        s_copy_wrong(v);
        *insn = 0;
    }
    return true;
}

static bool privileged(struct engine_vcpu *v, uint32_t insn, struct exit *exit)
{
    if (!s_privileged(v, insn) && !s_counter(v, insn))
        return s_illegal(v, insn, exit);
    v->exits[EXIT_HOT_PRIVILEGED]++;
    return true;
}

/* True: answered, the guest goes on. */
static __attribute__((noinline)) bool answer(struct engine_vcpu *v, uint64_t cause,
                                             struct exit *exit)
{
    uint64_t tval = csr_read(CSR_STVAL);
    uint32_t insn;
    switch (cause) {
    case CAUSE_ILLEGAL:
        if (!illegal_insn(v, tval, &insn))
            return true; /* another vCPU changed the page under us: the guest runs into it again */
        if (s_scan_privileged(insn))
            s_copy_missed(v);
        return privileged(v, insn, exit);
    case CAUSE_INSN_PAGE:
    case CAUSE_LOAD_PAGE:
    case CAUSE_STORE_PAGE:
        exit->cause = cause;
        exit->gva = tval;
        return s_fault(v, exit);
    case CAUSE_USER_ECALL:
        exit->reason = EXIT_SBI; /* the kernel's: s_hot() took the others */
        return false;
    case CAUSE_BREAKPOINT:
        if (!v->s.user && replaced(v, &insn))
            return insn ? privileged(v, insn, exit) : true;
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

/* Most ebreaks stand for what the kernel does all the time: done without a look at what it is. */
static bool goes_on(struct engine_vcpu *v)
{
    uint64_t pc = v->pc;
    if (v->s.user)
        return false;
    s_place_note(v);
    s_go_on(v, s_run_on(v));
    if (v->pc == pc && !v->s.user)
        return false; /* nor is a jump to itself a loss: answer() looks closer */
    v->exits[EXIT_HOT_PRIVILEGED]++;
    return true;
}

bool s_hot(struct engine_vcpu *v)
{
    uint64_t cause = csr_read(CSR_SCAUSE);
    v->pc = csr_read(CSR_SEPC);
    if (!(cause == CAUSE_BREAKPOINT && goes_on(v))) {
        if (!answer(v, cause, v->s.exit))
            return false;
        if (v->s.due)
            s_due(v);
        if (!v->s.user)
            s_go_on(v, s_run_on(v));
    }
    if (v->s.stale_root)
        show_root(v);
    csr_write(CSR_SEPC, v->pc);
    return true;
}

/* An ecall of the guest's U-mode: the most frequent trap of all. */
void s_hot_call(struct engine_vcpu *v)
{
    v->pc = csr_read(CSR_SEPC);
    v->exits[EXIT_HOT_TRAP]++;
    s_take_trap(&v->s, true, v->pc, CAUSE_USER_ECALL, 0);
    v->pc = v->s.stvec & ~3UL;
    s_place_note(v);
    uint64_t next = s_run_on(v);
    if (next)
        s_go_on(v, next);
    if (!v->s.user || v->s.view_shown != S_USER || v->s.mode_shown != MODE_USER ||
        v->s.satp_shown != v->s.satp)
        show_root(v);
    csr_write(CSR_SEPC, v->pc);
}

void s_hot_due(struct engine_vcpu *v)
{
    v->pc = csr_read(CSR_SEPC);
    settle(v);
    csr_write(CSR_SEPC, v->pc);
}

/* What is due besides stays so: no interrupt can come by these. */
static void show_now(struct engine_vcpu *v, bool due)
{
    if (v->s.stale_root)
        show_root(v);
    v->s.due = due;
}

/*
 * A fence too many does no harm: so the one that follows is done at once, before anything is shown,
 * and it is passed by if the address leads to the same entry behind it. Elsewhere the guest comes
 * to it, or to a fault.
 */
uint64_t s_hot_satp(struct engine_vcpu *v, uint64_t value, bool fence)
{
    struct s_vcpu *s = &v->s;
    bool due = s->due;
    uint64_t pc = csr_read(CSR_SEPC), before = s->satp, entry = 0;
    fence = fence && s->noting;
    if (fence)
        entry = s_tables_leaf(s, pc);
    s_satp_write(s, value);
    if (fence)
        s_tables_fence(v);
    show_now(v, due);
    bool passed =
        entry && s_tables_leaf(s, pc) == entry && !((before ^ s->satp) >> SATP_MODE_SHIFT);
    return passed ? 8 : 4;
}

void s_hot_fence(struct engine_vcpu *v)
{
    bool due = v->s.due;
    s_tables_fence(v);
    show_now(v, due);
}

uint64_t s_hot_return(struct engine_vcpu *v)
{
    bool due = v->s.due;
    uint64_t pc = s_sret(&v->s);
    show_now(v, due);
    return pc;
}

void s_run(struct engine_vcpu *v, struct exit *exit)
{
    struct s_vcpu *s = &v->s;
    uint64_t vector = csr_read(CSR_STVEC), scratch = csr_read(CSR_SSCRATCH);
    uint64_t status = csr_read(CSR_SSTATUS);
    bool has_hstatus = machine_has(v->vm->machine, CALD_MACHINE_HSTATUS);
    uint64_t hstatus = has_hstatus ? csr_read(CSR_HSTATUS) : 0;
    uint64_t root = s->own_root ? s_root_enter(v) : 0;
    *exit = (struct exit){0};
    s->exit = exit;
    s_trampoline_enter(v);
    if (has_hstatus)
        csr_write(CSR_HSTATUS,
                  hstatus & ~HSTATUS_SPV); /* sret leads to our U-mode, not to a guest's */
    csr_write(CSR_SSTATUS, SSTATUS_UXL_64 | (s->sstatus & (S_HARTS_SSTATUS | SSTATUS_MXR)));
    s->mode_shown = MODE_NONE;
    s_roots_unknown(s);
    s_root_changed(s);
    settle(v);
    csr_write(CSR_SEPC, v->pc);
    s_enter(v);
    s->sstatus = (s->sstatus & ~S_HARTS_SSTATUS) | (csr_read(CSR_SSTATUS) & S_HARTS_SSTATUS);
    csr_write(CSR_SSTATUS, status);
    csr_write(CSR_STVEC, vector);
    if (s->own_root)
        s_root_leave(v, root);
    csr_write(CSR_SSCRATCH, scratch);
    if (has_hstatus)
        csr_write(CSR_HSTATUS, hstatus);
    v->exits[exit->reason]++;
}
