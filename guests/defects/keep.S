/* SPDX-License-Identifier: BSD-2-Clause */
    .option arch, +d
    .text
/* Compares register or CSR with seed * 8 + number; number in t1 if it is another. */
    .macro  differs reg, number
    addi    t3, a2, \number
    li      t1, \number
    bne     \reg, t3, 9f
    .endm

/* uint64_t keep_wrong(uint64_t seed, uint64_t ticks): gives tp, gp, FP registers and the CSRs of a
 * trap values of this VM's own, looks at them for so many ticks; the number of the first that has
 * changed, or 0. */
    .globl  keep_wrong
keep_wrong:
    addi    sp, sp, -16
    sd      tp, 0(sp)
    sd      gp, 8(sp)
    slli    a2, a0, 8                   /* this VM's values begin here */
    rdtime  a3
    add     a3, a3, a1
    addi    tp, a2, 1
    addi    gp, a2, 2
    addi    t0, a2, 4
    csrw    sscratch, t0
    csrw    sepc, t0
    csrw    stvec, t0
    csrw    stval, t0
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    addi    t0, a2, 32+\n
    fmv.d.x f\n, t0
    .endr
    andi    t0, a0, 3
    csrw    frm, t0
1:  differs tp, 1
    differs gp, 2
    csrr    t0, sscratch
    differs t0, 4
    csrr    t0, sepc
    differs t0, 4
    csrr    t0, stvec
    differs t0, 4
    csrr    t0, stval
    differs t0, 4
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    fmv.x.d t0, f\n
    differs t0, 32+\n
    .endr
    csrr    t0, frm
    andi    t3, a0, 3
    li      t1, 99
    bne     t0, t3, 9f
    rdtime  t0
    bltu    t0, a3, 1b
    li      t1, 0
9:  mv      a0, t1
    ld      tp, 0(sp)
    ld      gp, 8(sp)
    addi    sp, sp, 16
    ret
