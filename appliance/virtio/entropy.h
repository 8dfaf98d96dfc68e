/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes for the guest: VIRTIO 1.2, 5.4. */
#ifndef APPLIANCE_VIRTIO_ENTROPY_H
#define APPLIANCE_VIRTIO_ENTROPY_H

#include "appliance/virtio/device.h"

struct virtio_entropy {
    struct virtio_device device;
    struct virtio_chain chain; /* under the queue's lock */
};

/* Fills in a zeroed one, but for the device's vm, names, place and interrupt. */
void virtio_entropy_make(struct virtio_entropy *entropy);

#endif
