/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void code_with_x30(uint64_t *registers, const void *at), code_with_x31: loads the registers from an array of
 * 32, but for x0 and that one, and jumps to `at`. The code there jumps to code_back_x30 or code_back_x31:
 * then they are in the array.
 */
.macro each operation, base
    .irp    n, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    .if \n != \base
    \operation x\n, 8 * \n(x\base)
    .endif
    .endr
.endm

.macro each_kept operation
    .irp    n, 1, 3, 4, 8, 9
    \operation x\n, 8 * \n(sp)
    .endr
    .irp    n, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
    \operation x\n, 8 * (\n - 8)(sp)
    .endr
.endm

.macro with base
    .globl  code_with_x\base, code_back_x\base
code_with_x\base:
    addi    sp, sp, -160
    each_kept sd
    lla     t0, frame
    sd      sp, 0(t0)
    sd      a0, 8(t0)
    sd      a1, 16(t0)
    mv      x\base, a0
    each    ld, \base
    lla     x\base, frame
    ld      x\base, 16(x\base)
    jr      x\base
code_back_x\base:
    lla     x\base, frame
    ld      x\base, 8(x\base)
    each    sd, \base
    lla     x\base, frame
    ld      sp, 0(x\base)
    each_kept ld
    addi    sp, sp, 160
    ret
.endm

    .text
    with    30
    with    31

    .bss
    .balign 8
frame:
    .skip   24
