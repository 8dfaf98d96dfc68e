/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Into the guest and out of it.
 *
 * While a guest runs: stvec points at h_trap, sscratch at its struct engine_vcpu (the vCPU). On the
 * hart's stack lie what h_enter() saved and, on top, the vCPU pointer again. C code runs with the host's
 * gp and tp: a host may keep its own there for each hart (Linux has its current task in tp).
 *
 * The first part of h_trap answers hot SBI calls, the plainest ones with no C at all. Under the SBI's calling convention a call keeps
 * every register but a0 and a1, so only what C may clobber is saved: ra, t0-t6, a2-a7. Every
 * instruction here counts against the budgets of docs/benchmarks.md.
 */
#include "lib/engine/common/entry.inc"
#include "lib/engine/common/offsets.h"
#include "riscv/csr.h"
#include "riscv/sbi.h"

    .text

/* Saves, then later restores, the registers that C may clobber, less t0, t1, a0, a1, and gp, tp, which are
 * the host's there. sp = vCPU. */
.macro save_clobbered
    sd      ra, V_GPR(1)(sp)
    sd      gp, V_GPR(3)(sp)
    sd      tp, V_GPR(4)(sp)
    sd      t2, V_GPR(7)(sp)
    sd      a2, V_GPR(12)(sp)
    sd      a3, V_GPR(13)(sp)
    sd      a4, V_GPR(14)(sp)
    sd      a5, V_GPR(15)(sp)
    sd      a6, V_GPR(16)(sp)
    sd      a7, V_GPR(17)(sp)
    sd      t3, V_GPR(28)(sp)
    sd      t4, V_GPR(29)(sp)
    sd      t5, V_GPR(30)(sp)
    sd      t6, V_GPR(31)(sp)
.endm

.macro restore_clobbered
    ld      ra, V_GPR(1)(sp)
    ld      gp, V_GPR(3)(sp)
    ld      tp, V_GPR(4)(sp)
    ld      t0, V_GPR(5)(sp)
    ld      t1, V_GPR(6)(sp)
    ld      t2, V_GPR(7)(sp)
    ld      a2, V_GPR(12)(sp)
    ld      a3, V_GPR(13)(sp)
    ld      a4, V_GPR(14)(sp)
    ld      a5, V_GPR(15)(sp)
    ld      a6, V_GPR(16)(sp)
    ld      a7, V_GPR(17)(sp)
    ld      t3, V_GPR(28)(sp)
    ld      t4, V_GPR(29)(sp)
    ld      t5, V_GPR(30)(sp)
    ld      t6, V_GPR(31)(sp)
.endm

/* The registers that C keeps for us. sp = vCPU. */
.macro save_kept
    sd      s0, V_GPR(8)(sp)
    sd      s1, V_GPR(9)(sp)
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
.endm

.macro restore_kept
    ld      s0, V_GPR(8)(sp)
    ld      s1, V_GPR(9)(sp)
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
.endm

/* Back to the guest behind its ecall, with the answer in a0 and a1. sp = the hart's stack. */
.macro hot_answer
    csrr    t0, CSR_SEPC                /* the ecall's address */
    ld      sp, 0(sp)                   /* sp = vCPU again */
    addi    t0, t0, 4                   /* go on behind the ecall (it has no compressed form) */
    csrw    CSR_SEPC, t0
    restore_clobbered
    ld      sp, V_GPR(2)(sp)            /* the guest's sp, last */
    sret
.endm

/*
 * A trap from the guest, or (a bug, or a machine error) from Caldarium while it answers a hot exit.
 */
    .balign 4
    .globl  h_trap
h_trap:
    csrrw   sp, CSR_SSCRATCH, sp        /* sp = vCPU, sscratch = the guest's sp */
    sd      t0, V_GPR(5)(sp)
    csrrw   t0, CSR_SSCRATCH, sp        /* t0 = the guest's sp, sscratch = vCPU: safe to trap again */
    sd      t0, V_GPR(2)(sp)
    csrr    t0, CSR_SCAUSE
    sd      t1, V_GPR(6)(sp)
    addi    t0, t0, -CAUSE_VS_ECALL     /* only a guest's S-mode can raise it */
    bnez    t0, not_sbi
    li      t0, SBI_EXT_BASE
    beq     a7, t0, base
    lwu     t0, V_SBI_ID(0)(sp)
    beq     a7, t0, time
    save_clobbered
    lwu     t0, V_SBI_ID(1)(sp)
    beq     a7, t0, ipi
    lwu     t0, V_SBI_ID(2)(sp)
    beq     a7, t0, rfence
    /* Another extension. One that is not there is answered at once, the rest takes the slow path. */
    hot_sbi_missing answered
    save_kept
    j       slow_saved

