/* SPDX-License-Identifier: BSD-2-Clause */
/* Sv39, which every machine has. */
#include "guests/defects/defects.h"
#include "riscv/asm.h"

#define GIB 0x40000000UL

static uint64_t root[512] __attribute__((aligned(4096)));
static uint64_t middle[512] __attribute__((aligned(4096)));
static uint64_t last[512] __attribute__((aligned(4096)));

uint64_t *const window_pte = &last[1], *const window_2m_pte = &middle[1];

static uint64_t pte(uint64_t pa, uint64_t flags)
{
    return pa >> 12 << PTE_PPN_SHIFT | flags;
}

void window(uint64_t pa, uint64_t flags)
{
    *window_pte = pte(pa, flags);
    sfence_vma_address(WINDOW);
}

void paging_on_here(void)
{
    sfence_vma_all();
    csr_write(CSR_SATP, SATP_MODE_SV39 << SATP_MODE_SHIFT | (uint64_t)root >> 12);
    sfence_vma_all();
}

void paging_on(void)
{
    for (uint64_t n = 0; n < 8; n++)
        root[n] = pte(n * GIB, PAGE_RW | PTE_X);
    root[USER_CODE / GIB & 511] = pte((uint64_t)middle, PTE_V);
    middle[0] = pte((uint64_t)last, PTE_V);
    last[0] = pte((uint64_t)snippets_begin, PTE_V | PTE_A | PTE_U | PTE_R | PTE_X);
    paging_on_here();
}
