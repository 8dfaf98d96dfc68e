/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/cause.h"

#include "riscv/csr.h"

const char *riscv_cause_name(uint64_t cause)
{
    static const char *const names[] = {
        [CAUSE_INSN_MISALIGNED] = "instruction address misaligned",
        [CAUSE_INSN_ACCESS] = "instruction access fault",
        [CAUSE_ILLEGAL] = "illegal instruction",
        [CAUSE_BREAKPOINT] = "breakpoint",
        [CAUSE_LOAD_MISALIGNED] = "load address misaligned",
        [CAUSE_LOAD_ACCESS] = "load access fault",
        [CAUSE_STORE_MISALIGNED] = "store address misaligned",
        [CAUSE_STORE_ACCESS] = "store access fault",
        [CAUSE_USER_ECALL] = "ecall from user mode",
        [CAUSE_HS_ECALL] = "ecall from supervisor mode",
        [CAUSE_VS_ECALL] = "ecall from a guest's supervisor mode",
        [CAUSE_INSN_PAGE] = "instruction page fault",
        [CAUSE_LOAD_PAGE] = "load page fault",
        [CAUSE_STORE_PAGE] = "store page fault",
        [CAUSE_INSN_GUEST_PAGE] = "instruction guest-page fault",
        [CAUSE_LOAD_GUEST_PAGE] = "load guest-page fault",
        [CAUSE_VIRTUAL_INSN] = "virtual instruction",
        [CAUSE_STORE_GUEST_PAGE] = "store guest-page fault",
    };
    if (cause & CAUSE_INTERRUPT)
        return "interrupt";
    if (cause >= sizeof(names) / sizeof(names[0]) || !names[cause])
        return "reserved";
    return names[cause];
}
