/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef GUESTS_CSRS_CSRS_H
#define GUESTS_CSRS_CSRS_H

#include <stdbool.h>
#include <stdint.h>

#define PROBE_WORDS 16

/* probe.S: what the code left, and the trap that ended it. The offsets are probe.S's. */
struct probe {
    uint64_t a0, a1, a2;
    uint64_t cause, epc, tval;
};
extern struct probe probe;
extern uint32_t probe_code[PROBE_WORDS];
extern char probe_vector[];
void probe_run(uint64_t a0, bool user);

#endif
