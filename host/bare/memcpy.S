/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy() by words, whatever the alignment, without a load or store that isn't aligned: those may be
 * the firmware's to emulate. The C library's, built for size, takes seven instructions a byte.
 *
 * a0: the destination, and the answer; t6 runs through it. a1: the source. a2: bytes that are left.
 */
    .section .text.memcpy, "ax"
    .globl  memcpy
    .type   memcpy, @function
memcpy:
    mv      t6, a0
    li      t0, 16
    bltu    a2, t0, bytes /* not worth the trouble */

    /* The destination to a word's boundary. */
    neg     t0, t6
    andi    t0, t0, 7
    sub     a2, a2, t0
    add     t0, t6, t0
1:  beq     t6, t0, 2f
    lb      t1, 0(a1)
    addi    a1, a1, 1
    sb      t1, 0(t6)
    addi    t6, t6, 1
    j       1b

2:  andi    t0, a1, 7
    bnez    t0, apart

    /* Both are aligned: eight words a round, then one. */
    andi    t0, a2, -64
    sub     a2, a2, t0
    add     t0, t6, t0
3:  beq     t6, t0, 4f
    ld      t1, 0(a1)
    ld      t2, 8(a1)
    ld      t3, 16(a1)
    ld      t4, 24(a1)
    ld      a3, 32(a1)
    ld      a4, 40(a1)
    ld      a5, 48(a1)
    ld      a6, 56(a1)
    sd      t1, 0(t6)
    sd      t2, 8(t6)
    sd      t3, 16(t6)
    sd      t4, 24(t6)
    sd      a3, 32(t6)
    sd      a4, 40(t6)
    sd      a5, 48(t6)
    sd      a6, 56(t6)
    addi    a1, a1, 64
    addi    t6, t6, 64
    j       3b
4:  andi    t0, a2, -8
    sub     a2, a2, t0
    add     t0, t6, t0
5:  beq     t6, t0, bytes
    ld      t1, 0(a1)
    addi    a1, a1, 8
    sd      t1, 0(t6)
    addi    t6, t6, 8
    j       5b

    /*
     * The source is t0 bytes behind a boundary: each word is the upper part of one of its and the
     * lower part of the next one. What is read beyond the bytes that are asked for lies in a word
     * with one of them.
     */
apart:
    slli    t2, t0, 3  /* bits of the lower one that are not wanted */
    neg     t3, t2     /* shifts take six bits of it: 64 - t2 */
    sub     t4, a1, t0
    andi    t5, a2, -8
    sub     a2, a2, t5
    add     a1, a1, t5
    add     t5, t6, t5
    ld      t0, 0(t4)
6:  srl     t1, t0, t2
    ld      t0, 8(t4)
    addi    t4, t4, 8
    sll     a3, t0, t3
    or      t1, t1, a3
    sd      t1, 0(t6)
    addi    t6, t6, 8
    bne     t6, t5, 6b

bytes:
    add     a2, t6, a2
7:  beq     t6, a2, 8f
    lb      t1, 0(a1)
    addi    a1, a1, 1
    sb      t1, 0(t6)
    addi    t6, t6, 1
    j       7b
8:  ret
    .size   memcpy, . - memcpy
