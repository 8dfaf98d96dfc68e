/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/doorbell.h"

#include <string.h>

#define F_MULTIPORT (1UL << 1)

enum { RECEIVE, TRANSMIT, CONTROL_RECEIVE, CONTROL_TRANSMIT, QUEUES }; /* 5.3.2, of port 0 */

/* 5.3.6.2 */
enum { DEVICE_READY = 0, PORT_ADD = 1, PORT_READY = 3, PORT_OPEN = 6, PORT_NAME = 7 };
struct control {
    uint32_t port;
    uint16_t event, value;
};

/* All that is pending goes into the driver's next buffer. The receive queue's lock is held. */
static void send(struct virtio_doorbell *bell)
{
    struct virtio_queue *queue = &bell->device.queue[RECEIVE];
    uint8_t bytes[DRIVER_DEVICES * 8];
    uint32_t count = 0;
    for (unsigned n = 0; n < DRIVER_DEVICES; n++) {
        for (unsigned what = 0; bell->pending[n] >> what; what++) {
            if (bell->pending[n] >> what & 1)
                bytes[count++] = DOORBELL_BYTE(n, what);
        }
    }
    if (!count || virtio_take(queue, &bell->chain) != VIRTIO_TAKEN)
        return;
    /* A buffer that is shorter than that, which no driver has, loses what doesn't fit. */
    memset(bell->pending, 0, sizeof(bell->pending));
    if (!virtio_put(&bell->chain, bytes, virtio_least(bell->chain.out_left, count)))
        return;
    virtio_give(&bell->chain);
    if (virtio_publish(queue))
        virtio_interrupt(&bell->device);
}

void virtio_doorbell_ring(struct virtio_doorbell *bell, unsigned device, unsigned what)
{
    struct virtio_queue *queue = &bell->device.queue[RECEIVE];
    lock_take(&queue->lock);
    bell->pending[device] |= (uint8_t)(1U << what);
    if (queue->live)
        send(bell);
    virtio_settle(&bell->device, queue);
    lock_release(&queue->lock);
}

/* ---- Control --------------------------------------------------------------------------------- */

static bool say(struct virtio_doorbell *bell, unsigned event)
{
    struct control message = {.event = (uint16_t)event, .value = 1};
    struct virtio_queue *queue = &bell->device.queue[CONTROL_RECEIVE];
    if (virtio_take(queue, &bell->said) != VIRTIO_TAKEN)
        return false;
    bool fits =
        virtio_put(&bell->said, &message, sizeof(message)) &&
        (event != PORT_NAME || virtio_put(&bell->said, DOORBELL_PORT, sizeof(DOORBELL_PORT) - 1));
    if (fits)
        virtio_give(&bell->said);
    else if (queue->live)
        virtio_device_broken(&bell->device, queue, "a buffer is too short for a control message");
    return fits;
}

/* The control receive queue's lock is held. */
static void say_all(struct virtio_doorbell *bell)
{
    struct virtio_queue *queue = &bell->device.queue[CONTROL_RECEIVE];
    static const uint8_t order[] = {PORT_ADD, PORT_NAME, PORT_OPEN};
    for (unsigned n = 0; n < sizeof(order); n++) {
        if (!(bell->to_say >> order[n] & 1))
            continue;
        if (!say(bell, order[n]))
            break;
        bell->to_say &= ~(1U << order[n]);
    }
    if (virtio_publish(queue))
        virtio_interrupt(&bell->device);
}

static void say_too(struct virtio_doorbell *bell, uint32_t messages)
{
    struct virtio_queue *queue = &bell->device.queue[CONTROL_RECEIVE];
    lock_take(&queue->lock);
    bell->to_say |= messages;
    if (queue->live)
        say_all(bell);
    virtio_settle(&bell->device, queue);
    lock_release(&queue->lock);
}

static void hear(struct virtio_doorbell *bell, const struct control *message)
{
    if (message->event == DEVICE_READY && message->value)
        say_too(bell, 1U << PORT_ADD);
    else if (message->event == PORT_READY && message->value)
        say_too(bell, 1U << PORT_NAME | 1U << PORT_OPEN);
    else if (message->event == PORT_OPEN && !message->value)
        bell->closed(bell);
}

static void hear_all(struct virtio_doorbell *bell, unsigned n)
{
    struct virtio_queue *queue = &bell->device.queue[n];
    struct virtio_chain *chain = n == CONTROL_TRANSMIT ? &bell->heard : &bell->ignored;
    struct control message;
    for (unsigned left = queue->ring.size; left; left--) {
        if (virtio_take(queue, chain) != VIRTIO_TAKEN)
            break;
        if (n == CONTROL_TRANSMIT && chain->in_left >= sizeof(message)) {
            if (!virtio_get(chain, &message, sizeof(message)))
                break;
            hear(bell, &message);
        }
        virtio_give(chain);
    }
    if (virtio_publish(queue))
        virtio_interrupt(&bell->device);
}

static bool kicked(struct virtio_device *device, unsigned n)
{
    struct virtio_doorbell *bell = (struct virtio_doorbell *)device;
    if (n == RECEIVE)
        send(bell);
    else if (n == CONTROL_RECEIVE)
        say_all(bell);
    else
        hear_all(bell, n);
    return false;
}

static void reset(struct virtio_device *device)
{
    struct virtio_doorbell *bell = (struct virtio_doorbell *)device;
    lock_take(&device->queue[CONTROL_RECEIVE].lock);
    bell->to_say = 0;
    lock_release(&device->queue[CONTROL_RECEIVE].lock);
    bell->closed(bell);
}

static const struct virtio_kind kind = {
    .name = "doorbell",
    .id = 3,
    .queues = QUEUES,
    .kicked = kicked,
    .reset = reset,
};

void virtio_doorbell_make(struct virtio_doorbell *bell, void (*closed)(struct virtio_doorbell *))
{
    bell->config = (struct doorbell_config){.ports = 1};
    bell->closed = closed;
    bell->device.kind = &kind;
    bell->device.features = F_MULTIPORT;
    bell->device.config = &bell->config;
    bell->device.config_bytes = sizeof(bell->config);
}
