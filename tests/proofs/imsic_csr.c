/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: any CSR instruction on stopei or sireg, and any store to the page, touches nothing but
 *   the file and leaves it in a state with no identity that isn't there, eidelivery 0 or 1 and
 *   eithreshold at most the highest identity; odd numbers of the arrays are illegal
 * Bounds: any of the four sizes of a file, any state of it, one instruction or store
 * Assumes: one hart at a time
 * Sources: lib/irq/imsic.c riscv/decode.c
 * Loops: 5
 */
#include "tests/proofs/imsic.h"

void proof(void)
{
    imsic_any();
    uint64_t select = nondet_u64(), before;
    struct riscv_csr_op op;
    bool posted;
    if (nondet_bool()) {
        imsic_store(&file, nondet_u32(), nondet_u8(), nondet_u64(), &posted);
    } else if (riscv_decode_csr(nondet_u32(), &op)) {
        bool is = imsic_csr(&file, &op, select, nondet_u64(), &before);
        bool array = op.csr == CSR_SIREG && select >= IMSIC_EIP0 && select <= IMSIC_EIE63;
        holds(!array || is == !(select & 1));
        holds(is ? op.csr == CSR_SIREG || op.csr == CSR_STOPEI : op.csr != CSR_STOPEI);
    }
    unsigned w = (unsigned)below(IMSIC_MRIF_WORDS);
    holds(!((file.word[w].pending | file.word[w].enable) & ~imsic_existing(w)));
    holds(file.delivery <= 1 && file.threshold <= file.ids);
}
