/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shortest way through an exit. place.c notes where the guest's kernel executes a privileged
 * instruction, and what does it: code here, which uses t0, t1, t2 and sp and leaves all other
 * registers to the guest, in the hart. Instructions that follow each other are done in one exit.
 * What is not noted, or has more to it than usual (an interrupt is pending, a root has to be made),
 * goes the way of C, s_not_sbi, with nothing done.
 *
 * While it lasts: t1 = vCPU, t2 = place; the guest's t0, t1 and sp are in the hart's page, its t2 in
 * the vCPU. The hart's sepc is the instruction's address.
 */
#include "lib/engine/common/entry.inc"
#include "lib/engine/common/offsets.h"
#include "lib/engine/shadow/hart_page.h"
#include "riscv/csr.h"

/* struct s_place */
#define PLACE_TAG 0
#define PLACE_DOES 8
#define PLACE_GET 16
#define PLACE_PUT 24
#define PLACE_SHIFT 5
#define PLACE_INDEX 0x7fe /* the bits of a tag that say which place */

/* enum s_trap_csr, s_mode, s_view, s_mode_csr */
#define SSCRATCH 0
#define SEPC 1
#define SCAUSE 2
#define STVAL 3
#define USER 1
#define KERNEL 2
#define VIEW_USER 0
#define VIEW_KERNEL 1
#define DIFFERS_SENVCFG 2

#define HARTS_SSTATUS (SSTATUS_FS | SSTATUS_VS)
#define BITS_OF_TRAP (SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE)

    .text

/* t0 = an address: to t2 = its place, sp = that one's tag, t0 = the tag it has if it is this address's. */
.macro find_place
    ld      sp, V_S_PLACE_MARK(t1)
    xor     t0, t0, sp
    andi    sp, t0, PLACE_INDEX
    ld      t2, V_S_PLACE(t1)
    slli    sp, sp, PLACE_SHIFT - 1
    add     t2, t2, sp
    ld      sp, PLACE_TAG(t2)
.endm

.macro do_place
    ld      sp, PLACE_DOES(t2)
    jr      sp
.endm

.macro count which
    ld      t0, \which(t1)
    addi    t0, t0, 1
    sd      t0, \which(t1)
.endm

/* To t0 = rs1. */
.macro get
    ld      sp, PLACE_GET(t2)
    jalr    sp, 0(sp)
.endm

/* rd = t0, and on to the next instruction. */
.macro put
    ld      sp, PLACE_PUT(t2)
    jr      sp
.endm

/* scounteren and senvcfg of that mode. Clobbers t0 and sp. */
.macro show_mode mode
    lbu     t0, V_S_MODES_DIFFER(t1)
    beqz    t0, 1f
    ld      sp, V_S_MODE_CSR(\mode - 1, 0)(t1)
    csrw    CSR_SCOUNTEREN, sp
    andi    t0, t0, DIFFERS_SENVCFG
    beqz    t0, 1f
    ld      sp, V_S_MODE_CSR(\mode - 1, 1)(t1)
    csrw    CSR_SENVCFG, sp
1:
.endm

/* To a function of C, a0 = vCPU, a1 = t0, and back, t0 = its result. */
.macro to_c
    ld      t2, V_GPR(7)(t1)
    each_clobbered sd, t1
    sd      a0, V_GPR(10)(t1)
    sd      a1, V_GPR(11)(t1)
    mv      a0, t1
    mv      a1, t0
    to_host t1
.endm
.macro from_c
    ld      t1, 0(sp)
    mv      t0, a0
    each_clobbered ld, t1
    ld      a0, V_GPR(10)(t1)
    ld      a1, V_GPR(11)(t1)
.endm

/* An ebreak. sp = the hart's page, t1 = vCPU. */
    .globl  s_place_here
s_place_here:
    csrr    t0, CSR_SSTATUS             /* Caldarium's own? */
    andi    t0, t0, SSTATUS_SPP
    bnez    t0, s_not_sbi
    lbu     t0, V_S_USER(t1)
    bnez    t0, s_not_sbi
    csrr    t0, CSR_SEPC
    sd      t2, V_GPR(7)(t1)
    find_place
    bne     sp, t0, slow
    count   V_EXITS_PRIVILEGED
    do_place

/* C does it, as if it had trapped here. */
slow:
    csrwi   CSR_SCAUSE, CAUSE_BREAKPOINT
    ld      t2, V_GPR(7)(t1)
    j       s_not_sbi

/* An ecall of the guest's U-mode, with nothing pending that could matter: interrupts are closed now.
 * sp = the hart's page, t1 = vCPU. */
    .globl  s_place_call
