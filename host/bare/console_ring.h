/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one writer has written and the line has not taken yet. Several harts may write at once; one
 * takes. The lock is held for a copy, never while anybody waits for the serial port.
 *
 * A writer that can wait puts in what there is room for. For one that must not wait, whole lines
 * that find no room are dropped and counted. Once that begins, nothing more comes in until
 * everything before has been taken: so there is one gap at a time, its place is the ring's end, and
 * console_ring_lost() tells of it there.
 */
#ifndef HOST_BARE_CONSOLE_RING_H
#define HOST_BARE_CONSOLE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "riscv/lock.h"

struct console_ring {
    char *bytes;
    uint32_t size;       /* a power of two, or 0: everything is dropped */
    struct lock lock;    /* guards what follows */
    uint32_t head, tail; /* put and taken so far, modulo 2^32 */
    uint32_t line;       /* head, as it was when the last line had ended */
    unsigned lost;       /* lines dropped in the gap */
    bool gap;            /* there is one at head */
    bool skips;          /* the line that is being written began in a gap, or was cut by it */
};

void console_ring_init(struct console_ring *ring, char *bytes, uint32_t size);

/* Puts in as many bytes as there is room for; returns how many. */
size_t console_ring_put(struct console_ring *ring, const char *bytes, size_t count);

/* All of them or none. False: none, and a line counts as lost. */
bool console_ring_put_whole(struct console_ring *ring, const char *bytes, size_t count);

/* Puts all in, less the lines that are dropped. */
void console_ring_put_lines(struct console_ring *ring, const char *bytes, size_t count);

/* Takes up to `max` bytes, but none behind the first newline; returns how many. */
size_t console_ring_take(struct console_ring *ring, char *bytes, size_t max);

/* Lines that were dropped behind what has been taken; 0: none, or there is something to take first.
 * They are told once. */
unsigned console_ring_lost(struct console_ring *ring);

/* Bytes that console_ring_put() would take. */
size_t console_ring_room(struct console_ring *ring);

/* Bytes of room, 0 if what was put in last ended a line. */
size_t console_ring_hot_room(struct console_ring *ring);

/* Puts a byte in that ends no line, if the lock is free and there are `least` bytes of room. */
bool console_ring_hurry(struct console_ring *ring, char byte, size_t least);

/* Neither bytes nor a gap to tell of. */
bool console_ring_is_empty(struct console_ring *ring);

/* What comes next begins a new line; `mark`: with a newline before it, if one is unfinished. */
void console_ring_end_line(struct console_ring *ring, bool mark);

#endif
