/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's tables. `vm` may be NULL where it says so: all VMs. */
#ifndef APPLIANCE_MONITOR_SHOW_H
#define APPLIANCE_MONITOR_SHOW_H

#include <stdint.h>

struct cald_vcpu;
struct vm;

void show_list(struct vm *vm);       /* NULL */
void show_stats(struct vm *vm);      /* one VM in detail, or NULL: a line for each */
void show_since_boot(uint64_t time); /* "12.345 s since boot" */
void show_map(struct vm *vm);
void show_memory(struct vm *vm);   /* NULL */
void show_networks(struct vm *vm); /* NULL */

/* The trace of a VM's exits, switched and shown: "on VM", "off VM", "VM". */
void show_trace(const char *words);

/* A counter that another hart may be writing. */
uint64_t show_counter(const uint64_t *at);

/* Of the longest VM's name, or of the word NAME. */
int show_name_width(void);

/* A time in ticks of the host's clock: "310 us", "12.3 ms", "4.56 s". */
#define SHOW_TIME_TEXT 24
const char *show_time(char out[SHOW_TIME_TEXT], uint64_t ticks);

#endif