base:                                   /* what needs no C: all constants, not probe_extension */
    li      t0, SBI_BASE_PROBE
    beq     a6, t0, base_by_c
    li      t0, SBI_BASE_LAST
    bgtu    a6, t0, base_by_c
    ld      t0, V_VM(sp)                /* whose first words they are */
    slli    t1, a6, 3
    add     t0, t0, t1
    ld      a1, 0(t0)
    ld      t0, V_EXITS_SBI_BASE(sp)
    ld      t1, V_GPR(6)(sp)
    addi    t0, t0, 1
    sd      t0, V_EXITS_SBI_BASE(sp)
    j       short_answer
base_by_c:
    save_clobbered
    hot_sbi sbi_hot_base

time:                                   /* a timer of the guest's own is one register */
    lbu     t0, V_H_OWN_TIMER(sp)
    beqz    t0, time_by_c
    bnez    a6, time_by_c
    csrw    CSR_VSTIMECMP, a0
    ld      t0, V_EXITS_SBI_TIME(sp)
    li      a1, 0
    addi    t0, t0, 1
    sd      t0, V_EXITS_SBI_TIME(sp)
short_answer:                           /* success, a1 is set; all other registers but t0 and sp are the guest's */
    csrr    t0, CSR_SEPC
    li      a0, SBI_SUCCESS
    addi    t0, t0, 4
    csrw    CSR_SEPC, t0
    ld      t0, V_GPR(5)(sp)
    ld      sp, V_GPR(2)(sp)
    sret
time_by_c:
    save_clobbered
    hot_sbi sbi_hot_time

ipi:
    hot_sbi sbi_hot_ipi
rfence:
    hot_sbi sbi_hot_rfence
answered:
    hot_answer

not_sbi:
    csrr    t0, CSR_SCAUSE
    csrr    t1, CSR_HSTATUS             /* SPV: was the hart in a guest? */
    andi    t1, t1, HSTATUS_SPV
    beqz    t1, trap_inside
    addi    t1, t0, -CAUSE_VIRTUAL_INSN
    beqz    t1, virtual_insn
not_counter:
    save_clobbered
    bltz    t0, interrupt
    addi    t0, t0, -CAUSE_LOAD_GUEST_PAGE
    sltiu   t0, t0, 3                   /* 21 to 23: load, virtual instruction, store */
    beqz    t0, slow
    /* A load or store where no RAM is mapped, or a CSR that is in memory. The register may be any:
     * save all of them. */
    save_kept
    sd      a0, V_GPR(10)(sp)
    sd      a1, V_GPR(11)(sp)
    mv      a0, sp
    to_host
    call    h_hot_fault                 /* true: answered, the pc has moved on */
    ld      sp, 0(sp)
    beqz    a0, slow_saved
    restore_kept
    j       resume

/*
 * Is it `csrrs rd, cycle, x0` or the same of instret? They are the vCPU's and not the hart's: H has
 * no delta for them. User mode may where the guest's scounteren lets it. Everything else, and where
 * stval tells nothing of the instruction, is C's to answer.
 */
virtual_insn:
    csrr    t0, CSR_STVAL
    sd      a0, V_GPR(10)(sp)
    srli    t1, t0, 20
    andi    t1, t1, ~2
    addi    t1, t1, -CSR_CYCLE / 2      /* in two steps: an immediate has 12 bits */
    addi    t1, t1, -CSR_CYCLE / 2
    bnez    t1, no_counter
    srli    t1, t0, 12
    andi    t1, t1, 0xff                /* rs1 and funct3 */
    addi    t1, t1, -2
    bnez    t1, no_counter
    csrr    t1, CSR_SSTATUS
    andi    t1, t1, SSTATUS_SPP
    srli    a0, t0, 20
    bnez    t1, counter_open
    csrr    t1, CSR_SCOUNTEREN
    andi    a0, a0, 2
    srl     t1, t1, a0
    andi    t1, t1, 1
    beqz    t1, no_counter
counter_open:
    andi    a0, a0, 2
    bnez    a0, instret
    csrr    a0, CSR_CYCLE
    ld      t1, V_COUNTER_MASK(0)(sp)
    and     a0, a0, t1
    ld      t1, V_COUNTER_OFFSET(0)(sp)
    j       counted
instret:
    csrr    a0, CSR_INSTRET
    ld      t1, V_COUNTER_MASK(1)(sp)
    and     a0, a0, t1
    ld      t1, V_COUNTER_OFFSET(1)(sp)
counted:
    add     a0, a0, t1
    srli    t0, t0, 4
    andi    t0, t0, 31 * 8              /* eight bytes for each register below */
    lla     t1, into_register
    add     t1, t1, t0
    jr      t1

    .option push
    .option norvc
    .balign 8
into_register:
    .irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, \
                 23, 24, 25, 26, 27, 28, 29, 30, 31
    .if \number == 2 || \number == 5 || \number == 6 || \number == 10
    sd      a0, V_GPR(\number)(sp)      /* restored from there */
    .else
    mv      x\number, a0                /* all others are the guest's still; x0 takes nothing */
    .endif
    j       counter_read
    .endr
    .option pop

counter_read:
    ld      t0, V_EXITS_PRIVILEGED(sp)
    csrr    t1, CSR_SEPC
    addi    t0, t0, 1
    addi    t1, t1, 4
    sd      t0, V_EXITS_PRIVILEGED(sp)
    csrw    CSR_SEPC, t1
    ld      t0, V_GPR(5)(sp)
    ld      t1, V_GPR(6)(sp)
    ld      a0, V_GPR(10)(sp)
    ld      sp, V_GPR(2)(sp)
    sret

no_counter:
    ld      a0, V_GPR(10)(sp)
    li      t0, CAUSE_VIRTUAL_INSN
    j       not_counter

interrupt:
    sd      a0, V_GPR(10)(sp)
    sd      a1, V_GPR(11)(sp)
    mv      a0, sp
    csrr    a1, CSR_SCAUSE
    to_host
    call    h_hot_interrupt             /* true: nothing is left for the world outside */
    ld      sp, 0(sp)
    bnez    a0, resume
    save_kept
    j       slow_saved

resume:
    restore_clobbered
    ld      a0, V_GPR(10)(sp)
    ld      a1, V_GPR(11)(sp)
    ld      sp, V_GPR(2)(sp)
    sret

slow:
    sd      a0, V_GPR(10)(sp)
    sd      a1, V_GPR(11)(sp)
    save_kept
slow_saved:
    /* All guest registers are in the vCPU: return from h_enter(). */
    to_host
    ld      ra, 8(sp)
    ld      s0, 16(sp)
    ld      s1, 24(sp)
    ld      s2, 32(sp)
    ld      s3, 40(sp)
    ld      s4, 48(sp)
    ld      s5, 56(sp)
    ld      s6, 64(sp)
    ld      s7, 72(sp)
    ld      s8, 80(sp)
    ld      s9, 88(sp)
    ld      s10, 96(sp)
    ld      s11, 104(sp)
    addi    sp, sp, 128
    ret

trap_inside:
    /* Caldarium itself trapped while answering a guest. The frame is where the stack was before. */
    to_host
    addi    sp, sp, -512                /* clear of what was in use, for the message alone */
    call    engine_trap_inside               /* reports scause, sepc, stval; never returns */

/* void h_enter(struct engine_vcpu *v): runs the guest; returns when an exit needs more than a hot
 * handler. sepc, hstatus and sstatus are as the guest needs them; stvec is h_trap. */
    .globl  h_enter
h_enter:
    addi    sp, sp, -128
    sd      a0, 0(sp)                   /* the vCPU, for hot handlers to find after their C call */
    sd      ra, 8(sp)
    sd      s0, 16(sp)
    sd      s1, 24(sp)
    sd      s2, 32(sp)
    sd      s3, 40(sp)
    sd      s4, 48(sp)
    sd      s5, 56(sp)
    sd      s6, 64(sp)
    sd      s7, 72(sp)
    sd      s8, 80(sp)
    sd      s9, 88(sp)
    sd      s10, 96(sp)
    sd      s11, 104(sp)
    sd      tp, 112(sp)                 /* the host's own, for C */
    sd      gp, 120(sp)
    sd      sp, V_HOST_SP(a0)
    csrw    CSR_SSCRATCH, a0
    mv      sp, a0
    restore_kept
    j       resume
