/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that a guest's user or kernel may not execute, and the traps that follow. */
#include "guests/defects/defects.h"
#include "riscv/asm.h"

#define INSN_EBREAK 0x00100073

/* Illegal for whoever tries it. stval may hold the instruction or nothing. */
static bool illegal(struct attempt a)
{
    return trapped(&a, CAUSE_ILLEGAL, a.tval) && a.epc == a.pc &&
           (!a.tval || (uint32_t)a.tval ==
                           *(uint32_t *)(a.user ? snippets_begin + a.pc % 4096 : (char *)a.pc));
}

static void user_check(void)
{
    uint64_t satp = csr_read(CSR_SATP);
    bool ok = illegal(try_user(s_satp, 0, 0));
    report("user_writes_satp", ok && csr_read(CSR_SATP) == satp);
    report("user_executes_sret", illegal(try_user(s_sret, 0, 0)));
    report("user_executes_sfence_vma", illegal(try_user(s_sfence, 0, 0)));
    report("user_reads_a_supervisor_csr", illegal(try_user(s_sstatus, 0, 0)));
    struct attempt a = {.pc = USER_CODE + (uint64_t)(s_ecall - snippets_begin),
                        .user = 1,
                        .a7 = SBI_EXT_SRST}; /* would power the VM off */
    attempt_run(&a);
    report("user_makes_an_sbi_call", trapped(&a, CAUSE_USER_ECALL, 0) && a.epc == a.pc);
    a = try_user(s_ebreak, 0, 0);
    report("user_executes_ebreak",
           trapped(&a, CAUSE_BREAKPOINT, a.tval) && (!a.tval || a.tval == a.pc));
}

static void interrupts_check(void)
{
    struct attempt a = {.pc = (uint64_t)s_loop, .interrupts = 1};
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + 10000, 0, 0, 0);
    csr_write(CSR_SIE, IRQ_BIT(IRQ_S_TIMER));
    attempt_run(&a); /* an endless loop that leaves the guest by nothing of its own */
    report("interrupt_reaches_supervisor_mode",
           trapped(&a, CAUSE_INTERRUPT | IRQ_S_TIMER, 0) && a.epc == a.pc);
    guest_sbi(SBI_EXT_TIME, 0, UINT64_MAX, 0, 0, 0);
    csr_write(CSR_SIE, IRQ_BIT(IRQ_S_SOFT));
    csr_set(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
    bool pending = csr_read(CSR_SIP) & IRQ_BIT(IRQ_S_SOFT);
    a = (struct attempt){
        .pc = USER_CODE + (uint64_t)(s_loop - snippets_begin), .user = 1, .interrupts = 1};
    attempt_run(&a);
    bool taken = trapped(&a, CAUSE_INTERRUPT | IRQ_S_SOFT, 0);
    csr_clear(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
    report("sip_is_read_and_written",
           pending && taken && !(csr_read(CSR_SIP) & IRQ_BIT(IRQ_S_SOFT)));
    csr_write(CSR_SIE, 0);
}

void traps_check(void)
{
    user_check();
    struct attempt a = try_kernel(s_x0, 0x1234, 0);
    report("csr_read_into_x0", ran(&a) && a.a0 == 0);
    a = try_kernel(s_ebreak, 0, 0);
    report("trap_from_supervisor_mode_sets_spp",
           trapped(&a, CAUSE_BREAKPOINT, a.tval) && (!a.tval || a.tval == a.pc));
    interrupts_check();

    bool ok = illegal(try_kernel(s_undecodable, 0, 0)) && illegal(try_user(s_undecodable, 0, 0)) &&
              illegal(try_kernel(s_undecodable_short, 0, 0));
    uint64_t stvec = csr_read(CSR_STVEC);
    ok &= illegal(try_kernel(s_undecodable, 0, 0));
    report("undecodable_instruction_moves_no_stvec", ok && csr_read(CSR_STVEC) == stvec);

    ok = illegal(try_kernel(s_hstatus, 0, 0)) && illegal(try_kernel(s_htimedelta, 0, 0)) &&
         illegal(try_kernel(s_hfence, 0, 0)) &&
         illegal(try_kernel(s_hlv, (uint64_t)snippets_begin, 0)) &&
         illegal(try_user(s_hstatus, 0, 0)) && illegal(try_user(s_hlv, USER_CODE, 0));
    report("virtual_instruction_exception", ok);
    a = try_kernel(s_mret, 0, 0); /* QEMU 10 leaves an earlier instruction in stval there */
    report("machine_mode_instruction", illegal(try_kernel(s_mstatus, 0, 0)) &&
                                           trapped(&a, CAUSE_ILLEGAL, a.tval) && a.epc == a.pc);
    report("unknown_sbi_call",
           guest_sbi(0x12345678, 1, 2, 3, 4, 5).error == SBI_ERR_NOT_SUPPORTED &&
               guest_sbi(SBI_EXT_TIME, 99, 0, 0, 0, 0).error == SBI_ERR_NOT_SUPPORTED);
    a = (struct attempt){.pc = (uint64_t)s_ecall, .a1 = 0x5678, .a7 = SBI_EXT_LEGACY_GETCHAR};
    attempt_run(&a);
    report("getchar_answers_in_a0", ran(&a) && a.a0 == UINT64_MAX && a.a1 == 0x5678);
    struct sbi_ret counters = guest_sbi(SBI_EXT_PMU, 0, 0, 0, 0, 0);
    report("perf_has_counters", !counters.error && counters.value > 0);
}