s_place_call:
    ld      t0, V_S_STVEC(t1)
    sd      t2, V_GPR(7)(t1)
    andi    t0, t0, -4
    find_place
    bne     sp, t0, call_slow
    lbu     t0, V_S_MODE_SHOWN(t1)
    ld      sp, V_S_SSTATUS(t1)
    addi    t0, t0, -USER
    bnez    t0, call_slow
    lui     t0, SSTATUS_SUM >> 12
    and     t0, t0, sp
    bnez    t0, call_slow
    ld      t0, V_S_ROOT_AT_HAND(VIEW_KERNEL)(t1)
    beqz    t0, call_slow
    csrr    sp, CSR_SSCRATCH
    sd      t0, P_SHADOW_SATP(sp)
    ld      sp, V_S_SSTATUS(t1)
    andi    t0, sp, SSTATUS_SIE         /* SPIE = SIE */
    andi    sp, sp, ~BITS_OF_TRAP
    slli    t0, t0, 4
    or      sp, sp, t0
    sd      sp, V_S_SSTATUS(t1)
    csrr    t0, CSR_SEPC
    li      sp, CAUSE_USER_ECALL
    sd      t0, V_S_TRAP_CSR(SEPC)(t1)
    sd      sp, V_S_TRAP_CSR(SCAUSE)(t1)
    sd      zero, V_S_TRAP_CSR(STVAL)(t1)
    li      t0, KERNEL
    sb      zero, V_S_USER(t1)
    sb      t0, V_S_MODE_SHOWN(t1)
    li      sp, VIEW_KERNEL
    sb      sp, V_S_VIEW_SHOWN(t1)
    show_mode KERNEL
    ld      t0, V_S_STVEC(t1)
    andi    t0, t0, -4
    csrw    CSR_SEPC, t0
    count   V_EXITS_TRAP
    do_place
call_slow:
    ld      t2, V_GPR(7)(t1)
    csrr    sp, CSR_SSCRATCH
    j       s_guests_own

/* ---- The instructions ------------------------------------------------------------------------ */

.macro read csr
    ld      t0, \csr(t1)
    put
.endm
read_sscratch:
    read    V_S_TRAP_CSR(SSCRATCH)
read_sepc:
    read    V_S_TRAP_CSR(SEPC)
read_scause:
    read    V_S_TRAP_CSR(SCAUSE)
read_stval:
    read    V_S_TRAP_CSR(STVAL)
read_sie:
    read    V_S_SIE
read_sip:
    read    V_S_SIP
read_satp:
    read    V_S_SATP

.macro write csr
    get
    .if \csr == V_S_TRAP_CSR(SEPC)
    andi    t0, t0, -2
    .endif
    sd      t0, \csr(t1)
    put
.endm
write_sscratch:
    write   V_S_TRAP_CSR(SSCRATCH)
write_sepc:
    write   V_S_TRAP_CSR(SEPC)
write_scause:
    write   V_S_TRAP_CSR(SCAUSE)
write_stval:
    write   V_S_TRAP_CSR(STVAL)

/* Kernels write it at each change of task, and it is the same. */
write_senvcfg:
    get
    ld      sp, V_S_SENVCFG(t1)
    bne     t0, sp, slow
    put

.macro exchange csr
    get
    .if \csr == V_S_TRAP_CSR(SEPC)
    andi    t0, t0, -2
    .endif
    ld      sp, \csr(t1)
    sd      t0, \csr(t1)
    mv      t0, sp
    put
.endm
exchange_sscratch:
    exchange V_S_TRAP_CSR(SSCRATCH)
exchange_sepc:
    exchange V_S_TRAP_CSR(SEPC)
exchange_scause:
    exchange V_S_TRAP_CSR(SCAUSE)
exchange_stval:
    exchange V_S_TRAP_CSR(STVAL)

/* csrsi and csrci of SIE alone, with no rd. */
sie_off:
    ld      t0, V_S_SSTATUS(t1)
    andi    t0, t0, ~SSTATUS_SIE
    sd      t0, V_S_SSTATUS(t1)
    put
sie_on:
    ld      t0, V_S_SIP(t1)
    ld      sp, V_S_SIE(t1)
    and     t0, t0, sp
    bnez    t0, slow
    ld      t0, V_S_SSTATUS(t1)
    ori     t0, t0, SSTATUS_SIE
    sd      t0, V_S_SSTATUS(t1)
    put

.macro status_saved operation
    \operation t3, V_GPR(28)(t1)
    \operation t4, V_GPR(29)(t1)
    \operation t5, V_GPR(30)(t1)
.endm

/* t3 = sstatus, with FS and VS from the hart but no SD; t5 = as the guest reads it. Clobbers t4 and sp. */
.macro status_now
    csrr    t5, CSR_SSTATUS
    ld      t3, V_S_SSTATUS(t1)
    li      t4, HARTS_SSTATUS
    xor     sp, t5, t3
    and     sp, sp, t4
    srli    t5, t5, 63                  /* SD */
    xor     t3, t3, sp
    slli    t5, t5, 63
    or      t5, t5, t3
