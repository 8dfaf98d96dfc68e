/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's tables. `vm` may be NULL where it says so: all VMs. */
#ifndef CORE_MONITOR_SHOW_H
#define CORE_MONITOR_SHOW_H

#include <stdint.h>

struct vm;

void show_list(struct vm *vm);  /* NULL */
void show_stats(struct vm *vm); /* one VM in detail, or NULL: a line for each */
void show_map(struct vm *vm);
void show_memory(struct vm *vm); /* NULL */

/* A time in ticks of the host's clock: "310 us", "12.3 ms", "4.56 s". */
#define SHOW_TIME_TEXT 24
const char *show_time(char out[SHOW_TIME_TEXT], uint64_t ticks);

#endif
