/* SPDX-License-Identifier: BSD-2-Clause */
/* Address translation as the hart does it, in software (privileged manual, "Virtual Address
 * Translation Process"), without permissions and what extensions say of a leaf's
 * upper bits: those are for the caller, who has the leaf. */
#ifndef RISCV_WALK_H
#define RISCV_WALK_H

#include <stdbool.h>
#include <stdint.h>

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

#endif
