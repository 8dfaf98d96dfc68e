/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monitor: a person's words to Caldarium. It edits a line, completes names and carries commands
 * out. It runs in short steps on whichever hart brings the key; it never waits.
 */
#ifndef APPLIANCE_MONITOR_MONITOR_H
#define APPLIANCE_MONITOR_MONITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cald_vcpu;
struct vm;

/* Shows the prompt with what was typed so far: the console has come to the monitor. Any hart. */
void monitor_enter(void);

/* A key. Handles line editing: arrows, home/end, ^A is the console's, ^C ^K ^U ^W, history, tab. */
void monitor_key(uint8_t key);

/* Runs one command line, as typed. Errors are printed. */
void monitor_run(const char *text);

/* A line of a command's answer: as it is, without the `caldarium: ` of a message. Whole lines, cut
 * at 255 characters; a newline is added. */
void monitor_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Bytes as a person reads them, exact or rounded down to a tenth: "256 MiB", "1.5 GiB". */
#define MONITOR_SIZE_TEXT 32
const char *monitor_size(char out[MONITOR_SIZE_TEXT], uint64_t bytes);

/* What commands need of the host (host/bare implements; host/sim in tests). */
void monitor_host_harts(void);    /* prints the table of harts, with monitor_print() */
void monitor_host_memory(void);   /* prints the host's memory: total, free, Caldarium's own */
void monitor_host_poweroff(void); /* powers the machine off */
void monitor_host_console(struct vm *vm);                 /* puts the VM's console in front */
void monitor_host_write(const char *bytes, size_t count); /* raw echo to the person's terminal */
int monitor_host_start(struct vm *vm); /* finds harts for it and starts; -1 after saying why */
int monitor_host_start_from(struct vm *vm, struct vm *from); /* the same, from a saved state */
unsigned monitor_host_home(const struct cald_vcpu *vcpu);    /* index of the hart that it is on */
uint64_t monitor_host_hart_id(unsigned index); /* that hart as the board's tree numbers it */
uint64_t monitor_host_idle(const struct cald_vcpu *vcpu); /* ticks that it slept, in all */

uint64_t monitor_host_hart_idle(unsigned index); /* ticks that it had nobody to run */
void monitor_host_tick(bool on); /* top_tick() is to be called each second, or no longer */

/* A VM's share of the harts that it runs on. False: it has harts of its own, or, of a change, there
 * is not so much left. */
struct monitor_share {
    unsigned priority, budget_us, period_us; /* budget 0: none */
};
bool monitor_host_share(const struct vm *vm, struct monitor_share *share);
bool monitor_host_change(struct vm *vm, const struct monitor_share *share);

#endif
