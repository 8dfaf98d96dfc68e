/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a CSR access that goes out to the host is told so that "the bits of `mask` become those
 *   of `value`" does to any register what the instruction does, and one that writes nothing has no
 *   mask; when it is completed its old value lands in rd alone, x0 stays 0, and the pc moves by 4
 * Bounds: none: all CSR instructions, any register contents
 * Assumes: nothing
 * Sources: lib/vcpu/pending.c riscv/decode.c
 * Loops: 1
 */
#include "caldarium/caldarium.h"
#include "lib/vcpu/exit.h"
#include "lib/vcpu/vcpu.h"
#include "tests/proofs/proof.h"

void exit_no_device(struct cald_vcpu *vcpu, const struct exit *exit)
{
    (void)vcpu, (void)exit;
}

void exit_illegal(struct cald_vcpu *vcpu, const struct exit *exit)
{
    (void)vcpu, (void)exit;
}

struct sbi_ret;
void sbi_answer(struct cald_vcpu *vcpu, struct sbi_ret ret)
{
    (void)vcpu, (void)ret;
}

void proof(void)
{
    static struct cald_vcpu vcpu;
    struct cald_exit out;
    uint32_t insn = nondet_u32();
    struct riscv_csr_op op;
    assume(riscv_decode_csr(insn, &op));
    uint64_t source = nondet_u64(), old = nondet_u64(), pc = nondet_u64(), other = nondet_u64();
    unsigned n = (unsigned)below(32);
    if (n)
        vcpu.eng.gpr[n] = other;
    if (op.rs1_or_imm)
        vcpu.eng.gpr[op.rs1_or_imm] = source;
    other = vcpu.eng.gpr[n];
    vcpu.eng.pc = pc;
    pending_out(&vcpu, CALD_CSR_ACCESS, &(struct exit){.reason = EXIT_CSR, .insn = insn});
    pending_tell(&vcpu, &out);

    uint64_t operand = op.funct3 & 4 ? op.rs1_or_imm : op.rs1_or_imm ? source : 0;
    uint64_t becomes = (op.funct3 & 3) == 1   ? operand
                       : (op.funct3 & 3) == 2 ? old | operand
                                              : old & ~operand;
    holds(out.csr == insn >> 20);
    holds(((old & ~out.mask) | (out.value & out.mask)) == (op.writes ? becomes : old));
    holds(op.writes || out.mask == 0);

    cald_vcpu_complete(&vcpu, CALD_OK, old);
    holds(vcpu.eng.pc == pc + 4 && vcpu.eng.gpr[0] == 0);
    holds(vcpu.eng.gpr[n] == (n && n == op.rd ? old : other));
}
