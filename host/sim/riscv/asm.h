/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * riscv/asm.h on the build machine, found before it: registers are an array, and fences are counted
 * and told to the test, which may have a model of a hart whose TLB they empty.
 */
#ifndef HOST_SIM_RISCV_ASM_H
#define HOST_SIM_RISCV_ASM_H

#include <stdbool.h>
#include <stdint.h>

#include "riscv/csr.h"

#define SIM_CSRS 4096

/* The hart that runs now: each is such an array. */
extern uint64_t *sim_csr;
extern unsigned sim_fences, sim_fences_asid, sim_fences_vvma, sim_fences_gvma, sim_fences_i;

#define csr_read(csr) (sim_csr[csr])
#define csr_read_clear(csr, bits)                                                                  \
    ({                                                                                             \
        uint64_t value_ = sim_csr[csr];                                                            \
        sim_csr[csr] &= ~(uint64_t)(bits);                                                         \
        value_;                                                                                    \
    })
#define csr_write(csr, value) ((void)(sim_csr[csr] = (uint64_t)(value)))
#define csr_set(csr, bits) ((void)(sim_csr[csr] |= (uint64_t)(bits)))
#define csr_clear(csr, bits) ((void)(sim_csr[csr] &= ~(uint64_t)(bits)))

/* Weak, and empty: all addresses; one guest-virtual; all, or one, of the second stage. */
void sim_flush_all(void);
void sim_flush_page(uint64_t address);
void sim_flush_guest(void);
void sim_flush_guest_page(uint64_t gpa);

static inline void fence_i(void)
{
    sim_fences_i++;
}

static inline void fence_device(void)
{
}

static inline void sfence_vma_all(void)
{
    sim_fences++;
    sim_flush_all();
}

static inline void sfence_vma_address(uint64_t address)
{
    sim_flush_page(address);
}

static inline void sfence_vma_asid(uint64_t asid)
{
    (void)asid;
    sim_fences_asid++;
    sim_flush_all();
}

static inline void hfence_vvma_all(void)
{
    sim_fences_vvma++;
}

static inline void hfence_vvma_address(uint64_t address)
{
    (void)address;
}

static inline void hfence_vvma_asid(uint64_t asid)
{
    (void)asid;
}

static inline void hfence_vvma_address_asid(uint64_t address, uint64_t asid)
{
    (void)address, (void)asid;
}

static inline void hfence_gvma_all(void)
{
    sim_fences_gvma++;
    sim_flush_guest();
}

static inline void hfence_gvma_address(uint64_t gpa)
{
    sim_flush_guest_page(gpa);
}

static inline void wait_for_interrupt(void)
{
}

#endif
