/* SPDX-License-Identifier: BSD-2-Clause */
/* The measured loops and the trap handler, in assembly so that what they cost is known. */
#include "riscv/csr.h"

    .text
/* void loop_sbi(uint64_t count, uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
 *               uint64_t a2): count SBI calls; three instructions a round are the loop's own. */
    .globl  loop_sbi
loop_sbi:
    mv      t0, a0                      /* rounds; the SBI keeps all but a0, a1 */
    mv      a7, a1
    mv      a6, a2
    mv      t1, a3
    mv      t2, a4
    mv      a2, a5
    li      a3, 0
    li      a4, 0
1:  mv      a0, t1                      /* the SBI answers in these two */
    mv      a1, t2
    ecall
    addi    t0, t0, -1
    bnez    t0, 1b
    ret

/* void loop_empty(uint64_t count): get_spec_version, the emptiest call there is. */
    .globl  loop_empty
loop_empty:
    mv      t0, a0
    li      a7, 0x10
    li      a6, 0
1:  ecall
    addi    t0, t0, -1
    bnez    t0, 1b
    ret

/* void loop_timer(uint64_t count): set_timer, never. a1 is no argument of it. */
    .globl  loop_timer
loop_timer:
    mv      t0, a0
    li      a7, 0x54494D45
    li      a6, 0
1:  li      a0, -1
    ecall
    addi    t0, t0, -1
    bnez    t0, 1b
    ret

/* void loop_csrr(uint64_t count), and so on: privileged instructions that Linux executes most. The
 * eight instructions between keep an engine that goes on behind a trap from doing several in one. */
.macro alone name, code:vararg
    .globl  \name
\name:
    li      t1, 1 << 18                 /* SUM */
1:  \code
    .rept 8
    xor     t2, t2, t0
    .endr
    addi    a0, a0, -1
    bnez    a0, 1b
    ret
.endm
    alone   loop_csrr, csrr t0, CSR_SSTATUS
    alone   loop_csrw, csrw CSR_SSCRATCH, t0
    alone   loop_sie, csrci CSR_SSTATUS, 2; csrsi CSR_SSTATUS, 2
    alone   loop_sum, csrs CSR_SSTATUS, t1; csrc CSR_SSTATUS, t1
    alone   loop_sfence, sfence.vma a1

/* void loop_load(uint64_t count, const void *at): lw. */
    .globl  loop_load
loop_load:
1:  lw      t0, 0(a1)
    addi    a0, a0, -1
    bnez    a0, 1b
    ret

/* void loop_load_byte(uint64_t count, const void *at): lbu. */
    .globl  loop_load_byte
loop_load_byte:
1:  lbu     t0, 0(a1)
    addi    a0, a0, -1
    bnez    a0, 1b
    ret

/* void loop_store_byte(uint64_t count, void *at, uint64_t byte): sb. */
    .globl  loop_store_byte
loop_store_byte:
1:  sb      a2, 0(a1)
    addi    a0, a0, -1
    bnez    a0, 1b
    ret

/* void loop_touch(uint64_t pages, void *at): a store into each page. */
    .globl  loop_touch
loop_touch:
    li      t0, 4096
    slli    a0, a0, 12                  /* where to end */
    add     a0, a0, a1
1:  sd      zero, 0(a1)
    add     a1, a1, t0
    bne     a1, a0, 1b
    ret

/*
 * void loop_user(uint64_t count): count system calls from U-mode and back, through a handler that does
 * what none can do without: finds out why, moves the pc on, returns. A last call, with a7 not 0, leaves.
 */
    .globl  loop_user
loop_user:
    lla     t0, user_trap
    lla     t1, user_calls
    li      a7, 0
    j       to_user
user_calls:
    ecall
    addi    a0, a0, -1
    bnez    a0, user_calls
    li      a7, 1
    ecall
    .balign 4
user_trap:
    csrw    CSR_SSCRATCH, t0
    bnez    a7, from_user
    csrr    t0, CSR_SEPC
    addi    t0, t0, 4
    csrw    CSR_SEPC, t0
    csrr    t0, CSR_SCAUSE
    csrr    t0, CSR_SSCRATCH
    sret

/*
 * void loop_faults(uint64_t count, uintptr_t at, uint64_t user): count loads in U-mode from a page that
 * is not there, through a handler that looks at cause and address, moves the pc on and returns. `user`
 * is what lies between this code's address and the one where U-mode may run it. The ecall leaves.
 */
    .globl  loop_faults
loop_faults:
    lla     t0, fault_trap
    lla     t1, fault_loads
    add     t1, t1, a2
    j       to_user
    .option push
    .option norvc                       /* the handler moves on by four */
fault_loads:
    ld      t1, 0(a1)
    addi    a0, a0, -1
    bnez    a0, fault_loads
    ecall
    .option pop
    .balign 4
fault_trap:
    csrw    CSR_SSCRATCH, t0
    csrr    t0, CSR_SCAUSE
    addi    t0, t0, -CAUSE_USER_ECALL
    beqz    t0, from_user
    csrr    t0, CSR_STVAL
    csrr    t0, CSR_SEPC
    addi    t0, t0, 4
    csrw    CSR_SEPC, t0
    csrr    t0, CSR_SSCRATCH
    sret

/* Into U-mode at t1, with t0 for its traps; what called the loop goes on behind from_user. */
to_user:
    lla     t2, kept
    sd      ra, 0(t2)
    csrr    t3, CSR_STVEC
    sd      t3, 8(t2)
    csrw    CSR_STVEC, t0
    csrw    CSR_SEPC, t1
    li      t0, SSTATUS_SPP             /* clear: sret goes to U-mode */
    csrc    CSR_SSTATUS, t0
    sret
from_user:
    lla     t0, kept
    ld      t1, 8(t0)
    csrw    CSR_STVEC, t1
    ld      ra, 0(t0)
    ret

/*
 * The trap handler: counts in `taken`, notes the time in `when`, takes a software interrupt away,
 * and turns a timer interrupt off. Its own cost, some ten instructions, is in the figures.
 */
    .balign 4
    .globl  bench_trap
bench_trap:
    csrw    CSR_SSCRATCH, t0
    lla     t0, save
    sd      t1, 0(t0)
    rdtime  t1
    sd      t1, 8(t0)                   /* when */
    csrr    t1, CSR_SCAUSE
    andi    t1, t1, 15
    addi    t1, t1, -IRQ_S_SOFT
    bnez    t1, 1f
    csrci   CSR_SIP, 2                  /* software: clear it */
    j       2f
1:  li      t1, 32                      /* timer: don't take it again */
    csrc    CSR_SIE, t1
2:  ld      t1, 16(t0)                  /* taken++ */
    addi    t1, t1, 1
    sd      t1, 16(t0)
    ld      t1, 0(t0)
    csrr    t0, CSR_SSCRATCH
    sret

    .bss
    .balign 8
kept:
    .space  16
    .globl  save
save:
    .space  8
    .globl  when
when:
    .space  8
    .globl  taken
taken:
    .space  8
