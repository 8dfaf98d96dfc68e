/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks named after the defects of the three systems that Caldarium grew from. Each tries one
 * thing and compares what came of it with what the privileged manual or the SBI says.
 */
#ifndef GUESTS_DEFECTS_H
#define GUESTS_DEFECTS_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/common/guest.h"

/* One try: some instructions, run in user or supervisor mode, and the trap that ended them. Those
 * that come to their end do so with an ebreak. trap.S knows the offsets. */
struct attempt {
    uint64_t pc, user, interrupts; /* where; 1: in user mode; 1: with interrupts enabled */
    uint64_t a0, a1, a2, a6, a7;   /* in; a0 and a1 are what they were in the end, too */
    uint64_t cause, tval, epc, status;
    uint64_t kept[14]; /* the caller's registers */
};
void attempt_run(struct attempt *attempt);

/* snippets.S: lie in one page, which paging.c maps for user mode as well. */
extern char snippets_begin[], snippets_end[];
extern char s_satp[], s_sret[], s_sfence[], s_sstatus[], s_ecall[], s_x0[], s_ebreak[], s_loop[],
    s_jump[], s_undecodable[], s_undecodable_short[], s_hstatus[], s_htimedelta[], s_hfence[],
    s_hlv[], s_mstatus[], s_mret[], s_ld[], s_sd[], s_clw[], s_clw_end[], s_csw[], s_csw_end[],
    s_cld[], s_cld_end[], s_csd[], s_csd_end[];

struct attempt try_at(uint64_t pc, bool user, uint64_t a0, uint64_t a1, uint64_t a2);
struct attempt try_kernel(const char *snippet, uint64_t a1, uint64_t a2);
struct attempt try_user(const char *snippet, uint64_t a1, uint64_t a2);

/* Whether it ended with this cause and address, at the instruction itself, seen from the right
 * mode. */
bool trapped(const struct attempt *a, uint64_t cause, uint64_t tval);
/* Whether it ran to the ebreak behind it. */
bool ran(const struct attempt *a);

/* paging.c: RAM and devices lie where they are, in pages of 1 GiB. */
#define USER_CODE 0x3000000000 /* the snippets, for user mode */
#define WINDOW 0x3000001000    /* one page of 4 KiB, whatever window() makes of it */
#define WINDOW_2M 0x3000200000 /* the same of 2 MiB */
#define NOWHERE 0x3000800000   /* nothing is mapped */
void paging_on(void);
void paging_on_here(void); /* on another hart */
extern uint64_t *const window_pte, *const window_2m_pte;
void window(uint64_t pa, uint64_t flags); /* with a fence for that address */

#define PAGE_RW (PTE_V | PTE_A | PTE_D | PTE_R | PTE_W)
#define NO_DEVICE 0x50000000 /* where a VM has nothing */

void report(const char *name, bool ok);
void traps_check(void);
void pages_check(void);
void devices_check(void);
void harts_check(void);
void keep(uint64_t seed, uint64_t ticks);

#endif
