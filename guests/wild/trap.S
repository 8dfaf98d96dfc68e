/* SPDX-License-Identifier: BSD-2-Clause */
    .option norvc
    .text
/* A trap handler that does nothing but trap. */
    .balign 4
    .globl  wild_ebreaks
wild_ebreaks:
    ebreak
    j       wild_ebreaks

/* Notes what happened and goes on behind the instruction, which is 4 bytes long. Changes t1, t2. */
    .balign 4
    .globl  wild_handler
wild_handler:
    addi    sp, sp, -16
    sd      t1, 0(sp)
    sd      t2, 8(sp)
    lla     t1, wild_cause
    csrr    t2, scause
    sd      t2, 0(t1)                   /* wild_cause */
    csrr    t2, stval
    sd      t2, 8(t1)                   /* wild_tval */
    csrr    t2, sepc
    addi    t2, t2, 4
    csrw    sepc, t2
    ld      t1, 0(sp)
    ld      t2, 8(sp)
    addi    sp, sp, 16
    sret

    .bss
    .balign 8
    .globl  wild_cause, wild_tval
wild_cause:
    .dword  0
wild_tval:
    .dword  0
