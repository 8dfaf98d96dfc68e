/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kinds=code: what a system does to its own code. The arena is pages of code and data that are
 * executed, read and written at several addresses. A sequence uses a few of them, always others: an
 * engine that treats a page in another way once it has changed often is met at each of its ways.
 */
#ifndef GUESTS_DIFF_ARENA_H
#define GUESTS_DIFF_ARENA_H

#include "guests/diff/diff.h"

/* An address in the arena is an offset in the sequence's pages; here are its virtual addresses. */
enum alias {
    AT_HOME,      /* where the RAM is */
    AT_AGAIN,     /* RAM_AGAIN: the same once more, for S-mode */
    AT_PAGES,     /* ARENA_S: page by page, with permissions that change */
    AT_USER,      /* USER_ALIAS: for U-mode, not writable */
    AT_USER_PAGES /* ARENA_U: as ARENA_S */
};
#define ALIASES 5

#define CODE_BYTES 224 /* room for code, at any arena_code() */

void arena_reset(void);
void arena_fold(void);
void arena_edit(void); /* changes how a page is mapped, and does the fence */
uint64_t arena_code(void);
uint64_t arena_data(void);
uint16_t *arena_pointer(uint64_t offset);
uint64_t arena_va(uint64_t offset, enum alias alias);
bool arena_has(uint64_t va); /* data of this sequence's, at any of its addresses */
enum alias arena_for_data(void);
/* One at which that mode may well execute. */
enum alias arena_for_code(bool user);

/* mixed.c: ordinary and privileged instructions in turn. */
void mixed_reset(void);
uint64_t mixed_place(void); /* arena_code(), and what lay there is not run again */
void mixed_step(bool user); /* new code, run at one or two addresses */
void again_step(void);      /* what was written before, as it was or with an instruction changed */
void handler_step(bool user); /* traps of one code, handled by another */
/* For own.c and mixed.c: `insn`, which is 32 bits, to a place of any alignment. */
void arena_write(uint64_t va, uint32_t insn);

/* own.c: what is stored and then executed, with and without fence.i. */
void patch_step(bool user);
/* second.c: the same with another hart. */
void second_begin(void);
void second_step(void);
/* The value that code at this address leaves in a0. */
uint64_t second_call(uint64_t va);

#endif
