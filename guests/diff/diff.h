/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random sequences of what an operating system does to a hart: CSRs, page tables, fences, accesses
 * in S- and U-mode, traps, interrupts. The same numbers come out wherever the hart does what the
 * privileged manual says, so the same program on a bare machine and in a VM must print the same.
 *
 * A sequence begins from known memory and known CSRs, so each can be run alone. What the manual
 * leaves open is not done, or not looked at: each such place says so.
 */
#ifndef GUESTS_DIFF_DIFF_H
#define GUESTS_DIFF_DIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/common/guest.h"

#define PAGE 4096UL
#define ENTRIES 512

/* random.c: numbers that depend on the seed alone. */
void random_start(uint64_t seed, uint64_t sequence);
uint64_t random_word(void);
unsigned below(unsigned limit);
bool chance(unsigned percent);

/* What all results of a sequence are folded into. */
extern uint64_t diff_hash;
extern bool diff_trace; /* print each step */
extern bool diff_code;  /* kinds=code: arena.h */
void fold(uint64_t word);

/*
 * run.S: one step of a sequence. The code at step_code runs with all registers but tp taken from
 * `gpr`, and what it left, or how it trapped, is found here afterwards. tp is this structure's
 * address all the while. The offsets are run.S's.
 */
struct context {
    uint64_t gpr[32];
    uint64_t sstatus;             /* to begin with; then: as the handler, or the end, found it */
    uint64_t stvec;               /* the same */
    uint64_t scause, sepc, stval; /* afterwards */
    uint64_t entry;               /* which entry of the vectors was taken; ENTRY_NONE: no trap */
    uint64_t pc;                  /* U-mode: where to begin */
    uint64_t sp;                  /* our own, meanwhile */
};
#define ENTRY_NONE 64
extern struct context context;
void run_supervisor(void); /* the code must end with a jump to run_end */
void run_user(void);       /* to pc, in the mode of sstatus.SPP; the code must end with a trap */
void run_end(void);
void run_lost(void);
extern char vectors_a[], vectors_b[]; /* two tables of 16 entries, 256-byte aligned */
extern uint16_t step_code[];          /* a page; its second half holds `c.ebreak`s: the landing */
#define LANDING 0x800

/*
 * space.c: guest memory and three address spaces. All have the hart's RAM at its own addresses for
 * S-mode (one GiB in entry 2 of the root) and for U-mode, executable, at USER_ALIAS (entry 3);
 * everything else is random.
 */
#define RAM 0x80000000UL
#define USER_ALIAS 0xc0000000UL
/* The RAM once more for S-mode, and the arena's pages (arena.c), one by one, for S and for U. */
#define RAM_AGAIN (5UL << 30)
#define ARENA_S (6UL << 30)
#define ARENA_U (7UL << 30)
#define OUTSIDE 0x3f00000000UL /* nothing is there on any machine */
#define SPACES 3
#define BARE SPACES                      /* the number that stands for "paging off" */
extern unsigned space_now, space_levels; /* 3: Sv39; 4: Sv48 */
void space_reset(void);
void space_fold(void); /* the memory's final contents */
/* Changes page-table entries, and does the fence that this needs. */
void space_edit(void);
/* Makes a large page, which the next steps are about. */
void space_large(void);
/* Goes to another address space, or to none; the fence as needed. */
void space_switch(void);
/* After a store that may have changed a page table. */
void space_stored(void);
/* An address that is likely to be mapped: a page's. */
uint64_t space_address(void);
/* From now on that is always the same one, and space_edit() changes what translates it. */
void space_focus(bool on);
/* Where the tables at hand lead, whatever the permissions say. */
enum place {
    PLACE_FAULT,   /* no translation */
    PLACE_DATA,    /* a page whose contents are part of the result */
    PLACE_TABLE,   /* one of the tables' pages, an entry that is */
    PLACE_NOTHING, /* no memory */
    PLACE_OURS     /* the firmware's, or this program's: not to be touched */
};
enum place space_place(uint64_t va);
/* Prints the entries that the address last asked for is translated by. */
void space_trace(void);
/* Makes every data page's ends code: see fetch_step() in step.c. */
void space_pattern(void);
/* arena.c: the tables behind ARENA_S and ARENA_U. */
uint64_t *arena_tables(bool user);

/* step.c */
void steps_reset(void);
void step(void);
void steps_fold(void);

/* code.c: writes instructions into step_code, or elsewhere. */
void code_start(void);
void code_start_at(uint16_t *where);
uint16_t *code_here(void); /* where the next one goes */
uint32_t code_jump_to_end(const uint16_t *from);
void code_put(uint32_t insn); /* 16 or 32 bits */
void code_end(bool user);
/* An SBI call with five arguments, from S-mode. What it leaves in a1 isn't looked at. */
void code_sbi(uint64_t extension, uint64_t function, const uint64_t arguments[5]);
/*
 * The step may raise an exception that firmware passes on: no vectored stvec then. OpenSBI 1.5
 * takes the mode for a part of the address and QEMU 10 jumps to it, bare as well as to a guest with
 * the H extension.
 */
void code_direct(void);
/* No interrupt may come in place of this step. */
void code_undisturbed(void);
/* The value in this register depends on time, or on what the manual leaves open. */
void code_forget(unsigned reg);
uint64_t code_left(unsigned reg); /* what the last step left there, all the same */
/* Registers: not tp, which is ours. */
unsigned any_register(void);       /* x0 too */
unsigned value_register(void);     /* not x0 */
unsigned other_register(unsigned); /* nor that one */
/* Runs what code_*() wrote in the given mode and folds what came of it. */
void code_run(const char *what, bool user);
/* Runs what is at that address, which ends with a trap or a jump to run_end. */
void code_run_at(const char *what, bool user, uint64_t va);

#endif
