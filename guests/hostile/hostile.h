/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that does everything a guest should not: random and boundary SBI calls, CSRs, addresses,
 * instructions, page tables, interrupts, harts that come and go. It must hurt nobody but itself.
 *
 * Each act is one try (trap.S): all registers as wished, until any trap. What it may write without
 * an end to the sport lies in the arena. One generator a hart, seeded from `seed=` on the command
 * line (0 or none: from the tree's rng-seed) and printed, so that a run can be had again.
 */
#ifndef GUESTS_HOSTILE_HOSTILE_H
#define GUESTS_HOSTILE_HOSTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/common/guest.h"

#define HARTS 8
#define RAM_BASE 0x80000000UL
#define ARENA 0x80800000UL
#define ARENA_BYTES 0x400000UL
extern uint64_t ram_end, harts;

/* trap.S knows the offsets. */
struct context {
    uint64_t kept[16]; /* what C keeps, while a try runs */
    uint64_t trying;   /* 0: a trap now is not expected */
    uint64_t cause, epc, tval;
    uint64_t random; /* xorshift64 */
    uint64_t id;
    uint64_t x[32];    /* registers to begin the try with */
    uint32_t code[64]; /* what a try runs, where it is no random page */
};
extern struct context contexts[HARTS];
extern uint64_t hostile_vectors[HARTS]; /* trap.S: each hart's trap entry */

/* Runs code at pc with c->x, until a trap. User: in user mode. Interrupts in `sie` end it too. */
void hostile_try(struct context *c, uint64_t pc, uint64_t sstatus);

/* main.c */
uint64_t any(struct context *c);               /* a random word */
uint64_t below(struct context *c, uint64_t n); /* 0 .. n-1 */
uint64_t any_value(struct context *c);         /* a word that means trouble */
uint64_t any_address(struct context *c);       /* the same for addresses */
void all_registers(struct context *c);
/* Runs what is in c->code; it should end in an ebreak. A timer ends it if nothing else does. */
void run_code(struct context *c, bool user);
void run_at(struct context *c, uint64_t pc, bool user);

/* attack.c */
void attack(struct context *c);

#endif
