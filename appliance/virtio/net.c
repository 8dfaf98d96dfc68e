/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/net.h"

#include <string.h>

#include "host/host.h"

enum { RECEIVE, TRANSMIT, QUEUES }; /* 5.1.2 */

/* 5.1.3 */
#define F_MTU (1UL << 3)
#define F_ADDRESS (1UL << 5)
#define F_MERGE (1UL << 15) /* VIRTIO_NET_F_MRG_RXBUF */
#define F_STATUS (1UL << 16)
#define STATUS_LINK_UP 1

#define FRAME_COST 256U /* what one takes beside its copy, in bytes of such */
#define MERGED_MAX 16U  /* buffers of a receiver for one frame */

/* ---- To a receiver: its receive queue's lock is held ----------------------------------------- */

/* Takes the first of the buffers that `bytes` go into, and the sender pays for looking at them. How
 * many these are; 0: there are too few, none is taken, and the queue may be broken. */
static unsigned take_buffers(struct virtio_net *from, struct virtio_net *to, uint64_t bytes)
{
    struct virtio_queue *queue = &to->device.queue[RECEIVE];
    bool merge = to->device.accepted & F_MERGE; /* as it is while the queue is live */
    uint64_t room = 0;
    unsigned count = 0, parts = 0;
    do {
        if (virtio_take(queue, &to->out) != VIRTIO_TAKEN)
            break;
        room += to->out.out_left;
        parts += to->out.parts;
        count++;
    } while (merge && room < bytes && count < MERGED_MAX && parts < VIRTIO_QUEUE_SIZE);
    from->spent += parts * VIRTIO_PART_COST;
    if (count == 1 && room >= bytes)
        return count;
    virtio_untake(queue, count);
    return room >= bytes && virtio_take(queue, &to->out) == VIRTIO_TAKEN ? count : 0;
}

/* The frame goes into `count` buffers, of which the first is taken. False: a queue is broken, or
 * the driver has changed its buffers meanwhile. `given`: so many were given back. */
static bool fill(struct virtio_net *from, struct virtio_net *to, unsigned count, unsigned *given)
{
    struct net_header header = {.buffers = (uint16_t)count};
    uint32_t left = from->bytes - SWITCH_HEADER;
    if (!virtio_put(&to->out, &header, sizeof(header)) ||
        !virtio_put(&to->out, from->header, SWITCH_HEADER))
        return false;
    for (;;) {
        uint32_t part = virtio_least(left, to->out.out_left);
        if (!virtio_copy(&from->in, &to->out, part))
            return false;
        left -= part;
        virtio_give(&to->out);
        if (++*given == count)
            return !left;
        if (virtio_take(&to->device.queue[RECEIVE], &to->out) != VIRTIO_TAKEN)
            return false;
    }
}

static bool receive(struct virtio_net *from, struct virtio_net *to)
{
    struct virtio_queue *queue = &to->device.queue[RECEIVE], *sender = from->in.queue;
    unsigned given = 0, count = take_buffers(from, to, sizeof(struct net_header) + from->bytes);
    if (!count)
        return false;
    if (fill(from, to, count, &given))
        return true;
    virtio_ungive(queue, given);
    /* If it is the sender's fault, the receiver has lost nothing but time. */
    if (queue->live && !sender->live)
        virtio_untake(queue, given + 1);
    else if (queue->live)
        virtio_device_broken(&to->device, queue,
                             "a buffer is too short for the header, or has changed");
    return false;
}

/* What it was given, it sees; the queue's lock is held. */
static bool show(struct virtio_net *from, unsigned port, struct virtio_queue *queue)
{
    from->reached &= ~(1U << port);
    return virtio_publish(queue);
}

/* The receiver sees the frame when the turn ends: one interrupt for all that it brings. But if it
 * lacks buffers it sees what it has, to make room. */
static void deliver(struct virtio_net *from, unsigned port)
{
    struct virtio_net *to = from->net->port[port].device;
    struct virtio_queue *queue = &to->device.queue[RECEIVE];
    struct switch_counts *counts = &from->net->port[port].counts;
    lock_take(&queue->lock);
    bool got = queue->live && receive(from, to);
    counts->got += got;
    counts->got_bytes += got ? from->bytes : 0;
    counts->lost += !got;
    from->reached |= (uint32_t)got << port;
    bool tell = !got && show(from, port, queue);
    virtio_settle(&to->device, queue);
    lock_release(&queue->lock);
    if (tell)
        virtio_interrupt(&to->device);
}

