/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One serial port for everybody: Caldarium's messages, the monitor and each VM's console.
 *
 * One of them is in front: the keys go there and its output goes straight through. What a VM that
 * is not in front writes comes out by whole lines, led by `[name] `. Ctrl-A leads the keys that
 * choose (docs/monitor.md). console.c also implements host_print(), host_error() and
 * host_console_write() of host/host.h, and monitor_host_write() and monitor_host_console() of
 * core/monitor/monitor.h.
 */
#ifndef HOST_BARE_CONSOLE_H
#define HOST_BARE_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/vm.h"
#include "drivers/uart/uart.h"

/* From here on output reaches `uart`, whose init() has been called. NULL: it reaches nobody. */
void console_init(struct uart *uart);

/* `colour=on` of the boot arguments: what is behind a serial line can't be asked. Off at first. */
void console_colour(bool on);

/* The VMs are known: puts the first one that starts by itself in front, or else the monitor, and
 * accepts keys from now on. */
void console_begin(void);

/*
 * Reads what the port has received and acts on it. Any hart may call it at any time, and without a
 * receive interrupt somebody has to, now and then. False: another hart is at it (perhaps carrying
 * out a command), and nothing was read.
 */
bool console_poll(void);

/* One received byte. For console_poll() and tests: only one hart at a time. */
void console_key(uint8_t key);

/* Puts a VM in front, or the monitor (NULL). */
void console_front(struct vm *vm);

/* The VM has ended and doesn't start again by itself: its last words come out, and if it was in
 * front the monitor takes its place. Call it after the line that says how it ended. */
void console_vm_ended(struct vm *vm);

/* Caldarium is about to die on this hart: output no longer waits for anybody. */
void console_panic_mode(void);

#endif
