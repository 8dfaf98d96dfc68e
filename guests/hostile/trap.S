/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/csr.h"

#define CTX_BYTES 688
#define C_KEPT(n) (8 * (n))
#define C_TRYING 128
#define C_CAUSE 136
#define C_EPC 144
#define C_TVAL 152
#define C_X(n) (176 + 8 * (n))

    .option norvc
    .option norelax                     /* a shortened jump would put the vectors off their places */
    .text
/* hostile_try(context, pc, sstatus) */
    .globl  hostile_try
hostile_try:
    sd      ra, C_KEPT(0)(a0)
    sd      sp, C_KEPT(1)(a0)
    sd      gp, C_KEPT(2)(a0)
    sd      tp, C_KEPT(3)(a0)
    sd      s0, C_KEPT(4)(a0)
    sd      s1, C_KEPT(5)(a0)
    sd      s2, C_KEPT(6)(a0)
    sd      s3, C_KEPT(7)(a0)
    sd      s4, C_KEPT(8)(a0)
    sd      s5, C_KEPT(9)(a0)
    sd      s6, C_KEPT(10)(a0)
    sd      s7, C_KEPT(11)(a0)
    sd      s8, C_KEPT(12)(a0)
    sd      s9, C_KEPT(13)(a0)
    sd      s10, C_KEPT(14)(a0)
    sd      s11, C_KEPT(15)(a0)
    li      t0, 1
    sd      t0, C_TRYING(a0)
    csrw    CSR_SEPC, a1
    csrw    CSR_SSTATUS, a2             /* SPP: the mode; SPIE: with interrupts */
    .irp    n, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, C_X(\n)(a0)
    .endr
    ld      a0, C_X(10)(a0)
    sret

/* Whatever the trap is, it ends the try. sscratch is nobody's, so it may hold t0. */
common:
    csrw    CSR_SATP, zero              /* we are mapped where we lie, in every table of ours */
    sfence.vma
    sd      a0, C_X(10)(t0)             /* for those who look at the answer */
    sd      a1, C_X(11)(t0)
    csrw    CSR_SIE, zero
    csrr    t1, CSR_SCAUSE
    sd      t1, C_CAUSE(t0)
    csrr    t1, CSR_SEPC
    sd      t1, C_EPC(t0)
    csrr    t1, CSR_STVAL
    sd      t1, C_TVAL(t0)
    li      t1, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL
    csrw    CSR_SSTATUS, t1
    mv      a0, t0
    ld      t1, C_TRYING(a0)
    beqz    t1, 1f
    sd      zero, C_TRYING(a0)
    ld      ra, C_KEPT(0)(a0)
    ld      sp, C_KEPT(1)(a0)
    ld      gp, C_KEPT(2)(a0)
    ld      tp, C_KEPT(3)(a0)
    ld      s0, C_KEPT(4)(a0)
    ld      s1, C_KEPT(5)(a0)
    ld      s2, C_KEPT(6)(a0)
    ld      s3, C_KEPT(7)(a0)
    ld      s4, C_KEPT(8)(a0)
    ld      s5, C_KEPT(9)(a0)
    ld      s6, C_KEPT(10)(a0)
    ld      s7, C_KEPT(11)(a0)
    ld      s8, C_KEPT(12)(a0)
    ld      s9, C_KEPT(13)(a0)
    ld      s10, C_KEPT(14)(a0)
    ld      s11, C_KEPT(15)(a0)
    ret
1:  tail    hostile_unexpected          /* hostile_unexpected(context) */

    .altmacro
    .macro  vector n
    .balign 4
vector_\n:
    csrw    CSR_SSCRATCH, t0
    lla     t0, contexts + \n * CTX_BYTES
    j       common
    .endm
    .irp    n, 0,1,2,3,4,5,6,7
    vector  \n
    .endr

    .section .rodata
    .balign 8
    .globl  hostile_vectors
hostile_vectors:
    .irp    n, 0,1,2,3,4,5,6,7
    .dword  vector_\n
    .endr
