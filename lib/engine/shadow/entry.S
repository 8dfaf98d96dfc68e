/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out of it, between two page-table roots or on one (apart.c).
 *
 * Where Caldarium lies apart from guests it is in every shadow root: traps come to s_trap_here, and
 * satp is written on the way back alone, where the guest's view changes. Elsewhere the guest runs in U-mode on a shadow root, which has nothing of Caldarium but the trampoline: this page of
 * code and one page of data a hart (struct s_hart_page), both for S-mode alone. Caldarium's own root
 * has the same trampoline at the same address, so code in it goes on when satp changes.
 *
 * While a guest runs: stvec points into the trampoline, sscratch at the hart's page there. On the hart's
 * stack lie what s_enter() saved and, on top, the vCPU's address. The guest's t0, t1 and sp are in the
 * hart's page from its trap to its return; a trap that is not an SBI call copies them into the vCPU. C code
 * runs with the host's gp and tp: a host may keep its own there for each hart (Linux has its current task in tp).
 */
#include "lib/engine/common/entry.inc"
#include "lib/engine/common/offsets.h"
#include "lib/engine/shadow/hart_page.h"
#include "riscv/csr.h"
#include "riscv/sbi.h"

    .section .trampoline, "ax"                /* a page of its own: a guest's root shows nothing else */
    .globl  s_trampoline_code
s_trampoline_code:

/* The two ways below exist twice: harts without enough ASIDs flush at each change of root. */
.macro way_in fence
    csrrw   sp, CSR_SSCRATCH, sp        /* sp = the hart's page */
    sd      t0, P_T0(sp)
    csrrw   t0, CSR_SSCRATCH, sp        /* t0 = the guest's sp; sscratch as before: may trap again */
    sd      t0, P_SP(sp)
    sd      t1, P_T1(sp)
    ld      t0, P_HOST_SATP(sp)
    csrw    CSR_SATP, t0                /* from here on Caldarium's own root */
    .if \fence
    sfence.vma
    .endif
    ld      t1, P_TRAP(sp)              /* s_trap, at its address in Caldarium's root */
    jr      t1
.endm

/* t1 = the hart's page. */
.macro way_out fence
    ld      t0, P_SHADOW_SATP(t1)
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

    .text

/* The registers that each_clobbered leaves, but for t0, t1 and sp. */
.macro each_other operation, vcpu=sp
    each_kept \operation, \vcpu
    \operation a0, V_GPR(10)(\vcpu)
    \operation a1, V_GPR(11)(\vcpu)
.endm

/* Back to the guest behind its ecall, with the answer in a0 and a1. sp = the hart's stack. */
.macro hot_answer
    csrr    t0, CSR_SEPC                /* the ecall's address */
    ld      sp, 0(sp)                   /* sp = vCPU again */
    addi    t0, t0, 4                   /* go on behind the ecall (it has no compressed form) */
    csrw    CSR_SEPC, t0
    lbu     t1, V_S_DUE(sp)             /* an interrupt for the guest, or tables that are gone? */
    bnez    t1, sbi_due
    each_clobbered ld
    csrr    t1, CSR_SSCRATCH            /* the hart's page: has t0, t1 and sp as they were */
    ld      t0, P_LEAVE(t1)             /* s_out_*, in the trampoline */
    jr      t0
.endm

/* Where no root changes: stvec leads here, and s_hart_page.leave there. */
.macro out_here fence
    ld      t0, P_SHADOW_SATP(t1)
    ld      sp, P_IN_FORCE(t1)
    beq     t0, sp, 1f
    csrw    CSR_SATP, t0
    .if \fence
    sfence.vma
    .endif
    sd      t0, P_IN_FORCE(t1)
1:  ld      t0, P_T0(t1)
    ld      sp, P_SP(t1)
    ld      t1, P_T1(t1)
    sret
.endm
    .globl  s_out_here_asid, s_out_here_flush, s_trap_here
s_out_here_asid:
    out_here 0
s_out_here_flush:
    out_here 1
    .balign 4
s_trap_here:
    csrrw   sp, CSR_SSCRATCH, sp        /* as way_in */
    sd      t0, P_T0(sp)
    csrrw   t0, CSR_SSCRATCH, sp
    sd      t0, P_SP(sp)
    sd      t1, P_T1(sp)
    /* goes on below */

/* A trap, from the trampoline or from above. sp = the hart's page, t0 and t1 are free. */
    .globl  s_trap
    .balign 4
