/* SPDX-License-Identifier: BSD-2-Clause */
/* The build machine's stand-in for a hart: host/sim/riscv/asm.h. */
#include "host/sim/riscv/asm.h"

static uint64_t hart[SIM_CSRS];
uint64_t *sim_csr = hart;
unsigned sim_fences, sim_fences_asid, sim_fences_vvma, sim_fences_gvma, sim_fences_i;

__attribute__((weak)) void sim_flush_all(void)
{
}

__attribute__((weak)) void sim_flush_page(uint64_t address)
{
    (void)address;
}

__attribute__((weak)) void sim_flush_guest(void)
{
}

__attribute__((weak)) void sim_flush_guest_page(uint64_t gpa)
{
    (void)gpa;
}
