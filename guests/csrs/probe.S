/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a few instructions in S- or U-mode and comes back, whatever they do to the CSRs and however they
 * trap. Nothing here relies on a CSR but stvec, and that only where the instructions trap.
 */
#include "riscv/csr.h"

/* struct probe (csrs.h) */
#define P_A0 0
#define P_A1 8
#define P_A2 16
#define P_CAUSE 24
#define P_EPC 32
#define P_TVAL 40

/* What C keeps across a call. */
.macro each_kept operation
    \operation ra, 0(sp)
    \operation gp, 8(sp)
    \operation tp, 16(sp)
    \operation s0, 24(sp)
    \operation s1, 32(sp)
    \operation s2, 40(sp)
    \operation s3, 48(sp)
    \operation s4, 56(sp)
    \operation s5, 64(sp)
    \operation s6, 72(sp)
    \operation s7, 80(sp)
    \operation s8, 88(sp)
    \operation s9, 96(sp)
    \operation s10, 104(sp)
    \operation s11, 112(sp)
.endm

    .text
/* void probe_run(uint64_t a0, bool user): the code at probe_code, with a0. Its results, and the trap that
 * ended it, are in `probe`. */
    .globl  probe_run
probe_run:
    addi    sp, sp, -128
    each_kept sd
    lla     t0, probe_sp
    sd      sp, 0(t0)
    fence.i
    lla     t0, probe_code
    bnez    a1, 1f
    li      a2, 0
    jr      t0
1:  csrw    CSR_SEPC, t0
    li      t0, SSTATUS_SPP
    csrc    CSR_SSTATUS, t0
    li      a1, 0
    li      a2, 0
    sret

/* Each run ends here, with its ebreak at the latest. */
    .globl  probe_vector
    .balign 4
probe_vector:
    lla     t0, probe
    sd      a0, P_A0(t0)
    sd      a1, P_A1(t0)
    sd      a2, P_A2(t0)
    csrr    t1, CSR_SCAUSE
    sd      t1, P_CAUSE(t0)
    csrr    t1, CSR_SEPC
    sd      t1, P_EPC(t0)
    csrr    t1, CSR_STVAL
    sd      t1, P_TVAL(t0)
    lla     t0, probe_sp
    ld      sp, 0(t0)
    each_kept ld
    addi    sp, sp, 128
    ret

    .bss
    .balign 8
probe_sp:
    .dword  0
    .balign 64
    .globl  probe_code
probe_code:
    .space  64
