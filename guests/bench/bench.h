/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GUESTS_BENCH_BENCH_H
#define GUESTS_BENCH_BENCH_H

#include <stdbool.h>

#include "guests/common/guest.h"

#define TICK 100UL /* instructions a tick of `time` */

/* One line: `bench: NAME VALUE instructions`. */
void report(const char *name, uint64_t ticks, uint64_t rounds);

#define MEASURE(name, rounds, what)                                                                \
    do {                                                                                           \
        uint64_t before_ = csr_read(CSR_TIME);                                                     \
        what;                                                                                      \
        report(name, csr_read(CSR_TIME) - before_, rounds);                                        \
    } while (0)

/* The least of many windows: what other harts do meanwhile does not count, nor does a hart that
 * spins through its turn in the emulator because another one was stopped while it held a lock. */
#define LEAST(name, windows, rounds, what)                                                         \
    do {                                                                                           \
        uint64_t least_ = UINT64_MAX;                                                              \
        for (unsigned n_ = 0; n_ < windows; n_++) {                                                \
            uint64_t before_ = csr_read(CSR_TIME);                                                 \
            what;                                                                                  \
            uint64_t took_ = csr_read(CSR_TIME) - before_;                                         \
            least_ = took_ < least_ ? took_ : least_;                                              \
        }                                                                                          \
        report(name, least_, rounds);                                                              \
    } while (0)

/* loops.S */
void loop_sbi(uint64_t count, uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
              uint64_t a2);
void loop_empty(uint64_t count);
void loop_timer(uint64_t count);
void loop_csrr(uint64_t count);
void loop_csrw(uint64_t count);
void loop_sie(uint64_t count);
void loop_sum(uint64_t count);
void loop_sfence(uint64_t count, uint64_t address);
void loop_load(uint64_t count, uintptr_t at);
void loop_load_byte(uint64_t count, uintptr_t at);
void loop_store_byte(uint64_t count, uintptr_t at, uint64_t byte);
void loop_touch(uint64_t pages, uintptr_t at);
void loop_user(uint64_t count);
void loop_faults(uint64_t count, uintptr_t at, uint64_t user);

/* paging.S */
void loop_spaces(uint64_t count, uint64_t satp_a, uint64_t satp_b, uintptr_t at);
void loop_ticks(uint64_t count);
uint64_t loop_ticks_ahead(uint64_t count, uint64_t period);

/* paging.c: with interrupts off; leaves translation off. */
void bench_paging(void);

/* switch.c: `bench=switch` on the command line. */
void bench_switch(uint64_t hart, uint64_t tree);
_Noreturn void bench_ring(uint64_t hart); /* its other harts */

/* many.c: `bench=many`. */
void bench_many(uint64_t hart, uint64_t tree);
_Noreturn void bench_many_other(void); /* its other harts */

/* steady.c: `bench=steady`: each operation's least cost over many short windows, so that what other
 * harts do meanwhile (time runs on then) does not count. */
void bench_steady(uint64_t hart);

/* progress.c: `bench=progress from=TICKS ticks=TICKS`: how much work was done in that time of its
 * own clock, then on for ever. */
_Noreturn void bench_progress(uint64_t tree);

#endif
