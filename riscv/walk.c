/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/walk.h"

#include "riscv/csr.h"

#define PAGE_SHIFT 12
#define INDEX_BITS 9
#define PPN_MASK ((1UL << 44) - 1)
#define NONLEAF_RESERVED (PTE_A | PTE_D | PTE_U | PTE_ABOVE_PPN)

int riscv_satp_levels(uint64_t satp)
{
    switch (satp >> SATP_MODE_SHIFT) {
    case 0:
        return 0;
    case SATP_MODE_SV39:
        return 3;
    case SATP_MODE_SV48:
        return 4;
    case SATP_MODE_SV57:
        return 5;
    default:
        return -1;
    }
}

/* The bits above the translated ones all equal the highest of these. */
static bool is_canonical(uint64_t va, int levels)
{
    int bits = PAGE_SHIFT + levels * INDEX_BITS;
    return (uint64_t)((int64_t)(va << (64 - bits)) >> (64 - bits)) == va;
}

bool riscv_walk(uint64_t satp, uint64_t va, bool (*read)(void *owner, uint64_t pa, uint64_t *pte),
                void *owner, struct riscv_leaf *leaf)
{
    int levels = riscv_satp_levels(satp);
    if (levels == 0) {
        *leaf = (struct riscv_leaf){.pa = va, .shift = PAGE_SHIFT};
        return true;
    }
    if (levels < 0 || !is_canonical(va, levels))
        return false;
    uint64_t table = (satp & PPN_MASK) << PAGE_SHIFT;
    for (int level = levels - 1; level >= 0; level--) {
        unsigned shift = PAGE_SHIFT + (unsigned)level * INDEX_BITS;
        uint64_t at = table + (va >> shift & ((1U << INDEX_BITS) - 1)) * 8, pte;
        if (!read(owner, at, &pte) || !(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W)
            return false;
        uint64_t base = (pte >> PTE_PPN_SHIFT & PPN_MASK) << PAGE_SHIFT;
        if (pte & (PTE_R | PTE_X)) {
            uint64_t inside = (1UL << shift) - 1;
            if (base & inside)
                return false; /* a large page that is not aligned */
            *leaf = (struct riscv_leaf){base | (va & inside), pte, at, shift};
            return true;
        }
        if (pte & NONLEAF_RESERVED)
            return false;
        table = base;
    }
    return false;
}
