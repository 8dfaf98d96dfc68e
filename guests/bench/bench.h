/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GUESTS_BENCH_BENCH_H
#define GUESTS_BENCH_BENCH_H

#include <stdbool.h>

#include "guests/common/guest.h"

/* One line: `bench: NAME VALUE instructions`. */
void report(const char *name, uint64_t ticks, uint64_t rounds);

/* switch.c: `bench=switch` on the command line. */
void bench_switch(uint64_t hart, uint64_t tree);
_Noreturn void bench_ring(uint64_t hart); /* its other harts */

#endif