.endm

status_read:
    status_saved sd
    status_now
    j       status_put
status_set:
    get
    status_saved sd
    status_now
    not     sp, t3
    and     t4, t0, sp
    j       status_change
status_clear:
    get
    status_saved sd
    status_now
    and     t4, t0, t3
    j       status_change
status_write:
    get
    status_saved sd
    status_now
    xor     t4, t0, t3

/* t4 = the bits to change. First what may be too much, then it is done. */
status_change:
    ld      t0, V_S_STATUS_WRITABLE(t1)
    and     t4, t4, t0
    lui     t0, SSTATUS_MXR >> 12
    and     t0, t0, t4
    bnez    t0, status_slow
    andi    t0, t4, SSTATUS_SIE
    beqz    t0, 1f
    andi    t0, t3, SSTATUS_SIE
    bnez    t0, 1f
    ld      t0, V_S_SIP(t1)             /* it opens: for something? */
    ld      sp, V_S_SIE(t1)
    and     t0, t0, sp
    bnez    t0, status_slow
1:  lui     t0, SSTATUS_SUM >> 12
    and     t0, t0, t4
    bnez    t0, sum
2:  li      t0, HARTS_SSTATUS
    and     sp, t4, t0
    bnez    sp, units
3:  xor     t4, t4, t3
    sd      t4, V_S_SSTATUS(t1)
status_put:
    mv      t0, t5
    status_saved ld
    put

/* The kernel's other view. t0 = SUM. */
sum:
    and     t0, t0, t3
    seqz    t0, t0                      /* 1: it will be set */
    slli    sp, t0, 3
    add     sp, sp, t1
    ld      sp, V_S_ROOT_AT_HAND(VIEW_KERNEL)(sp)
    beqz    sp, status_slow
    addi    t0, t0, VIEW_KERNEL
    sb      t0, V_S_VIEW_SHOWN(t1)
    csrr    t0, CSR_SSCRATCH
    sd      sp, P_SHADOW_SATP(t0)
    j       2b

/* FS and VS are the hart's. sp = those of their bits that change. A unit that was dirty and is called
 * something else was not saved by us yet. */
units:
    lui     t0, SSTATUS_FS >> 12
    and     t0, t0, t3
    srli    t0, t0, 13
    addi    t0, t0, -3
    bnez    t0, 4f
    lui     t0, SSTATUS_FS >> 12
    and     t0, t0, sp
    beqz    t0, 4f
    li      t0, 1
    sb      t0, V_S_FP_DIRTY(t1)
4:  andi    t0, t3, SSTATUS_VS
    addi    t0, t0, -SSTATUS_VS
    bnez    t0, 5f
    andi    t0, sp, SSTATUS_VS
    beqz    t0, 5f
    li      t0, 1
    sb      t0, V_S_VECTOR_DIRTY(t1)
5:  and     t0, sp, t3
    csrc    CSR_SSTATUS, t0
    xor     t0, t0, sp
    csrs    CSR_SSTATUS, t0
    j       3b

status_slow:
    status_saved ld
    j       slow

return:
    ld      t0, V_S_SIP(t1)             /* interrupts may be open behind it */
    ld      sp, V_S_SIE(t1)
    and     t0, t0, sp
    bnez    t0, slow
    ld      t0, V_S_SSTATUS(t1)
    andi    sp, t0, SSTATUS_SPP
    bnez    sp, 1f
    lbu     t0, V_S_MODE_SHOWN(t1)
    addi    t0, t0, -KERNEL
    bnez    t0, slow
    ld      t0, V_S_ROOT_AT_HAND(VIEW_USER)(t1)
    beqz    t0, return_elsewhere
    csrr    sp, CSR_SSCRATCH
    sd      t0, P_SHADOW_SATP(sp)
    li      t0, USER
    sb      t0, V_S_USER(t1)
    sb      t0, V_S_MODE_SHOWN(t1)
    sb      zero, V_S_VIEW_SHOWN(t1)    /* VIEW_USER */
    show_mode USER
    ld      t0, V_S_SSTATUS(t1)
1:  andi    sp, t0, SSTATUS_SPIE        /* SIE = SPIE */
    andi    t0, t0, ~BITS_OF_TRAP
    srli    sp, sp, 4
    or      t0, t0, sp
    ori     t0, t0, SSTATUS_SPIE
    sd      t0, V_S_SSTATUS(t1)
    ld      t0, V_S_TRAP_CSR(SEPC)(t1)
    j       go_to

