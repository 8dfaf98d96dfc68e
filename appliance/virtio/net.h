/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network port: VIRTIO 1.2, 5.1, behind a switch of Caldarium's. What a VM sends is copied once,
 * from its memory to each receiver's, on the hart of the vCPU that kicked. A receiver that has no
 * buffer loses the frame: nobody waits for another VM.
 */
#ifndef APPLIANCE_VIRTIO_NET_H
#define APPLIANCE_VIRTIO_NET_H

#include "appliance/virtio/device.h"
#include "appliance/virtio/switch.h"

/* 5.1.6, with VIRTIO_F_VERSION_1. Little-endian, as all harts of ours are. */
struct net_header {
    uint8_t flags, segmentation;
    uint16_t header_bytes, segment_bytes;
    uint16_t checksum_start, checksum_offset;
    uint16_t buffers;
};

/* 5.1.4 */
struct net_config {
    uint8_t address[6];
    uint16_t status, pairs, mtu;
};

/* How far a chain has been read. */
struct net_place {
    uint16_t in;
    uint32_t in_at;
    uint64_t in_left;
};

struct virtio_net {
    struct virtio_device device;
    struct net_config config;
    struct net_switch *net;
    unsigned port;

    /* Under the transmit queue's lock: the frame that is being sent. */
    struct virtio_chain in;
    uint32_t to; /* ports that it has still to go to, a bit each; 0: none is being sent */
    uint32_t bytes;
    uint32_t spent;                /* of this turn; */
    uint32_t reached;              /* ports that have got frames in it, which they do not see yet */
    uint8_t header[SWITCH_HEADER]; /* as the switch has seen it */
    struct net_place behind;       /* the header */

    struct virtio_chain out; /* under the receive queue's lock */
};

/* Fills in a zeroed `port`, but for the device's vm, names, place and interrupt, and has the switch
 * know it. The address fits, and no other port has it. False: the switch has no port free. */
bool virtio_net_make(struct virtio_net *port, struct net_switch *net, const uint8_t address[6],
                     bool bridge);

#endif
