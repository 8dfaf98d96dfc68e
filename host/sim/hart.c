/* SPDX-License-Identifier: BSD-2-Clause */
/* The build machine's stand-in for a hart: host/sim/riscv/asm.h. */
#include "host/sim/riscv/asm.h"

uint64_t sim_csr[4096];

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
