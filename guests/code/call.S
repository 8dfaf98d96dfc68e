/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/csr.h"

    .text
/* uint64_t code_call(const void *at): jumps there with a0 = at; it returns. */
    .globl  code_call, code_switch
code_call:
code_switch:
    jr      a0

/* A trap of S-mode's own: counted, and passed over, be it of two bytes or of four. All registers stay. */
    .globl  code_trap
    .balign 4
code_trap:
    addi    sp, sp, -32
    sd      t0, 0(sp)
    sd      t1, 8(sp)
    lla     t0, code_traps
    ld      t1, 0(t0)
    addi    t1, t1, 1
    sd      t1, 0(t0)
    csrr    t1, CSR_SCAUSE
    sd      t1, 8(t0)
    csrr    t1, CSR_SEPC
    sd      t1, 16(t0)
    lhu     t0, 0(t1)
    andi    t0, t0, 3
    addi    t0, t0, -3
    addi    t1, t1, 2
    bnez    t0, 1f
    addi    t1, t1, 2
1:  csrw    CSR_SEPC, t1
    ld      t0, 0(sp)
    ld      t1, 8(sp)
    addi    sp, sp, 32
    sret

/* Where the second hart starts: a1 = its stack. */
    .globl  code_second
code_second:
    mv      sp, a1
    j       second_main

    .bss
    .balign 8
    .globl  code_traps, code_cause, code_epc
code_traps:
    .skip 8
code_cause:
    .skip 8
code_epc:
    .skip 8
