/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/console_ring.h"

void console_ring_init(struct console_ring *ring, char *bytes, uint32_t size)
{
    *ring = (struct console_ring){.bytes = bytes, .size = bytes ? size : 0};
}

/* One place is kept for the newline that ends a line which is cut. */
static uint32_t room(const struct console_ring *ring)
{
    uint32_t used = ring->head - ring->tail;
    return used + 1 < ring->size ? ring->size - 1 - used : 0;
}

static void push(struct console_ring *ring, char byte)
{
    ring->bytes[ring->head++ & (ring->size - 1)] = byte;
    if (byte == '\n')
        ring->line = ring->head;
}

/* The unfinished line goes: whole where it is all still here, else cut. */
static void begin_gap(struct console_ring *ring)
{
    ring->gap = true;
    if (ring->line - ring->tail <= ring->head - ring->tail)
        ring->head = ring->line;
    else if (ring->size)
        push(ring, '\n');
}

static void drop(struct console_ring *ring, char byte)
{
    ring->lost += !ring->skips;
    ring->skips = byte != '\n';
}

size_t console_ring_put(struct console_ring *ring, const char *bytes, size_t count)
{
    size_t done = 0;
    lock_take(&ring->lock);
    if (!ring->gap) {
        ring->skips = false;
        for (uint32_t left = room(ring); done < count && left > 0; left--)
            push(ring, bytes[done++]);
    }
    lock_release(&ring->lock);
    return done;
}

bool console_ring_put_whole(struct console_ring *ring, const char *bytes, size_t count)
{
    lock_take(&ring->lock);
    bool fits = !ring->gap && room(ring) >= count;
    for (size_t n = 0; fits && n < count; n++)
        push(ring, bytes[n]);
    if (!fits) {
        ring->gap = true;
        ring->lost++;
    }
    lock_release(&ring->lock);
    return fits;
}

void console_ring_put_lines(struct console_ring *ring, const char *bytes, size_t count)
{
    lock_take(&ring->lock);
    for (size_t n = 0; n < count; n++) {
        if (!ring->gap && !ring->skips && !room(ring))
            begin_gap(ring);
        if (ring->gap || ring->skips) {
            /* What is left of a line whose gap has been told of is not counted again. */
            drop(ring, bytes[n]);
        } else {
            push(ring, bytes[n]);
        }
    }
    lock_release(&ring->lock);
}

size_t console_ring_take(struct console_ring *ring, char *bytes, size_t max)
{
    size_t done = 0;
    lock_take(&ring->lock);
    while (done < max && ring->tail != ring->head) {
        bytes[done] = ring->bytes[ring->tail++ & (ring->size - 1)];
        if (bytes[done++] == '\n')
            break;
    }
    lock_release(&ring->lock);
    return done;
}

unsigned console_ring_lost(struct console_ring *ring)
{
    unsigned lost = 0;
    lock_take(&ring->lock);
    if (ring->gap && ring->tail == ring->head) {
        lost = ring->lost;
        ring->lost = 0;
        ring->gap = false;
    }
    lock_release(&ring->lock);
    return lost;
}

size_t console_ring_room(struct console_ring *ring)
{
    lock_take(&ring->lock);
    size_t left = ring->gap ? 0 : room(ring);
    lock_release(&ring->lock);
    return left;
}

size_t console_ring_hot_room(struct console_ring *ring)
{
    lock_take(&ring->lock);
    size_t left = ring->gap || ring->skips || ring->line == ring->head ? 0 : room(ring);
    lock_release(&ring->lock);
    return left;
}

bool console_ring_hurry(struct console_ring *ring, char byte, size_t least)
{
    if (!lock_try(&ring->lock))
        return false;
    bool fits = !ring->gap && !ring->skips && room(ring) >= least;
    if (fits)
        ring->bytes[ring->head++ & (ring->size - 1)] = byte;
    lock_release(&ring->lock);
    return fits;
}

bool console_ring_is_empty(struct console_ring *ring)
{
    lock_take(&ring->lock);
    bool empty = ring->tail == ring->head && !ring->gap;
    lock_release(&ring->lock);
    return empty;
}

void console_ring_end_line(struct console_ring *ring, bool mark)
{
    lock_take(&ring->lock);
    ring->skips = false;
    if (mark && ring->size && ring->line != ring->head)
        push(ring, '\n'); /* room() keeps a place for it */
    ring->line = ring->head;
    lock_release(&ring->lock);
}
