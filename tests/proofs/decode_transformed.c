/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: htinst of a load or store says the same as the instruction itself; zero and
 *   pseudoinstructions are never taken for one
 * Bounds: none: all 32-bit loads and stores, each as itself and as what a compressed one expands to
 * Assumes: htinst is as the manual defines transformed instructions
 * Sources: riscv/decode.c
 * Loops: 1
 */
#include "riscv/decode.h"
#include "tests/proofs/proof.h"

void proof(void)
{
    uint32_t insn = nondet_u32(), htinst = nondet_u32();
    struct riscv_access access, transformed;
    if (!(htinst & 1))
        holds(!riscv_decode_transformed(htinst, &transformed));

    assume((insn & 3) == 3 && riscv_decode_access(insn, &access));
    bool compressed = nondet_bool();
    /* The immediate's bits are zero, rs1 is an offset; bit 1 is clear for a compressed one. */
    uint32_t rs1 = (uint32_t)below(32) << 15;
    uint32_t kept = access.store ? insn & 0x01f0707f : insn & 0x00007fff;
    holds(riscv_decode_transformed((compressed ? kept & ~2U : kept) | rs1, &transformed));
    holds(transformed.store == access.store && transformed.sign_extend == access.sign_extend);
    holds(transformed.width == access.width && transformed.reg == access.reg);
    holds(transformed.insn_bytes == (compressed ? 2 : 4));
}
