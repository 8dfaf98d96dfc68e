/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/entropy.h"

#include "host/host.h"

#define DEARER 16U /* so much more does a random byte cost than one that is copied */
#define TURN_BYTES (VIRTIO_TURN_BYTES / DEARER)
#define PIECE 64U

/* 5.4.6.1: any number of bytes but none may be given. */
static bool fill(struct virtio_chain *chain, uint32_t most)
{
    uint8_t piece[PIECE];
    while (chain->out_left && chain->written < most) {
        uint32_t bytes = chain->out_left < PIECE ? (uint32_t)chain->out_left : PIECE;
        host_random(piece, bytes);
        if (!virtio_put(chain, piece, bytes))
            return false;
    }
    return true;
}

static bool kicked(struct virtio_device *device, unsigned n)
{
    struct virtio_chain *chain = &((struct virtio_entropy *)device)->chain;
    struct virtio_queue *queue = &device->queue[n];
    uint32_t spent = 0;
    while (spent < TURN_BYTES && virtio_take(queue, chain) == VIRTIO_TAKEN) {
        if (!fill(chain, TURN_BYTES - spent))
            break;
        spent += chain->written + PIECE + chain->parts * VIRTIO_PART_COST / DEARER;
        virtio_give(chain);
    }
    if (virtio_publish(queue))
        virtio_interrupt(device);
    return spent >= TURN_BYTES;
}

static void unmake(struct virtio_device *device)
{
    host_pages_free(device, sizeof(struct virtio_entropy));
}

static const struct virtio_kind kind = {
    .name = "entropy",
    .id = 4,
    .queues = 1,
    .kicked = kicked,
    .unmake = unmake,
};

void virtio_entropy_make(struct virtio_entropy *entropy)
{
    entropy->device.kind = &kind;
}
