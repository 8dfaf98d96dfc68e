/* SPDX-License-Identifier: BSD-2-Clause */
/* The start of a guest of our own: a Linux Image header, then C. a0 = hart id, a1 = device tree. */
    .section .head, "ax"
    .globl  _start
_start:
    j       1f                          /* code0 */
    .balign 4
    .word   0
    .balign 8
    .dword  0x200000                    /* text_offset */
    .dword  guest_bytes                 /* image_size, with bss */
    .dword  0
    .word   2
    .word   0
    .dword  0
    .ascii  "RISCV\0\0\0"
    .ascii  "RSC\x05"
    .word   0
1:  lla     sp, stack_top
    lla     t0, bss_start               /* clear bss */
    lla     t1, bss_end
2:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 2b
    call    guest_main                  /* guest_main(hart id, tree) */
3:  wfi
    j       3b

    .text
    .weak   second_main                 /* most guests have no second hart */
/* Another hart, started through SBI HSM: a1 = top of its stack. */
    .globl  second_start
second_start:
    mv      sp, a1
    call    second_main                 /* second_main(hart id) */
    j       3b

    .bss
    .balign 16
    .space  16384
stack_top:
