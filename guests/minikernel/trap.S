/* SPDX-License-Identifier: BSD-2-Clause */
    .option norvc
    .text

/* Saves or loads x3..x31 of a frame at sp. */
    .macro  each_register op
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op     x\n, 8*\n(sp)
    .endr
    .endm

/* sscratch: the top of the kernel's stack while the user program runs, where its tp is kept; 0 in the
 * kernel. */
    .balign 4
    .globl  mini_trap
mini_trap:
    csrrw   sp, sscratch, sp            /* the kernel's stack, or 0 */
    bnez    sp, 1f
    csrrw   sp, sscratch, sp            /* from the kernel: it was the right one */
    addi    sp, sp, -256
    sd      ra, 8(sp)
    each_register sd
    addi    ra, sp, 256
    sd      ra, 16(sp)                  /* sp as it was */
    j       2f
1:  addi    sp, sp, -256                /* from the user */
    sd      ra, 8(sp)
    each_register sd
    csrrw   ra, sscratch, zero          /* in the kernel now */
    sd      ra, 16(sp)
    ld      tp, 256(sp)                 /* the kernel's tp */
2:  csrr    ra, sepc
    sd      ra, 0(sp)
    mv      a0, sp
    call    mini_trap_handle            /* mini_trap_handle(frame) */
    ld      ra, 0(sp)
    csrw    sepc, ra
    csrr    ra, sstatus
    andi    ra, ra, 0x100               /* SPP */
    bnez    ra, 3f
    addi    ra, sp, 256
    csrw    sscratch, ra                /* back to the user */
3:  ld      ra, 8(sp)
    each_register ld
    ld      sp, 16(sp)
    sret

/* mini_enter_user(pc, sp): for ever. The kernel's stack begins anew at the next trap. */
    .globl  mini_enter_user
mini_enter_user:
    addi    sp, sp, -16
    andi    sp, sp, -16
    sd      tp, 0(sp)
    csrw    sscratch, sp
    csrw    sepc, a0
    li      t0, 0x100
    csrc    sstatus, t0                 /* SPP: user */
    li      t0, 0x20
    csrs    sstatus, t0                 /* SPIE: interrupts on */
    mv      sp, a1
    sret
