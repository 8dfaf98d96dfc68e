/* SPDX-License-Identifier: BSD-2-Clause */
/* What a test sets and sees of the host inside a process. Single-threaded: one test, one process.
 */
#ifndef HOST_SIM_SIM_H
#define HOST_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What host_time() and host_timebase() answer, and the limit of what host_pages_alloc() gives. */
extern uint64_t sim_time, sim_timebase, sim_pages_total;

/* Bytes that are taken from host_pages_alloc() and not given back. */
extern uint64_t sim_pages_taken;

/* Counts down to the host_pages_alloc() that fails, alone: 1 is the next one; 0: none. */
extern unsigned sim_alloc_fails;

/* Captured since sim_reset(): lines of host_print() and host_error(), each with its newline, and
 * bytes of host_console_write(). Both are cut off, not overrun, when they grow too long. */
#define SIM_CAPTURE 65536
extern char sim_messages[SIM_CAPTURE];
extern char sim_console[SIM_CAPTURE];
extern size_t sim_message_bytes, sim_console_bytes;
extern size_t sim_console_room; /* what the host takes of a VM at once */
extern unsigned sim_errors;     /* lines of host_error() */

/* The last arguments of host_kick() and host_timer_arm(), and how often each was called. */
extern struct cald_vcpu *sim_kicked, *sim_timer_vcpu;
extern uint64_t sim_timer_deadline;
extern unsigned sim_kicks, sim_timer_arms;
extern unsigned sim_pci_command;        /* the last one that a guest wrote */
extern uint32_t sim_pci_word[64];       /* what was written to a function's MSI capabilities */
extern uint64_t sim_page_attributes[2]; /* of memory, of a device */
extern bool sim_pci_interrupt;          /* every function holds its INTx up */

/* All of the above as at the start: time 0, 10 MHz, 256 MiB. Call it in a test's set-up. */
void sim_reset(void);

#endif
