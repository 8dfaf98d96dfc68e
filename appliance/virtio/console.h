/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console as a virtio device: VIRTIO 1.2, 5.3, one port. What the driver writes goes to the
 * host's console as a serial port's bytes do, but in pieces; keys come the other way.
 */
#ifndef APPLIANCE_VIRTIO_CONSOLE_H
#define APPLIANCE_VIRTIO_CONSOLE_H

#include "appliance/virtio/device.h"

#define CONSOLE_KEYS 4096U /* that wait for the driver: a power of two */
#define CONSOLE_PIECE 512U

struct virtio_console {
    struct virtio_device device;

    /* Under the transmit queue's lock. */
    struct virtio_chain out;
    bool open; /* `out` was taken, and not given back */
    uint32_t piece_at, piece_bytes;
    char piece[CONSOLE_PIECE]; /* of it, what the host's console has still to take */

    /* Under the receive queue's lock. */
    struct virtio_chain in;
    bool refused; /* a key, for want of room: the host waits to be told */
    uint32_t key_first, key_count;
    uint8_t key[CONSOLE_KEYS];
};

/* Fills in a zeroed `console`, but for the device's vm, names, place and interrupt. */
void virtio_console_make(struct virtio_console *console);

/* A key, or CALD_UART_BREAK, which this console has no word for. False: there is no room for it;
 * host_console_taken() tells when there is some. On any hart. */
bool virtio_console_receive(struct virtio_console *console, uint32_t key);

#endif