static void show_all(struct virtio_net *from)
{
    while (from->reached) {
        unsigned port = (unsigned)__builtin_ctz(from->reached);
        struct virtio_net *to = from->net->port[port].device;
        struct virtio_queue *queue = &to->device.queue[RECEIVE];
        lock_take(&queue->lock);
        bool tell = show(from, port, queue);
        virtio_settle(&to->device, queue);
        lock_release(&queue->lock);
        if (tell)
            virtio_interrupt(&to->device);
    }
}

/* ---- From the sender: its transmit queue's lock is held -------------------------------------- */

/* Reads the frame's header, once, and asks the switch where it goes. What the header of virtio
 * has matters only with features that are not offered. */
static void begin(struct virtio_net *from)
{
    struct net_header virtio;
    struct virtio_chain *in = &from->in;
    uint64_t bytes = in->in_left - sizeof(virtio);
    if (in->in_left < sizeof(virtio) + SWITCH_HEADER || bytes > switch_frame_max(from->net)) {
        from->net->port[from->port].counts.wrong++;
        return;
    }
    if (!virtio_get(in, &virtio, sizeof(virtio)) ||
        !virtio_get(in, from->header, sizeof(from->header)))
        return;
    from->bytes = (uint32_t)bytes;
    from->behind = (struct net_place){in->in, in->in_at, in->in_left};
    from->to = switch_ports(from->net, from->port, from->header, from->bytes);
}

/* To the next port; the frame is read from its begin again. */
static void go_on(struct virtio_net *from)
{
    unsigned port = (unsigned)__builtin_ctz(from->to);
    from->to &= from->to - 1;
    from->in.in = from->behind.in;
    from->in.in_at = from->behind.in_at;
    from->in.in_left = from->behind.in_left;
    deliver(from, port);
}

static bool kicked(struct virtio_device *device, unsigned n)
{
    struct virtio_net *from = (struct virtio_net *)device;
    struct virtio_queue *queue = &device->queue[n];
    if (n == RECEIVE) {
        virtio_want_kicks(queue, false); /* buffers are looked for when there is a frame */
        return false;
    }
    from->spent = 0;
    while (queue->live && from->spent < VIRTIO_TURN_BYTES) {
        from->spent += FRAME_COST;
        if (from->to) {
            go_on(from);
            from->spent += from->bytes + from->in.parts * VIRTIO_PART_COST;
        } else if (virtio_take(queue, &from->in) == VIRTIO_TAKEN) {
            from->spent += from->in.parts * VIRTIO_PART_COST;
            begin(from);
        } else {
            break;
        }
        if (!from->to && queue->live)
            virtio_give(&from->in);
    }
    show_all(from);
    if (virtio_publish(queue))
        virtio_interrupt(device);
    return queue->live && from->spent >= VIRTIO_TURN_BYTES;
}

static void reset(struct virtio_device *device)
{
    ((struct virtio_net *)device)->to = 0;
}

static void unmake(struct virtio_device *device)
{
    struct virtio_net *port = (struct virtio_net *)device;
    switch_port_drop(port->net, port->port);
    host_pages_free(port, sizeof(*port));
}

static const struct virtio_kind kind = {
    .name = "net",
    .id = 1,
    .queues = QUEUES,
    .kicked = kicked,
    .reset = reset,
    .unmake = unmake,
};

bool virtio_net_make(struct virtio_net *port, struct net_switch *net, const uint8_t address[6],
                     bool bridge)
{
    struct virtio_device *device = &port->device;
    port->port = switch_port_add(net, switch_address(address), bridge, port);
    port->net = net;
    port->config =
        (struct net_config){.status = STATUS_LINK_UP, .pairs = 1, .mtu = (uint16_t)net->mtu};
    memcpy(port->config.address, address, sizeof(port->config.address));
    device->kind = &kind;
    device->features = F_MTU | F_ADDRESS | F_MERGE | F_STATUS;
    device->config = &port->config;
    device->config_bytes = sizeof(port->config);
    return port->port != SWITCH_PORTS;
}
