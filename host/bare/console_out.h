/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes out on the serial port, and when.
 *
 * Each writer (a VM, the monitor, Caldarium's own messages) has a ring of its own
 * (console_ring.h); putting something in never waits for the line. Whoever put something in then
 * calls out_pump(), which moves what the line takes right now. What is left is moved on the
 * console's hart, by the port's transmit interrupt, or by time where it has none.
 *
 * The line is shared by turns: the monitor goes first, since a person waits for it; after it
 * Caldarium's messages, the VM in front, and all others take turns of a line each.
 */
#ifndef HOST_BARE_CONSOLE_OUT_H
#define HOST_BARE_CONSOLE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appliance/config.h"
#include "drivers/uart/uart.h"

/* Writers: a VM by its index, and these. */
#define OUT_MONITOR VM_MAX
#define OUT_MESSAGES (VM_MAX + 1)
#define OUT_WRITERS (VM_MAX + 2)

#define OUT_MESSAGE_MAX 320

/* `uart` is where output goes from now on. NULL: nowhere. Boot hart. */
void out_init(struct uart *uart);
void out_colour(bool on);

/* Memory for the rings of that many VMs. False: there is none; their output is lost. */
bool out_define(unsigned vms);

/* The harts are about to run VMs: from now on output waits for nobody. Until then it is
 * synchronous.
 */
void out_begin(void);

/* Bytes of a VM. Of one in front as many are taken as there is room for, and the others have to be
 * tried again; of others all, and whole lines are dropped if need be. Returns how many. */
size_t out_write(unsigned vm, const char *bytes, size_t count);

/* How many bytes of that VM out_write() would take now. */
size_t out_room(unsigned vm);

/* What that VM has written need not be out at once: out_pump() will be called soon. False: better
 * now, it is a line, or much. */
bool out_later(unsigned vm);

/* A byte of a VM for which such a call is still to come. False: it was not taken. Waits for nobody.
 */
bool out_hurry(unsigned vm, char byte);

/* Bytes of the monitor's own, escape sequences included. If there is no room it waits: the answer
 * to a person's command is not cut. */
void out_monitor(const char *bytes, size_t count);

/* A line of Caldarium's own, without control characters. `in_order`: it belongs between the
 * monitor's bytes; else it is dropped, and counted, if there is no room. */
void out_message(bool in_order, bool error, const char *text);

/* Moves what the line takes now; never waits for it, nor for who else is at it. Any hart. */
void out_pump(void);

/* The same on the console's hart, which also drives ports that are slow to answer. Returns in how
 * many ticks it wants to be called again; UINT64_MAX: when somebody asks (console_look()). */
uint64_t out_serve(void);

/* Waits until everything is out and the cursor at the start of a row, and takes nothing more from
 * VMs until `false`. */
void out_close(bool closed);

/* A bell. */
void out_bell(void);

/* Who is in front: a VM or OUT_MONITOR. out_set_front() changes that and prints `said`, if any;
 * false: it was in front already. */
unsigned out_front(void);
bool out_set_front(unsigned next, const char *said);

/* A VM has ended: its last words come out. True: it was in front, and the monitor is now, after
 * the line `said`. */
bool out_vm_ended(unsigned vm, const char *said);

/* Whether a received byte interrupts. */
void out_receive_interrupt(bool on);

/* From here on output waits for the line, and for nobody else: this hart is about to die. */
void out_panic(void);

#endif
