/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that another VM serves, the driver VM (docs/virtio.md): what its driver puts into its
 * queue is checked here and put into a ring of Caldarium's, the clean ring, which lies in memory
 * that the driver VM has mapped, beside the RAM of the device's VM, or in the place of that a
 * window that all is copied through. A standard vhost-user back end
 * there serves that ring. What it has not answered is known here: when it was gone and comes back,
 * or another one does, it finds these requests again.
 *
 * `lock` is the device's only queue's. `serving` says how far it is:
 *   away     nobody serves it. Requests wait in the driver's ring, or, if they were handed on
 *            before, for the next one to serve it
 *   there    a back end is there, and nothing of the VM's is under way
 *   running  it serves the clean ring
 *   ending   the device was reset while it ran: it still may write to the VM's memory, until it
 *            says that it is there again
 */
#ifndef APPLIANCE_VIRTIO_VHOST_H
#define APPLIANCE_VIRTIO_VHOST_H

#include "appliance/virtio/doorbell.h"

#define VHOST_RING_SIZE 1024U /* descriptors of the clean ring */
#define VHOST_RING_BYTES 0x8000UL
#define VHOST_AVAILABLE 0x4000UL /* in it */
#define VHOST_USED 0x5000UL
#define VHOST_CONFIG_BYTES 256U
#define VHOST_WINDOW_BYTES (VHOST_RING_SIZE * HOST_PAGE_SIZE)

struct vm;

enum vhost_serving { VHOST_AWAY, VHOST_THERE, VHOST_RUNNING, VHOST_ENDING };

/* A descriptor of the clean ring, as only Caldarium sees it. */
struct vhost_entry {
    uint16_t next;  /* in its chain, or in the list of those that are free */
    uint16_t parts; /* of the chain that it heads; 0: it heads none */
    uint16_t head;  /* how the device's driver calls that */
    uint32_t room;  /* bytes that are to be written there, at most */
};

/* What a descriptor stands for in the device's VM. */
struct vhost_piece {
    uint64_t gpa;
    uint32_t bytes;
    bool write;
};

/* The chain that is being handed on: it may take several turns. */
struct vhost_open {
    bool open;
    uint16_t part, head, last, count; /* the part that comes next; descriptors so far */
    uint32_t at;                      /* in that part */
};

/* The answer that is being taken, likewise. */
struct vhost_answer {
    bool open;
    uint16_t head, at, left; /* descriptors: the next one, and how many */
    uint32_t bytes;
};

struct virtio_vhost {
    struct virtio_device device;
    const struct vm *vm;          /* whose device it is */
    struct virtio_doorbell *bell; /* the driver VM's; set once. NULL: that VM was refused */
    unsigned number;              /* of the device, there */
    uint8_t *ring;                /* VHOST_RING_BYTES */
    uint8_t *window; /* VHOST_WINDOW_BYTES, a page for each descriptor, by which everything is
                        copied. NULL: the driver VM has the VM's RAM mapped */

    uint8_t config[VHOST_CONFIG_BYTES]; /* what the driver reads */
    _Atomic bool ready;                 /* its VM may begin a life, and a reset is over */
    enum vhost_serving serving;
    bool offered;      /* features and configuration are known */
    bool dirty;        /* while `away`: a back end that nobody has seen the end of may still run */
    uint64_t features; /* as the back end will offer them, */
    uint8_t next_config[VHOST_CONFIG_BYTES]; /* and its configuration */

    uint16_t free, free_count;
    uint16_t available, used; /* entries of the clean ring that were written, and read */
    uint16_t outstanding;     /* chains that the back end has */
    struct vhost_entry entry[VHOST_RING_SIZE];
    struct vhost_piece piece[VHOST_RING_SIZE];
    uint32_t spent; /* of VIRTIO_TURN_BYTES, in this turn */
    struct vhost_open open;
    struct vhost_answer answer;
    struct virtio_chain chain, reply;
};

/* Fills in a zeroed `vhost`, but for what of the device is said elsewhere. False: no memory. */
bool virtio_vhost_make(struct virtio_vhost *vhost, const struct vm *vm, bool window);

/* The device is served by another VM; NULL: it is not. */
struct virtio_vhost *virtio_vhost_of(struct virtio_device *device);

/* ---- From the driver VM, any thread --------------------------------------------------------- */

/* A back end is there, with `features` and `next_config`, and nothing is under way. */
void virtio_vhost_there(struct virtio_vhost *vhost);
/* It is there no more. `ended`: nothing of it can be under way. */
void virtio_vhost_away(struct virtio_vhost *vhost, bool ended);
/* What its driver has accepted of the back end's features. */
uint64_t virtio_vhost_accepted(struct virtio_vhost *vhost);
/* It has answered requests, perhaps; and once it has begun: what waited is handed on then. True:
 * there is more to do than one turn has time for. */
bool virtio_vhost_call(struct virtio_vhost *vhost);

#endif