/* sfence.vma of an address, where the last-level tables are known that have entries for it. */
fence_page:
    get
    sd      t3, V_GPR(28)(t1)
    ld      t3, V_S_NEAR_REGION(t1)
    srli    sp, t0, 21
    bne     sp, t3, fence_slow
    srli    sp, t0, 12
    andi    sp, sp, 511
    slli    sp, sp, 3
    ld      t3, V_S_NEAR_TABLE(0)(t1)
    beqz    t3, 1f                      /* there is none */
    sd      t4, V_GPR(29)(t1)
    add     t3, t3, sp
    ld      t4, 0(t3)
    sd      zero, 0(t3)
    ld      t3, V_S_NEAR_TABLE(1)(t1)
    add     t3, t3, sp
    ld      sp, 0(t3)
    sd      zero, 0(t3)
    or      sp, sp, t4
    ld      t4, V_GPR(29)(t1)
    beqz    sp, 1f                      /* no entry: nothing for the hart to forget */
    sfence.vma t0
1:  ld      t3, V_GPR(28)(t1)
    put
    /* Elsewhere C does it. */
fence_slow:
    ld      t3, V_GPR(28)(t1)
    to_c
    li      a2, 1
    li      a3, 0
    call    s_tables_flush_page
    from_c
    j       next

fence_all:
    to_c
    call    s_hot_fence
    from_c
    j       next

write_satp:
    get
    to_c
    li      a2, 0
    j       1f
write_satp_and_fence:
    get
    to_c
    li      a2, 1
1:  call    s_hot_satp
    from_c
    csrr    sp, CSR_SEPC
    add     t0, t0, sp
    j       go_to

/* The root for the user's view has to be looked up. */
return_elsewhere:
    to_c
    call    s_hot_return
    from_c
    j       go_to

write_stvec:
    get
    andi    sp, t0, 2                   /* modes 2 and 3 are reserved */
    bnez    sp, slow
    sd      t0, V_S_STVEC(t1)
    put

/* ---- Registers ------------------------------------------------------------------------------- */

/* The next instruction is a place too, the next but one in the table. */
next_place:
    csrr    t0, CSR_SEPC
    ld      sp, V_S_PLACE_MARK(t1)
    addi    t0, t0, 4
    addi    t2, t2, 2 << PLACE_SHIFT
    csrw    CSR_SEPC, t0
    xor     t0, t0, sp
    ld      sp, PLACE_TAG(t2)
    bne     sp, t0, slow
    do_place

next:
    csrr    t0, CSR_SEPC
    addi    t0, t0, 4
go_to:
    csrw    CSR_SEPC, t0
    ld      t2, V_GPR(7)(t1)
    csrr    t1, CSR_SSCRATCH
    ld      t0, P_LEAVE(t1)             /* s_out_*, in the trampoline */
    jr      t0

#define STUB_SHIFT 4 /* of each, 16 bytes */

.macro in_page operation, register, at
    csrr    \register, CSR_SSCRATCH
    \operation t0, \at(\register)
.endm

/* x0 to x31 to t0; behind them what csrsi and csrci of SIE have in place of a register. */
    .balign 1 << STUB_SHIFT
    .globl  s_place_get
s_place_get:
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    .balign 1 << STUB_SHIFT
    .if \n == 2
    in_page ld, t0, P_SP
    .elseif \n == 5
    in_page ld, t0, P_T0
    .elseif \n == 6
    in_page ld, t0, P_T1
    .elseif \n == 7
    ld      t0, V_GPR(7)(t1)
    .else
    mv      t0, x\n
    .endif
    jr      sp
    .endr
    .balign 1 << STUB_SHIFT
    li      t0, SSTATUS_SIE
    jr      sp

/* t0 to x0 to x31, then on to \then. */
.macro put_stubs then
    .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    .balign 1 << STUB_SHIFT
    .if \n == 2
    in_page sd, sp, P_SP
    .elseif \n == 5
    in_page sd, sp, P_T0
    .elseif \n == 6
    in_page sd, sp, P_T1
    .elseif \n == 7
    sd      t0, V_GPR(7)(t1)
    .elseif \n
    mv      x\n, t0
    .endif
    j       \then
    .endr
.endm
    .balign 1 << STUB_SHIFT
    .globl  s_place_put
s_place_put:
    put_stubs next
    .balign 1 << STUB_SHIFT
    .globl  s_place_put_then
s_place_put_then:
    put_stubs next_place

/* In the order of place.c's enum does. */
    .section .rodata
    .balign 4
    .globl  s_place_does
s_place_does:
    .irp    does, read_sscratch, read_sepc, read_scause, read_stval, write_sscratch, write_sepc, write_scause, write_stval, exchange_sscratch, exchange_sepc, exchange_scause, exchange_stval, read_sie, read_sip, read_satp, status_read, status_set, status_clear, status_write, sie_on, sie_off, return, fence_page, write_senvcfg, fence_all, write_satp, write_satp_and_fence, write_stvec
    .word   \does - s_place_here
    .endr
