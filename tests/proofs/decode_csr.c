/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: exactly the six CSR instructions are taken for such; CSRRS and CSRRC with x0 or zero
 *   write nothing, CSRRW to x0 reads nothing, all others do both
 * Bounds: none: all 2^32 instructions
 * Assumes: nothing
 * Sources: riscv/decode.c
 * Loops: 1
 */
#include "riscv/decode.h"
#include "tests/proofs/proof.h"

void proof(void)
{
    uint32_t insn = nondet_u32(), funct3 = insn >> 12 & 7;
    struct riscv_csr_op op;
    bool taken = riscv_decode_csr(insn, &op);
    holds(taken == ((insn & 0x7f) == 0x73 && funct3 != 0 && funct3 != 4));
    if (!taken)
        return;
    bool swap = funct3 == 1 || funct3 == 5;
    holds(op.csr == insn >> 20 && op.rd == (insn >> 7 & 31) && op.rs1_or_imm == (insn >> 15 & 31));
    holds(op.funct3 == funct3);
    holds(op.reads == !(swap && op.rd == 0));
    holds(op.writes == (swap || op.rs1_or_imm != 0));
}
