/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out of it, between two page-table roots.
 *
 * The guest runs in U-mode on a shadow root, which has nothing of Caldarium but the hole: this page of
 * code and one page of data a hart (struct s_hart_page), both for S-mode alone. Caldarium's own root
 * has the same hole at the same address, so code in it goes on when satp changes.
 *
 * While a guest runs: stvec points into the hole, sscratch at the hart's page there. On the hart's
 * stack lies what s_enter() saved.
 */
#include "engine/h/offsets.h"
#include "riscv/csr.h"

/* struct s_hart_page */
#define P_T0 0
#define P_SP 8
#define P_HOST_SATP 16
#define P_VCPU 24
#define P_TRAP 32
#define P_T1 40
#define P_SHADOW_SATP 48
#define P_LEAVE 56

    .section .text.s_hole, "ax"
    .balign 4096                        /* a page of its own: a guest's root shows nothing else */
    .globl  s_hole_code
s_hole_code:

/* The two ways below exist twice: harts without enough ASIDs flush at each change of root. */
.macro way_in fence
    csrrw   sp, CSR_SSCRATCH, sp        /* sp = the hart's page */
    sd      t0, P_T0(sp)
    csrrw   t0, CSR_SSCRATCH, sp        /* t0 = the guest's sp; sscratch as before: may trap again */
    sd      t0, P_SP(sp)
    ld      t0, P_HOST_SATP(sp)
    csrw    CSR_SATP, t0                /* from here on Caldarium's own root */
    .if \fence
    sfence.vma
    .endif
    ld      t0, P_VCPU(sp)
    sd      t1, V_GPR(6)(t0)
    ld      t1, P_T0(sp)                /* the guest's t0 and sp, from the page into the vCPU */
    sd      t1, V_GPR(5)(t0)
    ld      t1, P_SP(sp)
    sd      t1, V_GPR(2)(t0)
    ld      t1, P_TRAP(sp)              /* s_trap, at its address in Caldarium's root */
    mv      sp, t0                      /* sp = vCPU */
    jr      t1
.endm

/* t0 = the shadow root's satp, t1 = the hart's page. */
.macro way_out fence
    csrw    CSR_SATP, t0
    .if \fence
    sfence.vma
    .endif
    ld      t0, P_T0(t1)
    ld      sp, P_SP(t1)
    ld      t1, P_T1(t1)
    sret
.endm

    .globl  s_in_asid, s_in_flush, s_out_asid, s_out_flush
    .balign 4                           /* stvec: direct mode */
s_in_asid:
    way_in  0
    .balign 4
s_in_flush:
    way_in  1
    .balign 4
s_out_asid:
    way_out 0
    .balign 4
s_out_flush:
    way_out 1
    .balign 4096

    .text

/* A trap, from the hole: sp = vCPU, which has t0, t1 and sp already. */
    .globl  s_trap
    .balign 4
s_trap:
    csrr    t0, CSR_SSTATUS             /* from the guest, or from Caldarium while one is loaded? */
    andi    t0, t0, SSTATUS_SPP
    bnez    t0, inside
    sd      ra, V_GPR(1)(sp)
    sd      gp, V_GPR(3)(sp)
    sd      tp, V_GPR(4)(sp)
    sd      t2, V_GPR(7)(sp)
    sd      s0, V_GPR(8)(sp)
    sd      s1, V_GPR(9)(sp)
    sd      a0, V_GPR(10)(sp)
    sd      a1, V_GPR(11)(sp)
    sd      a2, V_GPR(12)(sp)
    sd      a3, V_GPR(13)(sp)
    sd      a4, V_GPR(14)(sp)
    sd      a5, V_GPR(15)(sp)
    sd      a6, V_GPR(16)(sp)
    sd      a7, V_GPR(17)(sp)
    sd      s2, V_GPR(18)(sp)
    sd      s3, V_GPR(19)(sp)
    sd      s4, V_GPR(20)(sp)
    sd      s5, V_GPR(21)(sp)
    sd      s6, V_GPR(22)(sp)
    sd      s7, V_GPR(23)(sp)
    sd      s8, V_GPR(24)(sp)
    sd      s9, V_GPR(25)(sp)
    sd      s10, V_GPR(26)(sp)
    sd      s11, V_GPR(27)(sp)
    sd      t3, V_GPR(28)(sp)
    sd      t4, V_GPR(29)(sp)
    sd      t5, V_GPR(30)(sp)
    sd      t6, V_GPR(31)(sp)
    ld      sp, V_HOST_SP(sp)           /* return from s_enter() */
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
    ld      tp, 104(sp)
    addi    sp, sp, 112
    ret

inside:
    ld      sp, V_HOST_SP(sp)
    addi    sp, sp, -512                /* clear of what was in use, for the message alone */
    call    s_trap_inside               /* reports scause, sepc, stval; never returns */

/* void s_enter(struct engine_vcpu *v): sepc and sstatus are as the guest needs them, stvec and
 * sscratch point into the hole, the hart's page is filled in. */
    .globl  s_enter
s_enter:
    addi    sp, sp, -112
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
    sd      tp, 104(sp)                 /* our hart pointer */
    sd      sp, V_HOST_SP(a0)
    mv      sp, a0
    ld      ra, V_GPR(1)(sp)
    ld      gp, V_GPR(3)(sp)
    ld      tp, V_GPR(4)(sp)
    ld      t2, V_GPR(7)(sp)
    ld      s0, V_GPR(8)(sp)
    ld      s1, V_GPR(9)(sp)
    ld      a0, V_GPR(10)(sp)
    ld      a1, V_GPR(11)(sp)
    ld      a2, V_GPR(12)(sp)
    ld      a3, V_GPR(13)(sp)
    ld      a4, V_GPR(14)(sp)
    ld      a5, V_GPR(15)(sp)
    ld      a6, V_GPR(16)(sp)
    ld      a7, V_GPR(17)(sp)
    ld      s2, V_GPR(18)(sp)
    ld      s3, V_GPR(19)(sp)
    ld      s4, V_GPR(20)(sp)
    ld      s5, V_GPR(21)(sp)
    ld      s6, V_GPR(22)(sp)
    ld      s7, V_GPR(23)(sp)
    ld      s8, V_GPR(24)(sp)
    ld      s9, V_GPR(25)(sp)
    ld      s10, V_GPR(26)(sp)
    ld      s11, V_GPR(27)(sp)
    ld      t3, V_GPR(28)(sp)
    ld      t4, V_GPR(29)(sp)
    ld      t5, V_GPR(30)(sp)
    ld      t6, V_GPR(31)(sp)
    csrr    t1, CSR_SSCRATCH            /* the hart's page, in the hole */
    ld      t0, V_GPR(5)(sp)            /* what the hole has to restore: t0, t1, sp */
    sd      t0, P_T0(t1)
    ld      t0, V_GPR(6)(sp)
    sd      t0, P_T1(t1)
    ld      t0, V_GPR(2)(sp)
    sd      t0, P_SP(t1)
    ld      t0, P_SHADOW_SATP(t1)
    ld      sp, P_LEAVE(t1)             /* s_out_*, in the hole */
    jr      sp
