/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a message that comes while the vCPU claims, or changes pending bits by an instruction, is
 *   not lost, in any order of their steps: it pends afterwards, or the vCPU was told of it, or the
 *   instruction names its bit
 * Bounds: a file of 63 identities in any state; one message, one instruction
 * Assumes: sequential consistency
 * Threads: 2
 * Sources: lib/irq/imsic.c
 * Loops: 5
 */
#include "tests/proofs/imsic.h"

static unsigned id;
static bool done;

static void device(void)
{
    imsic_post(&file, id);
    __CPROVER_atomic_begin();
    done = true;
    __CPROVER_atomic_end();
}

void proof(void)
{
    file.ids = 63;
    file.word[0].pending = nondet_u64() & ~1UL;
    file.word[0].enable = nondet_u64() & ~1UL;
    id = 1 + (unsigned)below(63);
    struct riscv_csr_op op = {.csr = nondet_bool() ? CSR_SIREG : CSR_STOPEI,
                              .funct3 = 1 + (uint8_t)below(3),
                              .reads = true,
                              .writes = true};
    uint64_t value = nondet_u64(), before;
__CPROVER_ASYNC_1:
    device();
    imsic_csr(&file, &op, IMSIC_EIP0, value, &before);
    assume(done);
    bool pends = file.word[0].pending >> id & 1;
    bool told = op.csr == CSR_STOPEI ? (before & 0x7ff) == id : before >> id & 1;
    bool named = op.csr == CSR_SIREG && op.funct3 == 3 && value >> id & 1;
    holds(pends || told || named);
}
