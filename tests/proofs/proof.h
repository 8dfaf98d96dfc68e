/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each proof has: values that may be anything, what is taken for granted of them, and what
 * then has to hold. docs/proofs.md tells how a proof is laid out. tests/proofs/prove runs it:
 * proof() is where it starts.
 */
#ifndef TESTS_PROOFS_PROOF_H
#define TESTS_PROOFS_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void proof(void);

/* Any value at all: CBMC takes these names for it. */
bool nondet_bool(void);
uint8_t nondet_u8(void);
uint16_t nondet_u16(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);

#define assume(what) __CPROVER_assume(what)
#define holds(what) __CPROVER_assert(what, #what)

static inline uint64_t below(uint64_t end)
{
    uint64_t value = nondet_u64();
    assume(value < end);
    return value;
}

#endif
