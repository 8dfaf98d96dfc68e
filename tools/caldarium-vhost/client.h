/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device of another VM that this one serves, as Caldarium shows it (docs/virtio.md): a node
 * `caldarium,vhost-v1` of the tree, its registers and memory, reached through /dev/mem.
 */
#ifndef CALDARIUM_VHOST_CLIENT_H
#define CALDARIUM_VHOST_CLIENT_H

#include "back_end.h"

enum client_state { CLIENT_IDLE, CLIENT_RUN, CLIENT_END };

struct client {
    const char *name; /* "VM/DEVICE" */
    unsigned number;  /* in what the doorbell says */
    volatile uint32_t *registers;
    uint64_t ring; /* its physical address */
    unsigned memory_count;
    struct back_end_memory memory[BACK_END_MEMORY]; /* the VM's, and as the last one the ring */
};

/* Finds the device of that name. False after one line. */
bool client_find(struct client *client, const char *name, int memory);

enum client_state client_state(const struct client *client);
uint64_t client_features(const struct client *client);

/* A back end is there, and nothing is under way; or it is not. */
void client_there(const struct client *client, uint64_t features, const uint8_t *config);
void client_away(const struct client *client);

/* The back end has answered. */
void client_call(const struct client *client);

/* The ring, but for its event file descriptors. */
struct back_end_ring client_ring(const struct client *client);

#endif
