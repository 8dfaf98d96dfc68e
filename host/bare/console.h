/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One serial port for everybody: Caldarium's messages, the monitor and each VM's console.
 *
 * One of them is in front: the keys go there and its output goes straight through. What a VM that
 * is not in front writes comes out by whole lines, led by `[name] `. Ctrl-A leads the keys that
 * choose (docs/monitor.md). console.c also implements host_print(), host_error() and the
 * host_console_*() of host/host.h, and monitor_host_write() and monitor_host_console() of
 * appliance/monitor/monitor.h. How output reaches the port: console_out.h.
 */
#ifndef HOST_BARE_CONSOLE_H
#define HOST_BARE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "appliance/vm.h"
#include "drivers/uart/uart.h"

/* From here on output reaches `uart`, whose init() has been called. NULL: it reaches nobody. */
void console_init(struct uart *uart);

/* `colour=on` of the boot arguments: what is behind a serial line can't be asked. Off at first. */
void console_colour(bool on);

/* Memory for what that many VMs print. Boot hart, before console_begin(). */
void console_define(unsigned count);

/* The VMs are known: puts the first one that starts by itself in front, or else the monitor, and
 * accepts keys from now on. */
void console_begin(void);

/* The port's interrupt line reaches the console's hart: whether the port can use it. */
bool console_interrupts(void);

/*
 * Reads what the port has received and acts on it, then sends what the line takes. Only the
 * console's hart calls it: when the port interrupts, when console_look() asked for it, and where
 * the port can't interrupt now and then. Returns in how many ticks it wants to be called for what
 * is still to be sent; UINT64_MAX: it will be told.
 */
uint64_t console_serve(void);

/* One received byte, or NS16550A_BREAK. For console_serve() and tests: only one hart at a time. */
void console_key(uint16_t key);

/* hart.c's timer, when host_console_sent() has put something off. */
void console_flush(void);

/* Puts a VM in front, or the monitor (NULL). */
void console_front(struct vm *vm);

/* The VM has ended and doesn't start again by itself: its last words come out, and if it was in
 * front the monitor takes its place. Call it after the line that says how it ended. */
void console_vm_ended(struct vm *vm);

/* Waits until everything that was printed is out; VMs print nothing more until `false`. For the
 * machine's end. */
void console_close(bool closed);

/* hart.c's: there is output that the console's hart has to see to by time, or no more. Any hart,
 * with the console's lock held. */
void console_look(bool more);

/* Caldarium is about to die on this hart: output no longer waits for anybody. */
void console_panic_mode(void);

#endif
