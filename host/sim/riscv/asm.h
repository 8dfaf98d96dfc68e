/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * riscv/asm.h on the build machine, found before it: registers are an array, and fences are told to
 * the test, which may have a model of a hart whose TLB they empty.
 */
#ifndef HOST_SIM_RISCV_ASM_H
#define HOST_SIM_RISCV_ASM_H

#include <stdbool.h>
#include <stdint.h>

#include "riscv/csr.h"

extern uint64_t sim_csr[4096];

/* Weak, and empty: all addresses; one guest-virtual; all, or one, of the second stage. */
void sim_flush_all(void);
void sim_flush_page(uint64_t address);
void sim_flush_guest(void);
void sim_flush_guest_page(uint64_t gpa);

#define csr_read(csr) (sim_csr[csr])
#define csr_write(csr, value) ((void)(sim_csr[csr] = (uint64_t)(value)))
#define csr_set(csr, bits) ((void)(sim_csr[csr] |= (uint64_t)(bits)))
#define csr_clear(csr, bits) ((void)(sim_csr[csr] &= ~(uint64_t)(bits)))

static inline void fence_i(void)
{
}

static inline void fence_device(void)
{
}

static inline void sfence_vma_all(void)
{
    sim_flush_all();
}

static inline void sfence_vma_address(uint64_t address)
{
    sim_flush_page(address);
}

static inline void sfence_vma_asid(uint64_t asid)
{
    (void)asid;
    sim_flush_all();
}

static inline void hfence_gvma_all(void)
{
    sim_flush_guest();
}

static inline void hfence_gvma_address(uint64_t gpa)
{
    sim_flush_guest_page(gpa);
}

#endif
