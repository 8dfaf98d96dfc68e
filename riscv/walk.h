/* SPDX-License-Identifier: BSD-2-Clause */
/* Address translation as the hart does it, in software (privileged manual, "Virtual Address
 * Translation Process"), without permissions and what extensions say of a leaf's
 * upper bits: those are for the caller, who has the leaf. */
#ifndef RISCV_WALK_H
#define RISCV_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "riscv/csr.h"

#define RISCV_PAGE_SHIFT 12
#define RISCV_INDEX_BITS 9
#define RISCV_NONLEAF_RESERVED (PTE_A | PTE_D | PTE_U | PTE_ABOVE_PPN)

struct riscv_leaf {
    uint64_t pa;    /* where `va` leads */
    uint64_t pte;   /* the leaf itself; 0: paging is off */
    uint64_t at;    /* the address it was read from */
    unsigned shift; /* log2 of the page's size in bytes: 12, 21, 30, 39, 48 */
};

/* How many levels of tables that satp has: 3, 4, 5; 0: Bare; -1: a mode that does not exist. */
int riscv_satp_levels(uint64_t satp);

/*
 * Follows `va` through the tables of `satp`. `read` fetches the 8 bytes at a physical address;
 * false: nothing is there. False, if there is no translation.
 */
bool riscv_walk(uint64_t satp, uint64_t va, bool (*read)(void *owner, uint64_t pa, uint64_t *pte),
                void *owner, struct riscv_leaf *leaf);

/* The bits above the translated ones all equal the highest of these. */
static inline bool riscv_is_canonical(uint64_t va, int levels)
{
    int bits = RISCV_PAGE_SHIFT + levels * RISCV_INDEX_BITS;
    return (uint64_t)((int64_t)(va << (64 - bits)) >> (64 - bits)) == va;
}

/* The same, with `read` in it, for who walks often. */
static inline __attribute__((always_inline)) bool
riscv_walk_inline(uint64_t satp, uint64_t va, bool (*read)(void *owner, uint64_t pa, uint64_t *pte),
                  void *owner, struct riscv_leaf *leaf)
{
    int levels = riscv_satp_levels(satp);
    if (levels == 0) {
        *leaf = (struct riscv_leaf){.pa = va, .shift = RISCV_PAGE_SHIFT};
        return true;
    }
    if (levels < 0 || !riscv_is_canonical(va, levels))
        return false;
    uint64_t table = (satp & SATP_PPN_MASK) << RISCV_PAGE_SHIFT;
    for (int level = levels - 1; level >= 0; level--) {
        unsigned shift = RISCV_PAGE_SHIFT + (unsigned)level * RISCV_INDEX_BITS;
        uint64_t at = table + (va >> shift & ((1U << RISCV_INDEX_BITS) - 1)) * 8, pte;
        if (!read(owner, at, &pte) || !(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W)
            return false;
        uint64_t base = (pte >> PTE_PPN_SHIFT & SATP_PPN_MASK) << RISCV_PAGE_SHIFT;
        if (pte & (PTE_R | PTE_X)) {
            uint64_t inside = (1UL << shift) - 1;
            if (base & inside)
                return false; /* a large page that is not aligned */
            *leaf = (struct riscv_leaf){base | (va & inside), pte, at, shift};
            return true;
        }
        if (pte & RISCV_NONLEAF_RESERVED)
            return false;
        table = base;
    }
    return false;
}

#endif
