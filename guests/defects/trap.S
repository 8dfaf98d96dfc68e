/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/csr.h"
    .option norvc
    .text
/* void attempt_run(struct attempt *a): sret to a->pc; the next trap, whatever it is, returns. */
    .globl  attempt_run
attempt_run:
    sd      ra, 96(a0)                  /* what a C caller wants kept */
    sd      sp, 104(a0)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd      s\n, 112+8*\n(a0)
    .endr
    csrw    sscratch, a0
    lla     t0, attempt_trap
    csrw    stvec, t0
    ld      t0, 0(a0)
    csrw    sepc, t0
    li      t0, SSTATUS_SPP | SSTATUS_SPIE
    csrc    sstatus, t0
    ld      t0, 8(a0)                   /* user? */
    bnez    t0, 1f
    li      t0, SSTATUS_SPP
    csrs    sstatus, t0
1:  ld      t0, 16(a0)                  /* interrupts? */
    beqz    t0, 2f
    li      t0, SSTATUS_SPIE
    csrs    sstatus, t0
2:  ld      a1, 32(a0)
    ld      a2, 40(a0)
    ld      a6, 48(a0)
    ld      a7, 56(a0)
    ld      a0, 24(a0)
    sret

    .balign 4
attempt_trap:
    csrrw   t6, sscratch, t6            /* the attempt */
    sd      a0, 24(t6)
    sd      a1, 32(t6)
    csrr    t0, scause
    sd      t0, 64(t6)
    csrr    t0, stval
    sd      t0, 72(t6)
    csrr    t0, sepc
    sd      t0, 80(t6)
    csrr    t0, sstatus
    sd      t0, 88(t6)
    ld      ra, 96(t6)
    ld      sp, 104(t6)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld      s\n, 112+8*\n(t6)
    .endr
    ret
