/* SPDX-License-Identifier: BSD-2-Clause */
/* The first instructions of each hart, the way into a trap and out of it, and from task to task. */
#define SIE_OFF csrw sie, zero; csrci sstatus, 2

    .section .head, "ax"
    .globl  _start
_start:                                 /* the header of a RISC-V Linux Image */
    j       boot
    .balign 8
    .dword  0x200000                    /* loaded so far above the start of RAM */
    .dword  image_bytes
    .dword  0                           /* little endian */
    .word   2                           /* header version 0.2 */
    .word   0
    .dword  0
    .ascii  "RISCV\0\0\0"
    .ascii  "RSC\005"
    .word   0

    .text
/* Firmware enters with a0 = hart id, a1 = the board's tree, paging off. */
boot:
    SIE_OFF
    mv      s0, a0
    mv      s1, a1
    lla     t0, data_end                /* clear .bss; addresses are physical still */
    lla     t1, image_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    lla     sp, boot_stack_top
    lla     a0, image_start
    call    paging_early                /* returns satp */
    ld      t0, image_va
    lla     t1, image_start
    sub     t0, t0, t1                  /* from where we are to where we are mapped */
    lla     t1, boot_mapped
    add     t1, t1, t0
    add     sp, sp, t0
    csrw    stvec, t1                   /* the fetch behind the next csrw faults, and lands there */
    sfence.vma
    csrw    satp, a0
    .balign 4
boot_mapped:
    lla     t0, trap_entry
    csrw    stvec, t0
    mv      a0, s0
    mv      a1, s1
    tail    boot_main

/* Another hart: a1 = physical address of {satp, hart_mapped, stack, struct hart}. */
    .globl  hart_entry
    .balign 4
hart_entry:
    SIE_OFF
    ld      t0, 0(a1)
    ld      t1, 8(a1)
    ld      sp, 16(a1)
    ld      tp, 24(a1)
    csrw    stvec, t1
    sfence.vma
    csrw    satp, t0
    .globl  hart_mapped
    .balign 4
hart_mapped:
    lla     t0, trap_entry
    csrw    stvec, t0
    tail    hart_main

/* All traps come from our own S-mode, so the stack in use serves. trap() may switch to another task;
 * what is on this stack waits for it. */
.macro each_saved operation
    \operation ra, 0(sp)
    \operation t0, 8(sp)
    \operation t1, 16(sp)
    \operation t2, 24(sp)
    \operation a0, 32(sp)
    \operation a1, 40(sp)
    \operation a2, 48(sp)
    \operation a3, 56(sp)
    \operation a4, 64(sp)
    \operation a5, 72(sp)
    \operation a6, 80(sp)
    \operation a7, 88(sp)
    \operation t3, 96(sp)
    \operation t4, 104(sp)
    \operation t5, 112(sp)
    \operation t6, 120(sp)
.endm
    .balign 4
trap_entry:
    addi    sp, sp, -144
    each_saved sd
    csrr    t0, sepc
    sd      t0, 128(sp)
    csrr    t0, sstatus
    sd      t0, 136(sp)
    csrr    a0, scause
    call    trap
    ld      t0, 128(sp)
    csrw    sepc, t0
    ld      t0, 136(sp)
    csrw    sstatus, t0
    each_saved ld
    addi    sp, sp, 144
    sret

/* void task_switch(uint64_t *old_sp, uint64_t new_sp): what a call keeps goes on the old stack. */
.macro each_kept operation
    \operation ra, 0(sp)
    \operation s0, 8(sp)
    \operation s1, 16(sp)
    \operation s2, 24(sp)
    \operation s3, 32(sp)
    \operation s4, 40(sp)
    \operation s5, 48(sp)
    \operation s6, 56(sp)
    \operation s7, 64(sp)
    \operation s8, 72(sp)
    \operation s9, 80(sp)
    \operation s10, 88(sp)
    \operation s11, 96(sp)
.endm
    .globl  task_switch
task_switch:
    addi    sp, sp, -112
    each_kept sd
    sd      sp, 0(a0)
    mv      sp, a1
    each_kept ld
    addi    sp, sp, 112
    ret

    .section .rodata
    .balign 8
image_va:
    .dword  image_start

    .bss
    .balign 16
    .space  16384
    .globl  boot_stack_top
boot_stack_top:
