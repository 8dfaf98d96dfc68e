/* SPDX-License-Identifier: BSD-2-Clause */
/* A piece of code in the making: instructions.c writes it, mixed.c decides what becomes of it. */
#ifndef GUESTS_DIFF_MIXED_H
#define GUESTS_DIFF_MIXED_H

#include "guests/diff/arena.h"

#define BASES 3
#define ITEMS 24

struct piece {
    uint64_t offset;    /* in the arena */
    bool user, by_jump; /* ends by a jump to run_end: only where that is in reach */
    /* These registers point to memory, count, or have bits of sstatus; nothing else is ever written
     * to them. */
    unsigned base[BASES], counter, status, spare;
    uint64_t value[BASES]; /* what they have at the beginning */
    uint64_t bias[BASES];  /* less this, what they point to */
    bool read_only[BASES];
    /* Where an instruction may be changed into another of its size. */
    uint8_t changeable[ITEMS]; /* in halfwords */
    unsigned count;
};

/* Registers and what they point to; with those of another one if `like` isn't NULL. `plain`: no
 * compressed instructions, no loops, and sepc stays as it is. */
void piece_start(struct piece *piece, uint64_t offset, bool user, const struct piece *like);
void piece_fill(struct piece *piece, unsigned items, bool plain);
void piece_end(struct piece *piece);
/* An instruction for the place of another. */
uint32_t piece_other(const struct piece *piece, bool is_short);
unsigned piece_target(const struct piece *piece); /* a register that may be written */

#endif
