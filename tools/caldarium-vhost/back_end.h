/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vhost-user back end, as its front end sees it: one connection to its socket. What is said there
 * is in QEMU's docs/interop/vhost-user.rst. Every function but connect is false when the connection
 * is of no use any more, after one line that says why.
 */
#ifndef CALDARIUM_VHOST_BACK_END_H
#define CALDARIUM_VHOST_BACK_END_H

#include <stdbool.h>
#include <stdint.h>

#define BACK_END_CONFIG 256 /* bytes of a device's configuration space, at most */
#define BACK_END_MEMORY 8   /* pieces of memory, at most */

struct back_end {
    const char *path;
    int socket;        /* -1: not connected */
    uint64_t features; /* of virtio's, that it offers */
    uint64_t protocol; /* vhost-user's own that are in use */
};

/* A piece of /dev/mem that the back end maps. */
struct back_end_memory {
    uint64_t guest; /* where descriptors have it, */
    uint64_t user;  /* and where back_end_ring has it */
    uint64_t size;
    uint64_t physical; /* its offset in /dev/mem */
};

struct back_end_ring {
    uint32_t queue, size;
    uint64_t descriptors, available, used; /* as in `user` */
    int kick, call;                        /* event file descriptors */
};

/* Connects, and learns what it offers. When this is true nothing of an earlier connection is under
 * way: a back end answers one front end at a time. errno says why it is false. */
bool back_end_connect(struct back_end *back_end);
void back_end_close(struct back_end *back_end);

bool back_end_config(struct back_end *back_end, void *config, uint32_t bytes);
bool back_end_start(struct back_end *back_end, uint64_t features, int fd,
                    const struct back_end_memory *memory, unsigned count);
bool back_end_start_ring(struct back_end *back_end, const struct back_end_ring *ring);

#endif
