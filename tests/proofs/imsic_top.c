/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: stopei names the lowest identity that is pending and enabled, below the threshold if
 *   there is one; a write to it clears that one's pending bit and no other
 * Bounds: any of the four sizes of a file, any state of it
 * Assumes: one hart at a time
 * Sources: lib/irq/imsic.c
 * Loops: 5
 */
#include "tests/proofs/imsic.h"

void proof(void)
{
    imsic_any();
    unsigned id = 1 + (unsigned)below(file.ids);
    struct riscv_csr_op op = {
        .csr = CSR_STOPEI, .funct3 = 1, .reads = true, .writes = nondet_bool()};
    uint64_t answer, word = file.word[id / 64].pending;
    bool ready = imsic_ready(id) && (!file.threshold || id < file.threshold);
    holds(imsic_csr(&file, &op, 0, nondet_u64(), &answer));
    unsigned top = answer & 0x7ff;
    holds(answer == ((uint64_t)top << 16 | top));
    holds(!ready || (top && top <= id));
    holds(id != top || ready);
    holds(top <= file.ids);
    bool cleared = word >> id % 64 & 1 && !(file.word[id / 64].pending >> id % 64 & 1);
    holds(cleared == (op.writes && id == top));
}
