/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/csr.h"

    .option norvc
    .text
/* uint64_t life_in_user(bool fp, uint64_t *time): reads `time` in user mode and, with fp, stores an
 * FP register before. Returns the cause that ended it: 8, unless one of these trapped. */
    .globl  life_in_user
life_in_user:
    lla     t0, 2f
    csrw    CSR_STVEC, t0
    lla     t0, 1f
    csrw    CSR_SEPC, t0
    li      t0, 0x100                   /* sstatus.SPP: user mode */
    csrc    CSR_SSTATUS, t0
    addi    sp, sp, -16
    mv      t1, zero
    sret
1:  beqz    a0, 3f
    .option push
    .option arch, +d
    fsd     ft0, 0(sp)
    .option pop
3:  csrr    t1, CSR_TIME
    ecall
    .balign 4
2:  csrr    a0, CSR_SCAUSE
    addi    sp, sp, 16
    sd      t1, 0(a1)
    ret
