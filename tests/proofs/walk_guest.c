/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: the walk over a guest's tables makes at most one read a level, each aligned to 8 and
 *   below 2^56; it translates canonical addresses alone, ends at a valid leaf whose page is aligned
 *   to its size, keeps the offset, and follows no entry with a reserved bit
 * Bounds: none: any satp, any address, any content of memory
 * Assumes: nothing; what is read may be anything, or not be there
 * Sources: riscv/walk.c
 * Loops: 6
 */
#include "riscv/csr.h"
#include "riscv/walk.h"
#include "tests/proofs/proof.h"

static unsigned reads;
static uint64_t last_at, last_pte;

static bool read_any(void *owner, uint64_t pa, uint64_t *pte)
{
    holds(owner == &reads);
    holds(pa % 8 == 0 && pa >> 56 == 0);
    holds(!reads ||
          ((last_pte & (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D)) == PTE_V &&
           last_pte >> 54 == 0));
    holds(!reads || pa >> 12 == (last_pte >> 10 & ((1UL << 44) - 1)));
    reads++;
    last_at = pa;
    last_pte = *pte = nondet_u64();
    return nondet_bool();
}

void proof(void)
{
    uint64_t satp = nondet_u64(), va = nondet_u64();
    struct riscv_leaf leaf;
    int levels = riscv_satp_levels(satp);
    bool found = riscv_walk(satp, va, read_any, &reads, &leaf);
    holds(reads <= (levels > 0 ? (unsigned)levels : 0));
    if (!found)
        return;
    holds(levels >= 0);
    if (levels == 0) {
        holds(leaf.pa == va && leaf.pte == 0);
        return;
    }
    int64_t top = (int64_t)va >> (12 + 9 * levels - 1);
    holds(top == 0 || top == -1);
    holds(leaf.pte == last_pte && leaf.at == last_at);
    holds(leaf.pte & PTE_V && leaf.pte & (PTE_R | PTE_X));
    holds((leaf.pte & (PTE_R | PTE_W)) != PTE_W);
    holds(leaf.shift == 12 + 9 * ((unsigned)levels - reads));
    uint64_t inside = (1UL << leaf.shift) - 1, frame = (leaf.pte >> 10 & ((1UL << 44) - 1)) << 12;
    holds((frame & inside) == 0 && leaf.pa == (frame | (va & inside)));
}
