/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way into the tests' firmware, firmware.c: each hart from reset, and each trap from S-mode. A
 * hart's stack is found by its id; mscratch holds its top while lower modes run.
 */
    .section .head, "ax"
    .globl  _start
_start:
    csrr    t0, mhartid
    li      t1, 4096
    addi    t0, t0, 1
    mul     t0, t0, t1
    lla     sp, stacks
    add     sp, sp, t0
    csrw    mscratch, sp
    lla     t0, trap
    csrw    mtvec, t0
    csrr    a0, mhartid
    j       firmware_main               /* firmware_main(hart id, tree), as QEMU has them in a0, a1 */

    .balign 4
trap:
    csrrw   sp, mscratch, sp
    addi    sp, sp, -128
    sd      ra, 0(sp)
    sd      t0, 8(sp)
    sd      t1, 16(sp)
    sd      t2, 24(sp)
    sd      a0, 32(sp)
    sd      a1, 40(sp)
    sd      a2, 48(sp)
    sd      a3, 56(sp)
    sd      a4, 64(sp)
    sd      a5, 72(sp)
    sd      a6, 80(sp)
    sd      a7, 88(sp)
    sd      t3, 96(sp)
    sd      t4, 104(sp)
    sd      t5, 112(sp)
    sd      t6, 120(sp)
    addi    a0, sp, 32
    call    firmware_trap               /* firmware_trap(a0 to a7, which it may change) */
    ld      ra, 0(sp)
    ld      t0, 8(sp)
    ld      t1, 16(sp)
    ld      t2, 24(sp)
    ld      a0, 32(sp)
    ld      a1, 40(sp)
    ld      a2, 48(sp)
    ld      a3, 56(sp)
    ld      a4, 64(sp)
    ld      a5, 72(sp)
    ld      a6, 80(sp)
    ld      a7, 88(sp)
    ld      t3, 96(sp)
    ld      t4, 104(sp)
    ld      t5, 112(sp)
    ld      t6, 120(sp)
    addi    sp, sp, 128
    csrrw   sp, mscratch, sp
    mret

/* _Noreturn void firmware_enter(hart id, a1, pc): S-mode begins there. */
    .globl  firmware_enter
firmware_enter:
    csrw    mepc, a2
    csrr    t0, mhartid
    li      t1, 4096
    addi    t0, t0, 1
    mul     t0, t0, t1
    lla     t1, stacks
    add     t0, t0, t1
    csrw    mscratch, t0
    mret

    .bss
    .balign 16
stacks:
    .space  4096 * 8
