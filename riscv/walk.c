/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/walk.h"

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

bool riscv_walk(uint64_t satp, uint64_t va, bool (*read)(void *owner, uint64_t pa, uint64_t *pte),
                void *owner, struct riscv_leaf *leaf)
{
    return riscv_walk_inline(satp, va, read, owner, leaf);
}
