/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel lies where RAM lies, in pages of 1 GiB; the user program has pages of 4 KiB above. */
#include "guests/minikernel/mini.h"

#define GIB 0x40000000UL
#define KERNEL (PTE_V | PTE_A | PTE_D | PTE_R | PTE_W)
#define USER (PTE_V | PTE_A | PTE_D | PTE_U | PTE_R)

static uint64_t root[512] __attribute__((aligned(4096)));
static uint64_t middle[512] __attribute__((aligned(4096)));
static uint64_t last[512] __attribute__((aligned(4096)));
static uint8_t code[4096] __attribute__((aligned(4096)));
static uint8_t data[4096] __attribute__((aligned(4096)));

static uint64_t pte(const void *page, uint64_t bits)
{
    return (uint64_t)page >> 12 << PTE_PPN_SHIFT | bits;
}

uint64_t paging_satp(void)
{
    return SATP_MODE_SV39 << SATP_MODE_SHIFT | (uint64_t)root >> 12;
}

void paging_on(void)
{
    for (uint64_t n = 0; n < 8; n++) /* the first 8 GiB: devices, then RAM */
        root[n] = pte((void *)(n * GIB), KERNEL | (n >= 2 ? PTE_X : 0));
    root[USER_CODE / GIB] = pte(middle, PTE_V);
    middle[0] = pte(last, PTE_V);
    last[0] = pte(code, USER | PTE_X);
    last[1] = pte(data, USER | PTE_W);
    for (const char *from = user_begin; from < user_end; from++)
        code[from - user_begin] = (uint8_t)*from;
    fence_i();
    sfence_vma_all();
    csr_write(CSR_SATP, paging_satp());
    sfence_vma_all();
}
