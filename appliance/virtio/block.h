/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk out of an image of the bundle: VIRTIO 1.2, 5.2. Read-only, or what is written is kept in
 * RAM beside the image, up to a limit, as long as Caldarium runs: it outlives a VM's lives.
 */
#ifndef APPLIANCE_VIRTIO_BLOCK_H
#define APPLIANCE_VIRTIO_BLOCK_H

#include "appliance/virtio/device.h"

#define BLOCK_SECTOR 512U
#define BLOCK_PAGE 4096U /* what is kept as a whole once a part of it was written */

/* 5.2.4, to what no feature of ours is beyond. Little-endian, as all harts of ours are. */
struct block_config {
    uint64_t capacity; /* sectors */
    uint32_t size_max, seg_max;
    uint8_t geometry[4];
    uint32_t block_size;
    uint8_t topology[8];
};

/* A request, from when it is taken until it is given back. */
struct block_request {
    bool open;
    uint8_t status;
    uint32_t type;
    uint64_t at; /* the next byte of the disk */
    uint64_t left;
};

struct virtio_block {
    struct virtio_device device;
    struct block_config config;
    char id[20]; /* VIRTIO_BLK_T_GET_ID */

    const uint8_t *image;
    uint64_t bytes; /* a multiple of BLOCK_SECTOR */

    /* What was written: page n of the disk is kept[place[n] - 1], or the image's if that is 0.
     * Under the queue's lock. NULL: it is read-only. */
    uint8_t *kept;
    uint32_t *place;
    uint32_t kept_pages, room; /* of `kept`: in use, and in all */
    bool full_said;

    uint32_t spent; /* bytes copied in this turn, and what else costs; under the queue's lock, */
    struct block_request request; /* as the rest */
    struct virtio_chain chain;
};

/* What has to be known of a disk before there can be one; NULL, or what is wrong. */
const char *virtio_block_check(uint64_t bytes);

/*
 * Fills in a zeroed `block`, but for the device's vm, names, place and interrupt. `keep`: so many
 * bytes of what is written are kept; 0: read-only. False: no memory. For as long as Caldarium runs.
 */
bool virtio_block_make(struct virtio_block *block, const char *name, const uint8_t *image,
                       uint64_t bytes, uint64_t keep);

#endif
