/* SPDX-License-Identifier: BSD-2-Clause */
    .text
/* The user program: counts in its data page, and asks the kernel to wait after each 1000. Its stack
 * pointer is the end of that page; position independent. */
    .balign 4
    .globl  user_begin, user_end
user_begin:
    li      s0, -4096
    add     s0, s0, sp                  /* its data */
1:  li      s1, 1000
2:  ld      t0, 0(s0)
    addi    t0, t0, 1
    sd      t0, 0(s0)
    addi    s1, s1, -1
    bnez    s1, 2b
    li      a7, 0                       /* wait */
    ecall
    j       1b
user_end:
