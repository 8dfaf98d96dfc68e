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

/* And t0, t1, which h_trap has saved. */
.macro restore_clobbered
    each_clobbered ld
    ld      t0, V_GPR(5)(sp)
    ld      t1, V_GPR(6)(sp)
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
    each_clobbered sd
    lwu     t0, V_SBI_ID(1)(sp)
    beq     a7, t0, ipi
    lwu     t0, V_SBI_ID(2)(sp)
    beq     a7, t0, rfence
    /* Another extension. One that is not there is answered at once, the rest takes the slow path. */
    hot_sbi_missing answered
    each_kept sd
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
    each_clobbered sd
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
    each_clobbered sd
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
    each_clobbered sd
    bltz    t0, interrupt
    addi    t0, t0, -CAUSE_LOAD_GUEST_PAGE
    sltiu   t0, t0, 3                   /* 21 to 23: load, virtual instruction, store */
    beqz    t0, slow
    /* A load or store where no RAM is mapped, or a CSR that is in memory. The register may be any:
     * save all of them. */
    each_kept sd
    sd      a0, V_GPR(10)(sp)
    sd      a1, V_GPR(11)(sp)
    mv      a0, sp
    to_host
    call    h_hot_fault                 /* true: answered, the pc has moved on */
    ld      sp, 0(sp)
    beqz    a0, slow_saved
    each_kept ld
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
    each_kept sd
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
    each_kept sd
slow_saved:
    to_host
    leave_run

trap_inside:
    /* Caldarium itself trapped while answering a guest. The frame is where the stack was before. */
    to_host
    addi    sp, sp, -512                /* clear of what was in use, for the message alone */
    call    engine_trap_inside          /* reports scause, sepc, stval; never returns */

/* void h_enter(struct engine_vcpu *v): runs the guest; returns when an exit needs more than a hot
 * handler. sepc, hstatus and sstatus are as the guest needs them; stvec is h_trap. */
    .globl  h_enter
h_enter:
    enter_run
    csrw    CSR_SSCRATCH, a0
    mv      sp, a0
    each_kept ld
    j       resume
