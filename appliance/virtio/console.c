/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/console.h"

#include "caldarium/host.h"
#include "host/host.h"

enum { RECEIVE, TRANSMIT, QUEUES }; /* 5.3.2 */

#define REQUEST_COST 512U /* what a buffer takes of a turn beside its bytes and parts */

/* ---- Keys: the receive queue's lock is held -------------------------------------------------- */

/* From the first key on, as many as lie in one run and fit. */
static bool move_keys(struct virtio_console *console)
{
    uint32_t run = CONSOLE_KEYS - console->key_first;
    uint32_t bytes = virtio_least(virtio_least(console->key_count, run), console->in.out_left);
    if (!virtio_put(&console->in, console->key + console->key_first, bytes))
        return false;
    console->key_first = (console->key_first + bytes) % CONSOLE_KEYS;
    console->key_count -= bytes;
    return true;
}

/* Into the driver's next buffer. False: there is none, or it is wrong. */
static bool fill_buffer(struct virtio_console *console)
{
    struct virtio_queue *queue = &console->device.queue[RECEIVE];
    if (virtio_take(queue, &console->in) != VIRTIO_TAKEN)
        return false;
    if (!console->in.out_left) {
        virtio_device_broken(&console->device, queue, "a buffer for input has no room");
        return false;
    }
    while (console->key_count && console->in.out_left) {
        if (!move_keys(console))
            return false;
    }
    virtio_give(&console->in);
    return true;
}

/* True: there is more to do than a turn. */
static bool deliver(struct virtio_console *console, uint32_t most)
{
    struct virtio_queue *queue = &console->device.queue[RECEIVE];
    uint32_t spent = 0;
    while (console->key_count && spent < most && fill_buffer(console))
        spent += REQUEST_COST + console->in.written + console->in.parts * VIRTIO_PART_COST;
    if (virtio_publish(queue))
        virtio_interrupt(&console->device);
    if (console->refused && console->key_count < CONSOLE_KEYS) {
        console->refused = false;
        host_console_taken(console->device.vm);
    }
    return spent >= most;
}

/* One buffer at most: nobody pays for this. If it was too short, or is the last one, the driver
 * kicks when it adds others, and gets the rest then. */
bool virtio_console_receive(struct virtio_console *console, uint32_t key)
{
    struct virtio_queue *queue = &console->device.queue[RECEIVE];
    if (key == CALD_UART_BREAK)
        return true;
    lock_take(&queue->lock);
    bool room = console->key_count < CONSOLE_KEYS;
    if (room)
        console->key[(console->key_first + console->key_count++) % CONSOLE_KEYS] = (uint8_t)key;
    else
        console->refused = true;
    deliver(console, 1);
    virtio_settle(&console->device, queue);
    lock_release(&queue->lock);
    return room;
}

/* ---- Output: the transmit queue's lock is held ----------------------------------------------- */

static bool next_buffer(struct virtio_console *console, uint32_t *spent)
{
    console->piece_at = console->piece_bytes = 0;
    console->open = virtio_take(&console->device.queue[TRANSMIT], &console->out) == VIRTIO_TAKEN;
    *spent += console->open ? REQUEST_COST + console->out.parts * VIRTIO_PART_COST : 0;
    return console->open;
}

static bool next_piece(struct virtio_console *console, uint32_t *spent)
{
    console->piece_at = 0;
    console->piece_bytes = virtio_least(console->out.in_left, CONSOLE_PIECE);
    *spent += console->piece_bytes;
    return virtio_get(&console->out, console->piece, console->piece_bytes);
}

/* False: the host's console has no room now. */
static bool write_piece(struct virtio_console *console)
{
    console->piece_at +=
        (uint32_t)host_console_write(console->device.vm, console->piece + console->piece_at,
                                     console->piece_bytes - console->piece_at);
    return console->piece_at == console->piece_bytes;
}

/* What is left of the buffer; true: all of it is written. */
static bool write_buffer(struct virtio_console *console, uint32_t *spent)
{
    while (write_piece(console)) {
        if (!console->out.in_left)
            return true;
        if (*spent >= VIRTIO_TURN_BYTES || !next_piece(console, spent))
            break;
    }
    return false;
}

/* Where the host's console has no room the vCPU makes its store again, as with a serial port. */
static bool transmit(struct virtio_console *console)
{
    struct virtio_queue *queue = &console->device.queue[TRANSMIT];
    uint32_t spent = 0;
    while (spent < VIRTIO_TURN_BYTES && (console->open || next_buffer(console, &spent)) &&
           write_buffer(console, &spent)) {
        console->open = false;
        virtio_give(&console->out);
    }
    if (virtio_publish(queue))
        virtio_interrupt(&console->device);
    host_console_sent(console->device.vm);
    return queue->live && (console->open || spent >= VIRTIO_TURN_BYTES);
}

static bool kicked(struct virtio_device *device, unsigned n)
{
    struct virtio_console *console = (struct virtio_console *)device;
    return n == RECEIVE ? deliver(console, VIRTIO_TURN_BYTES) : transmit(console);
}

/* Keys may be coming meanwhile. */
static void reset(struct virtio_device *device)
{
    struct virtio_console *console = (struct virtio_console *)device;
    console->open = false;
    lock_take(&device->queue[RECEIVE].lock);
    console->key_count = 0;
    lock_release(&device->queue[RECEIVE].lock);
}

static void unmake(struct virtio_device *device)
{
    host_pages_free(device, sizeof(struct virtio_console));
}

static const struct virtio_kind kind = {
    .name = "console",
    .id = 3,
    .queues = QUEUES,
    .kicked = kicked,
    .reset = reset,
    .unmake = unmake,
};

void virtio_console_make(struct virtio_console *console)
{
    console->device.kind = &kind;
}
