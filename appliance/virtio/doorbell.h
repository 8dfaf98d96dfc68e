/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a VM that serves devices to others hears of them: VIRTIO 1.2, 5.3, a console device with one
 * named port, which Linux has as a file. What comes out of it is a byte for each event: the
 * device's number and what is to be looked at, DOORBELL_BYTE(). A second event of the same kind
 * that is not yet read is none. Nothing is read from the VM there but whether the file is open.
 */
#ifndef APPLIANCE_VIRTIO_DOORBELL_H
#define APPLIANCE_VIRTIO_DOORBELL_H

#include "appliance/config.h"
#include "appliance/virtio/device.h"

#define DOORBELL_PORT "caldarium.vhost"
#define DOORBELL_STATE 7U /* the device's state; others: a queue, which was kicked */
#define DOORBELL_BYTE(device, what) ((uint8_t)((device) << 3 | (what)))

struct doorbell_config {
    uint16_t columns, rows;
    uint32_t ports;
};

struct virtio_doorbell {
    struct virtio_device device;
    struct doorbell_config config;
    /* Nobody has the file open any more, or the VM has reset the device. Takes no lock of the
     * doorbell's. */
    void (*closed)(struct virtio_doorbell *bell);

    /* Under the lock of the port's receive queue. */
    uint8_t pending[DRIVER_DEVICES]; /* bit n: what n */
    struct virtio_chain chain;

    /* Under that of the control receive queue. */
    uint32_t to_say; /* bit n: message n */
    struct virtio_chain said;

    /* Under those of the control transmit queue, and of the port's. */
    struct virtio_chain heard, ignored;
};

/* Fills in a zeroed `bell`, but for the device's vm, names, place and interrupt. */
void virtio_doorbell_make(struct virtio_doorbell *bell, void (*closed)(struct virtio_doorbell *));

/* The VM hears of it, at once or when it has room for it. Any thread; a client's queue's lock may
 * be held. */
void virtio_doorbell_ring(struct virtio_doorbell *bell, unsigned device, unsigned what);

#endif
