/* SPDX-License-Identifier: BSD-2-Clause */
/* An interrupt file in memory, in any state that the code can bring about. */
#ifndef TESTS_PROOFS_IMSIC_H
#define TESTS_PROOFS_IMSIC_H

#include "lib/irq/imsic.h"
#include "riscv/csr.h"
#include "tests/proofs/proof.h"

static struct imsic file;

/* Identities of a word that are there. */
static inline uint64_t imsic_existing(unsigned w)
{
    return w > file.ids / 64 ? 0 : w ? UINT64_MAX : UINT64_MAX - 1;
}

static inline void imsic_any(void)
{
    file.ids = 64 * (1 + (unsigned)below(4)) - 1;
    for (unsigned w = 0; w < IMSIC_WORDS; w++) {
        file.word[w].pending = nondet_u64() & imsic_existing(w);
        file.word[w].enable = nondet_u64() & imsic_existing(w);
    }
    file.delivery = nondet_bool();
    file.threshold = (uint32_t)below(file.ids + 1);
}

static inline bool imsic_ready(unsigned id)
{
    return (file.word[id / 64].pending & file.word[id / 64].enable) >> id % 64 & 1;
}

#endif
