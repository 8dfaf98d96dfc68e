/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A split virtqueue, as the device sees it. Virtual I/O Device (VIRTIO) 1.2, 2.7.
 *
 * All that lies in the ring is the driver's, and may change while it is read: each descriptor is
 * read once, checked, and what is copied afterwards is by way of that copy. Whatever can't be is
 * said in one line and breaks the queue (`wrong`): nothing is taken from it any more until the
 * device is reset. No driver's value makes a loop longer than the queue's size.
 *
 * `lock` is held by whoever calls a function here, but for virtio_queue_begin() and _end(), which
 * take it. Order: a device's own lock, then a queue's, then a queue into which other devices
 * deliver (one that its own driver's kicks never do more in than refill), then a device's `line`.
 */
#ifndef APPLIANCE_VIRTIO_QUEUE_H
#define APPLIANCE_VIRTIO_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "riscv/lock.h"

#define VIRTIO_QUEUE_SIZE 256U /* descriptors, at most; a chain can't be longer */

/* How much of a copy goes at once: the less of two, one of which has 32 bits. */
static inline uint32_t virtio_least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* Where the driver has laid it, guest-physical. */
struct virtio_ring {
    uint64_t descriptors, available, used;
    uint32_t size;
};

struct virtio_queue {
    struct lock lock;
    struct cald_vm *vm;      /* whose memory; set once */
    bool live;               /* may be used: the driver is ready, and nothing was wrong */
    bool indirect, events;   /* VIRTIO_F_INDIRECT_DESC, VIRTIO_F_EVENT_IDX were accepted */
    bool quiet;              /* the device doesn't want to hear of new buffers */
    struct virtio_ring ring; /* checked: in the VM's memory as a whole */
    uint16_t taken;          /* entries of the available ring that were taken */
    uint16_t given;          /* entries of the used ring that were written; */
    uint16_t published;      /* of these, the driver sees so many */
    const char *wrong;       /* why it is broken; NULL: it is not. virtio_device tells of it */
};

/* A piece of the guest's memory that a chain names. */
struct virtio_part {
    uint64_t gpa;
    uint32_t bytes;
};

/* A buffer that the driver made available: parts that the device reads, then parts that it writes.
 * Read and written from the front; the places are kept, so that it may take several turns. */
struct virtio_chain {
    struct virtio_queue *queue;
    uint16_t head;            /* what names it to the driver */
    uint16_t parts, readable; /* the first ones are to be read, the others to be written */
    uint16_t in, out;         /* the parts that are read and written next, */
    uint32_t in_at, out_at;   /* and from where */
    uint64_t in_left;         /* bytes that are still to be read, */
    uint64_t out_left;        /* or that there is room for */
    uint32_t written;
    struct virtio_part part[VIRTIO_QUEUE_SIZE];
};

/* The driver's ring can be one: its size is a power of two, its parts are aligned, and in the VM's
 * memory. NULL, or what is wrong with it. */
const char *virtio_ring_check(const struct cald_vm *vm, const struct virtio_ring *ring);

/* From now on it is used, from its beginning. */
void virtio_queue_begin(struct virtio_queue *queue, const struct virtio_ring *ring, bool indirect,
                        bool events);
/* When this returns nobody uses its memory any more, nor will. */
void virtio_queue_end(struct virtio_queue *queue);

/* The next buffer. NONE: none is there, or the queue isn't live; then the driver will kick for the
 * next one, unless `quiet`. WRONG: it has just become broken. */
enum virtio_took { VIRTIO_NONE, VIRTIO_TAKEN, VIRTIO_WRONG };
enum virtio_took virtio_take(struct virtio_queue *queue, struct virtio_chain *chain);

/* The last `chains` that were taken, and not given back, will be taken again. */
void virtio_untake(struct virtio_queue *queue, unsigned chains);

/* The last `chains` that were given, and not published, were not. */
void virtio_ungive(struct virtio_queue *queue, unsigned chains);

/* Copies the next bytes out of a chain, into one, or from one to another, perhaps of another VM.
 * False: it has not so many, or they are in no memory (then its queue is broken); a part may have
 * been copied. For virtio_copy() both queues' locks are held. */
bool virtio_get(struct virtio_chain *chain, void *to, uint32_t bytes);
bool virtio_put(struct virtio_chain *chain, const void *from, uint32_t bytes);
bool virtio_copy(struct virtio_chain *from, struct virtio_chain *to, uint32_t bytes);
/* Leaves the next bytes of what is to be written as they are: so many at most as there are. */
void virtio_skip(struct virtio_chain *chain, uint64_t bytes);

/* Gives the chain back, with what was written into it. The driver sees it with virtio_publish(),
 * and all that were given before it at the same moment. */
void virtio_give(struct virtio_chain *chain);

/* True: the driver wants an interrupt for what it sees now. */
bool virtio_publish(struct virtio_queue *queue);

/* Whether the driver shall kick when it adds buffers; it does at first. */
void virtio_want_kicks(struct virtio_queue *queue, bool want);

#endif
