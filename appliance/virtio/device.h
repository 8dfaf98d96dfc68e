/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device of a VM, and its registers in memory (VIRTIO 1.2, 4.2): version 2, or the legacy
 * version 1 for guests that know no other. What makes it
 * a disk or a network port is a `struct virtio_kind`, in a file of its own, whose devices begin
 * with a struct virtio_device.
 *
 * Threads: the driver's vCPUs access its registers, several at once, and other VMs' devices deliver
 * into its queues. `lock` is held for all registers but QueueNotify; each queue has a lock of its
 * own (queue.h), which is all that an ordinary transfer takes. From virtio_device_detach() until it
 * is attached again no queue is live and no interrupt is sent: the VM's memory may be given back.
 */
#ifndef APPLIANCE_VIRTIO_DEVICE_H
#define APPLIANCE_VIRTIO_DEVICE_H

#include "appliance/virtio/queue.h"

#define VIRTIO_QUEUES 4 /* of one device, at most */
#define VIRTIO_MMIO_SIZE 0x1000UL
#define VIRTIO_TURN_BYTES 32768U /* a device copies no more in one exit, */
#define VIRTIO_PART_COST 128U    /* and a chain counts as so many for each of its parts */

/* Bits of feature words that are the transport's and the queues', offered by every device. */
#define VIRTIO_F_INDIRECT_DESC (1UL << 28)
#define VIRTIO_F_EVENT_IDX (1UL << 29)
#define VIRTIO_F_VERSION_1 (1UL << 32)

/* Device status, 2.1. */
#define VIRTIO_STATUS_ACKNOWLEDGE 1U
#define VIRTIO_STATUS_DRIVER 2U
#define VIRTIO_STATUS_DRIVER_OK 4U
#define VIRTIO_STATUS_FEATURES_OK 8U
#define VIRTIO_STATUS_NEEDS_RESET 64U
#define VIRTIO_STATUS_FAILED 128U

struct virtio_device;

struct virtio_kind {
    const char *name; /* "block", for messages */
    uint32_t id;      /* device type, section 5 */
    unsigned queues;
    uint64_t features; /* its own, beside those above */

    /*
     * The driver has put something into a queue, perhaps; the queue's lock is held, and it is live.
     * On the hart of the vCPU that kicked, in its exit, so the VM pays for it. True: there is more
     * to do than VIRTIO_TURN_BYTES; the vCPU kicks again when others had the hart.
     */
    bool (*kicked)(struct virtio_device *device, unsigned queue);

    /* All queues have just ended: forgets what it keeps of them. NULL: nothing. */
    void (*reset)(struct virtio_device *device);

    /* Nothing of an earlier life or setting can reach the VM's memory any more, and all is there
     * that the driver will look for. Before that neither is a reset over, which the driver's store
     * waits for, nor does the VM begin a life. NULL: always. */
    bool (*ready)(const struct virtio_device *device);

    /* The VM never comes to be: what was taken for the device is given back, and its own memory.
     * NULL: it is a part of something, or known to somebody, that stays. */
    void (*unmake)(struct virtio_device *device);
};

struct virtio_device {
    const struct virtio_kind *kind;
    struct cald_vm *vm;
    const char *vm_name, *name; /* for messages: `vm NAME: device NAME: ` */
    uint64_t base;              /* of its registers, guest-physical */
    unsigned irq;               /* its source at the VM's interrupt controller, a level */
    bool legacy;                /* its registers are version 1: 4.2.4 */
    uint64_t features;          /* offered: the kind's, unless the device has fewer */
    const void *config;         /* its configuration space, read-only for the driver */
    uint32_t config_bytes;      /* a multiple of 4 */

    struct lock lock;                               /* of what follows, to `line` */
    uint32_t offered_word, accepted_word, selected; /* DeviceFeaturesSel and so on */
    uint64_t accepted;
    struct virtio_ring setting[VIRTIO_QUEUES]; /* as the driver is writing it */
    bool ready[VIRTIO_QUEUES];                 /* QueueReady, or QueuePFN is not 0 */
    uint32_t page_size;                        /* legacy: GuestPageSize, and of each queue: */
    uint32_t align[VIRTIO_QUEUES], pfn[VIRTIO_QUEUES];

    struct lock line; /* around `line_open` and cald_vm_irq() */
    bool line_open;   /* the VM is there to be interrupted */
    _Atomic uint32_t status;
    _Atomic uint32_t isr; /* InterruptStatus: 1 used buffers, 2 configuration */
    _Atomic uint32_t generation;
    _Atomic uint32_t said; /* what was wrong, in this life of the VM */

    struct virtio_queue queue[VIRTIO_QUEUES];
};

/* Registers it on the VM's bus, when the VM is defined; all before `lock` is filled in, and the
 * rest is zero. One of CALD_*, after a line. */
int virtio_device_add(struct virtio_device *device);

/* The VM begins a life: as after a reset. */
void virtio_device_attach(struct virtio_device *device);

/* The VM's life ends. No vCPU of it runs; others' devices may be delivering. */
void virtio_device_detach(struct virtio_device *device);

/* After virtio_publish() said so: any thread, with the queue's lock or without. */
void virtio_interrupt(struct virtio_device *device);

/* The configuration space has changed: the driver is told. */
void virtio_config_changed(struct virtio_device *device);

/* The device found a request that can't be: one line, and the driver finds DEVICE_NEEDS_RESET. The
 * queue's lock is held. */
void virtio_device_broken(struct virtio_device *device, struct virtio_queue *queue,
                          const char *why);

/* The same, if a call of queue.h has broken the queue. Whoever works on one outside of its own
 * `kicked` does this before its lock goes. */
void virtio_settle(struct virtio_device *device, struct virtio_queue *queue);

#endif
