/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that several VMs see, each where its bundle says, and a doorbell by which they call each
 * other (docs/shared-memory.md). A region is taken when the first VM that names it is defined, and
 * stays: its content outlives the VMs.
 */
#ifndef APPLIANCE_DEVICE_SHARED_MEMORY_H
#define APPLIANCE_DEVICE_SHARED_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "appliance/config.h"

struct vm;

#define SHARED_REGIONS 32             /* of one machine */
#define SHARED_PEERS 32               /* VMs that share one: a bit each in a word */
#define SHARED_DOORBELL_SIZE 0x1000UL /* directly behind the memory */

struct shared_region {
    const char *name;
    uint64_t size;
    uint8_t *host;
    unsigned peer_count;
    struct {
        struct vm *vm;
        unsigned irq;
        _Atomic uint32_t open; /* the VM runs: it can be rung */
        _Atomic uint32_t rang; /* bit n: peer n did, since it was read */
    } peer[SHARED_PEERS];
};

/* One VM's view of a region. */
struct shared_window {
    struct shared_region *region;
    unsigned index; /* which peer it is */
    uint64_t base;  /* guest-physical */
};

/* Finds or takes the regions that the VM's configuration names; once, when the VM is defined, after
 * all that may refuse it. Wrong ones make it refused, with one line. */
void shared_memory_resolve(struct vm *vm, struct vm_config *config);

/* The VM, the last one that was defined, is refused after all: nobody knows any more that it had
 * some. */
void shared_memory_unresolve(struct vm *vm);

/* Their doorbells, on the VM's bus; when the VM is defined. False: something else lies there. */
bool shared_memory_add(struct vm *vm);

/* Maps them, as part of vm_create(). False after one line: out of memory. */
bool shared_memory_attach(struct vm *vm);

/* The VM hears no bells any more. */
void shared_memory_detach(struct vm *vm);

#endif
