/* SPDX-License-Identifier: BSD-2-Clause */
/* This hart's supervisor-level interrupt file, by its CSRs (AIA specification 3.8 to 3.10). */
#ifndef DRIVERS_IMSIC_FILE_H
#define DRIVERS_IMSIC_FILE_H

#include "riscv/asm.h"

static inline void imsic_file_write(unsigned reg, uint64_t value)
{
    csr_write(CSR_SISELECT, reg);
    csr_write(CSR_SIREG, value);
}

/* Every identity 1..ids comes through; whoever sends one that nobody gave out has it ignored. */
static inline void imsic_file_begin(unsigned ids)
{
    imsic_file_write(IMSIC_EIDELIVERY, 0);
    for (unsigned id = 0; id <= ids; id += 64) {
        imsic_file_write(IMSIC_EIP0 + id / 32, 0);
        imsic_file_write(IMSIC_EIE0 + id / 32, UINT64_MAX);
    }
    imsic_file_write(IMSIC_EITHRESHOLD, 0);
    imsic_file_write(IMSIC_EIDELIVERY, 1);
}

/* Whether an identity interrupts; it pends all the same. */
static inline void imsic_file_let(unsigned id, bool through)
{
    csr_write(CSR_SISELECT, IMSIC_EIE0 + 2 * (id / 64)); /* on RV64 the even ones exist (3.8.3) */
    if (through)
        csr_set(CSR_SIREG, 1UL << id % 64);
    else
        csr_clear(CSR_SIREG, 1UL << id % 64);
}

/* Takes the lowest pending identity; 0: there is none. */
static inline unsigned imsic_file_claim(void)
{
    uint64_t top = 0;
    __asm__ volatile("csrrw %0, %1, zero" : "=r"(top) : "i"(CSR_STOPEI) : "memory");
    return (unsigned)(top >> 16);
}

#endif
