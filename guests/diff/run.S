/* SPDX-License-Identifier: BSD-2-Clause */
/* One step: into the code under test and out of it. tp = the context throughout. */
#include "riscv/csr.h"

#define C_GPR(n) ((n) * 8)
#define C_SSTATUS 256
#define C_STVEC 264
#define C_SCAUSE 272
#define C_SEPC 280
#define C_STVAL 288
#define C_ENTRY 296
#define C_PC 304
#define C_SP 312
#define ENTRY_NONE 64

    .option norvc
    .text

.macro all_but_t0 op
    .irp n, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op     x\n, C_GPR(\n)(tp)
    .endr
.endm

/* What C wants to find again. */
.macro enter
    addi    sp, sp, -128
    sd      ra, 0(sp)
    sd      s0, 8(sp)
    sd      s1, 16(sp)
    sd      s2, 24(sp)
    sd      s3, 32(sp)
    sd      s4, 40(sp)
    sd      s5, 48(sp)
    sd      s6, 56(sp)
    sd      s7, 64(sp)
    sd      s8, 72(sp)
    sd      s9, 80(sp)
    sd      s10, 88(sp)
    sd      s11, 96(sp)
    sd      gp, 104(sp)
    lla     tp, context
    sd      sp, C_SP(tp)
    all_but_t0 ld
    ld      t0, C_STVEC(tp)
    csrw    CSR_STVEC, t0               /* from here on a trap belongs to the step */
.endm

    .globl  run_supervisor
run_supervisor:
    enter
    ld      t0, C_SSTATUS(tp)
    csrw    CSR_SSTATUS, t0             /* SIE may be in it: an interrupt comes here, at the next */
    ld      t0, C_GPR(5)(tp)
    j       step_code

    .globl  run_user
run_user:
    enter
    ld      t0, C_PC(tp)
    csrw    CSR_SEPC, t0
    ld      t0, C_SSTATUS(tp)           /* SIE is clear in it */
    csrw    CSR_SSTATUS, t0
    ld      t0, C_GPR(5)(tp)
    sret

/* The code came to its end without a trap. */
    .globl  run_end
run_end:
    sd      t0, C_GPR(5)(tp)
    csrrci  t0, CSR_SSTATUS, SSTATUS_SIE
    sd      t0, C_SSTATUS(tp)
    li      t0, ENTRY_NONE
    j       leave

/* t0 = number of the entry; t0 itself is saved. */
trapped:
    sd      t0, C_ENTRY(tp)
    csrr    t0, CSR_SSTATUS
    sd      t0, C_SSTATUS(tp)
    csrr    t0, CSR_SCAUSE
    sd      t0, C_SCAUSE(tp)
    csrr    t0, CSR_SEPC
    sd      t0, C_SEPC(tp)
    csrr    t0, CSR_STVAL
    sd      t0, C_STVAL(tp)
    ld      t0, C_ENTRY(tp)
leave:
    sd      t0, C_ENTRY(tp)
    lla     t0, run_lost_vector         /* a trap outside a step ends the program */
    csrrw   t0, CSR_STVEC, t0
    sd      t0, C_STVEC(tp)
    all_but_t0 sd
    ld      sp, C_SP(tp)
    ld      ra, 0(sp)
    ld      s0, 8(sp)
    ld      s1, 16(sp)
    ld      s2, 24(sp)
    ld      s3, 32(sp)
    ld      s4, 40(sp)
    ld      s5, 48(sp)
    ld      s6, 56(sp)
    ld      s7, 64(sp)
    ld      s8, 72(sp)
    ld      s9, 80(sp)
    ld      s10, 88(sp)
    ld      s11, 96(sp)
    ld      gp, 104(sp)
    addi    sp, sp, 128
    ret

    .balign 4
    .globl  run_lost_vector
run_lost_vector:
    lla     sp, lost_stack              /* whatever sp was */
    call    run_lost

/* uint64_t second_call(uint64_t va) */
    .globl  second_call
second_call:
    jr      a0

/* Two tables, so that stvec has more than one right value. */
    .balign 256
    .globl  vectors_a, vectors_b
vectors_a:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    j       entry_\n
    .endr
    .balign 256
vectors_b:
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    j       entry_\n
    .endr

    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
entry_\n:
    sd      t0, C_GPR(5)(tp)
    li      t0, \n
    j       trapped
    .endr

/* Written anew for each step. In .text, so that a jump reaches run_end from it. */
    .balign 4096
    .globl  step_code
step_code:
    .space  4096

    .bss
    .balign 16
    .space  4096
lost_stack:
    .globl  context
context:
    .space  320
