/* SPDX-License-Identifier: BSD-2-Clause */
/* Measured loops of guests/bench/paging.c. */
#include "riscv/csr.h"

    .text
/* void loop_spaces(uint64_t count, uint64_t satp_a, uint64_t satp_b, uintptr_t at): count times to
 * the one address space and back, with a load in each; no fence, as a kernel with ASIDs does it. */
    .globl  loop_spaces
loop_spaces:
1:  csrw    CSR_SATP, a1
    ld      t0, 0(a3)
    csrw    CSR_SATP, a2
    ld      t0, 0(a3)
    addi    a0, a0, -1
    bnez    a0, 1b
    ret

/*
 * void loop_ticks(uint64_t count): count timer interrupts, each of whose handlers sets the next one, for
 * at once. a0, a6, a7 are the handler's, and a1 what the SBI may change; t2 counts.
 */
    .globl  loop_ticks
loop_ticks:
    mv      t2, a0
    csrr    t3, CSR_STVEC
    lla     t1, tick_trap
    csrw    CSR_STVEC, t1
    li      a7, 0x54494D45              /* TIME */
    li      a6, 0                       /* set_timer */
    li      a0, 0
    ecall
    li      t1, 32                      /* STIE */
    csrs    CSR_SIE, t1
    csrsi   CSR_SSTATUS, 2              /* SIE */
1:  bnez    t2, 1b
    csrci   CSR_SSTATUS, 2
    csrc    CSR_SIE, t1
    csrw    CSR_STVEC, t3
    ret

/*
 * uint64_t loop_ticks_ahead(uint64_t count, uint64_t period): count timer interrupts, each of whose
 * handlers sets the next one, `period` ticks behind its own. Returns how often the loop of two
 * instructions has gone round meanwhile: the rest of the time is what the interrupts took.
 */
    .globl  loop_ticks_ahead
loop_ticks_ahead:
    mv      t2, a0
    mv      t5, a1
    csrr    t3, CSR_STVEC
    lla     t1, ahead_trap
    csrw    CSR_STVEC, t1
    li      a7, 0x54494D45              /* TIME */
    li      a6, 0                       /* set_timer */
    csrr    t4, CSR_TIME
    add     t4, t4, t5
    mv      a0, t4
    ecall
    li      t1, 32                      /* STIE */
    csrs    CSR_SIE, t1
    li      t6, 0
    csrsi   CSR_SSTATUS, 2              /* SIE */
1:  addi    t6, t6, 1
    bnez    t2, 1b
    csrci   CSR_SSTATUS, 2
    csrc    CSR_SIE, t1
    csrw    CSR_STVEC, t3
    mv      a0, t6
    ret
    .balign 4
ahead_trap:
    csrr    t0, CSR_SCAUSE
    add     t4, t4, t5
    addi    t2, t2, -1
    mv      a0, t4
    bnez    t2, 1f
    li      a0, -1                      /* enough: never again */
    ecall
    li      t0, 32                      /* sstatus.SPIE: off when we return */
    csrc    CSR_SSTATUS, t0
    sret
1:  ecall
    sret

    .balign 4
tick_trap:
    csrr    t0, CSR_SCAUSE
    addi    t2, t2, -1
    bnez    t2, 1f
    li      a0, -1                      /* enough: never again */
    ecall
    li      t0, 32                      /* sstatus.SPIE: off when we return */
    csrc    CSR_SSTATUS, t0
    sret
1:  li      a0, 0
    ecall
    sret