s_trap:
    csrr    t0, CSR_SCAUSE
    ld      t1, P_VCPU(sp)
    addi    t0, t0, -CAUSE_BREAKPOINT
    beqz    t0, s_place_here            /* of the kernel's privileged instructions, nearly all */
    addi    t0, t0, CAUSE_BREAKPOINT - CAUSE_USER_ECALL
    bnez    t0, s_not_sbi
    lbu     t0, V_S_USER(t1)            /* the guest's own user calls its kernel, not us */
    bnez    t0, s_place_call
    mv      sp, t1                      /* sp = vCPU */
    each_clobbered sd
    li      t0, SBI_EXT_BASE
    beq     a7, t0, base
    lwu     t0, V_SBI_ID(0)(sp)
    beq     a7, t0, time
    lwu     t0, V_SBI_ID(1)(sp)
    beq     a7, t0, ipi
    lwu     t0, V_SBI_ID(2)(sp)
    beq     a7, t0, rfence
    /* Another extension. One that is not there is answered at once, the rest takes the slow path, by
     * way of s_hot(). */
    hot_sbi_missing answered
    ld      a0, V_GPR(10)(sp)
    ld      a1, V_GPR(11)(sp)
    j       clobbered_saved
base:
    hot_sbi sbi_hot_base
time:
    hot_sbi sbi_hot_time
ipi:
    hot_sbi sbi_hot_ipi
rfence:
    hot_sbi sbi_hot_rfence
answered:
    hot_answer

sbi_due:
    /* The answer is in a0 and a1; what is due may change any register's place, pc and mode. */
    each_other sd
    jal     page_to_vcpu
    mv      a0, sp
    to_host
    call    s_hot_due
    j       go_on

/* sp = the hart's page, t1 = vCPU. */
    .globl  s_not_sbi
s_not_sbi:
    csrr    t0, CSR_SSTATUS             /* from the guest, or from Caldarium while one is loaded? */
    andi    t0, t0, SSTATUS_SPP
    bnez    t0, inside
    mv      sp, t1                      /* sp = vCPU */
    each_clobbered sd
clobbered_saved:
    each_other sd
    jal     page_to_vcpu
    mv      a0, sp
    to_host
    call    s_hot                       /* true: answered, the guest goes on */
    beqz    a0, leave
go_on:
    ld      sp, 0(sp)                   /* sp = vCPU */
    each_clobbered ld
    csrr    t1, CSR_SSCRATCH            /* what the trampoline has to restore: t0, t1, sp */
    ld      t0, V_GPR(5)(sp)
    sd      t0, P_T0(t1)
    ld      t0, V_GPR(6)(sp)
    sd      t0, P_T1(t1)
    ld      t0, V_GPR(2)(sp)
    sd      t0, P_SP(t1)
    each_other ld
    ld      t0, P_LEAVE(t1)             /* s_out_*, in the trampoline */
    jr      t0

/* An ecall of the guest's U-mode that place_entry.S leaves to C: as in s_not_sbi, but with sp and t1 as s_trap has
 * them, which spares what page_to_vcpu has to ask for. */
    .globl  s_guests_own
s_guests_own:
    ld      t0, P_SP(sp)                /* the guest's t0, t1 and sp, from the hart's page */
    sd      t0, V_GPR(2)(t1)
    ld      t0, P_T0(sp)
    sd      t0, V_GPR(5)(t1)
    ld      t0, P_T1(sp)
    sd      t0, V_GPR(6)(t1)
    each_clobbered sd, t1
    each_other sd, t1
    mv      a0, t1                      /* the vCPU is s_hot_call's argument */
    to_host t1
    call    s_hot_call                  /* it always goes on */
    j       go_on

/* sp = vCPU: the guest's t0, t1 and sp from the hart's page into it. Clobbers t0, t1 and ra. */
page_to_vcpu:
    csrr    t1, CSR_SSCRATCH
    ld      t0, P_T0(t1)
    sd      t0, V_GPR(5)(sp)
    ld      t0, P_T1(t1)
    sd      t0, V_GPR(6)(sp)
    ld      t0, P_SP(t1)
    sd      t0, V_GPR(2)(sp)
    ret

leave:
    leave_run

inside:
    to_host t1
    addi    sp, sp, -512                /* clear of what was in use, for the message alone */
    call    engine_trap_inside          /* reports scause, sepc, stval; never returns */

/* void s_enter(struct engine_vcpu *v): runs the guest; returns when an exit needs more than s_hot().
 * sepc and sstatus are as the guest needs them, stvec and sscratch point into the trampoline, the hart's
 * page is filled in. */
    .globl  s_enter
s_enter:
    enter_run
    j       go_on
