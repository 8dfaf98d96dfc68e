/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the screen looks: whose line is on it, what is put back after a line of somebody else's, and
 * how a VM's line that is not in front is shown. What is painted goes to out_raw().
 *
 * Every function but paint_front() is called with console_out.c's lock held.
 */
#ifndef HOST_BARE_CONSOLE_PAINT_H
#define HOST_BARE_CONSOLE_PAINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A message among other bytes in a ring: one of these, the text, a newline. */
#define MARK_INFO '\001'
#define MARK_ERROR '\002'

/* Bytes for the port, in order. console_out.c. */
void out_raw(const char *bytes, size_t count);

void paint_colour(bool on);

/* A writer's next byte. True: it ended a line that is on the screen now, and the turn with it. */
bool paint_byte(unsigned writer, uint8_t byte);

/* A line of Caldarium's own; and that so many lines of a writer's were dropped. */
void paint_message(bool error, const char *said);
void paint_lost(unsigned writer, unsigned lost);

/* Who is in front: a VM or OUT_MONITOR. Any hart, without the lock. */
unsigned paint_front(void);

/* Another one, after the line `said` if it is not NULL. */
void paint_set_front(unsigned next, const char *said);

/* A VM has ended; `more`: bytes of it are still to come. If it was in front, the monitor is, after
 * the line `said`. */
void paint_vm_ended(unsigned vm, bool more, const char *said);

/* Nothing follows: the cursor is at the start of a row. */
void paint_end(void);

#endif
