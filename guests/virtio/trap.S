/* SPDX-License-Identifier: BSD-2-Clause */
/* An access that nothing answers is left out; it may have a short instruction. */
    .text
    .balign 4
    .globl  hostile_trap
hostile_trap:
    addi    sp, sp, -16
    sd      t0, 0(sp)
    sd      t1, 8(sp)
    csrr    t0, sepc
    lhu     t1, 0(t0)
    andi    t1, t1, 3
    addi    t1, t1, -3
    seqz    t1, t1                      /* 1: it has 32 bits */
    slli    t1, t1, 1
    add     t0, t0, t1
    addi    t0, t0, 2
    csrw    sepc, t0
    ld      t0, 0(sp)
    ld      t1, 8(sp)
    addi    sp, sp, 16
    sret
