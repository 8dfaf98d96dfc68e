/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver of virtio-mmio devices, version 2, with split queues: what bench.c and hostile.c share.
 */
#ifndef GUESTS_VIRTIO_DRIVER_H
#define GUESTS_VIRTIO_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "guests/common/guest.h"
#include "guests/common/virtio.h"

#define QUEUES 2
#define SIZE 64U /* of a queue */
#define ID_NET 1U
#define ID_BLOCK 2U

struct descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};
#define NEXT 1U
#define WRITE 2U

struct queue {
    struct descriptor desc[SIZE];
    struct {
        uint16_t flags, index, ring[SIZE], event;
    } driver;
    struct {
        volatile uint16_t flags, index;
        struct {
            uint32_t id, bytes;
        } ring[SIZE];
        uint16_t event;
    } device __attribute__((aligned(4)));
    uint16_t seen; /* of the used ring */
} __attribute__((aligned(4096)));

struct driver {
    volatile uint8_t *base; /* 0: there is none */
    uint32_t irq;
    struct queue *queue; /* QUEUES of them */
};

static inline uint32_t driver_read(const struct driver *driver, unsigned offset)
{
    return *(volatile uint32_t *)(driver->base + offset);
}

static inline void driver_write(const struct driver *driver, unsigned offset, uint32_t value)
{
    *(volatile uint32_t *)(driver->base + offset) = value;
}

/* The n-th virtio device in the tree; false: there are not so many. */
bool driver_at(struct driver *driver, uint64_t tree, unsigned n);

/* The first device of that kind. */
bool driver_find(struct driver *driver, uint64_t tree, uint32_t id);

/* All of initialization, with that many queues and the low word of features. */
void driver_begin(struct driver *driver, struct queue *queues, unsigned count, uint32_t features);

/* The chain that begins with `head` becomes available; the device hears of it by driver_kick(). */
void driver_add(struct queue *queue, unsigned head);
void driver_kick(const struct driver *driver, unsigned queue);

/* The next entry of the used ring, or SIZE: there is none. */
unsigned driver_used(struct queue *queue);

/* Sleeps until there is something in the used ring, or `time` is `until`: false. */
bool driver_wait(const struct driver *driver, const struct queue *queue, uint64_t until);

/* bench.c: `virtio=bench`, and `virtio=echo` for its peer; `virtio=watch`: goes on for ever, and
 * looks at what comes back. hostile.c: `virtio=hostile`. */
void bench(uint64_t tree);
_Noreturn void echo(uint64_t tree);
_Noreturn void watch(uint64_t tree);
_Noreturn void hostile(uint64_t tree);

#endif
