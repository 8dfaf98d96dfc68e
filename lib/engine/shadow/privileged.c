/* SPDX-License-Identifier: BSD-2-Clause */
/* The instructions that the guest's S-mode may execute, and U-mode, where it really runs, may not.
 */
#include "lib/engine/shadow/shadow.h"
#include "riscv/asm.h"

#define OPCODE_MASK 0x7fu
#define OPCODE_SYSTEM 0x73u
#define FUNCT3_MASK 0x7000u
#define SFENCE_MASK 0xfe007fffu
#define INSN_SFENCE_VMA 0x12000073u

static __attribute__((noinline)) void do_sfence(struct engine_vcpu *v, uint32_t insn)
{
    unsigned address = insn >> 15 & 31, asid = insn >> 20 & 31;
    if (address)
        s_tables_flush_page(v, v->gpr[address], !asid, v->gpr[asid] & 0xffff);
    else if (asid)
        s_tables_flush_asid(v, v->gpr[asid] & 0xffff);
    else
        s_tables_fence(v);
    v->pc += 4;
}

static __attribute__((noinline)) bool csr_insn(struct engine_vcpu *v, uint32_t insn)
{
    struct riscv_csr_op op;
    if (!s_csr_access(v, insn) && (!riscv_decode_csr(insn, &op) || !s_aia_access(v, &op)))
        return false;
    v->pc += 4;
    return true;
}

bool s_privileged(struct engine_vcpu *v, uint32_t insn)
{
    if (v->s.user || (insn & OPCODE_MASK) != OPCODE_SYSTEM)
        return false;
    if (insn == INSN_SRET) {
        v->pc = s_sret(&v->s);
        v->s.due = true;
    } else if (insn & FUNCT3_MASK) {
        return csr_insn(v, insn);
    } else if ((insn & SFENCE_MASK) == INSN_SFENCE_VMA) {
        do_sfence(v, insn);
    } else {
        return false;
    }
    return true;
}

/* `cycle` and `instret`, which are the vCPU's. */
bool s_counter(struct engine_vcpu *v, uint32_t insn)
{
    unsigned which = insn >> 20 & 2;
    if (!engine_reads_counter(insn) || !(v->vm->s.counters >> which & 1) ||
        (v->s.user && !(v->s.scounteren >> which & 1)))
        return false;
    engine_read_counter(v, insn);
    v->pc += 4;
    return true;
}

bool s_illegal(struct engine_vcpu *v, uint32_t insn, struct exit *exit)
{
    struct riscv_csr_op op;
    exit->insn = insn;
    exit->gva = 0;
    exit->reason = EXIT_ILLEGAL;
    if (riscv_decode_csr(insn, &op) && op.csr >= CSR_CYCLE && op.csr <= CSR_HPMCOUNTER31 &&
        v->vm->s.counters >> (op.csr - CSR_CYCLE) & 1)
        exit->reason = EXIT_CSR;
    else if (!v->s.user && (insn == INSN_WFI || insn == INSN_WRS_NTO))
        exit->reason = EXIT_WFI;
    return false;
}
