/* SPDX-License-Identifier: BSD-2-Clause */
/* How long a guest's interrupt waits, beside a neighbour that storms: what the VMs agree on. */
#ifndef GUESTS_LATENCY_LATENCY_H
#define GUESTS_LATENCY_LATENCY_H

#include <stdint.h>

/* The region that they share, and behind it the doorbell's registers. */
#define SHARED 0xb0000000UL
#define SHARED_BYTES 0x10000UL
#define DOORBELL_RING (SHARED + SHARED_BYTES + 8)
#define DOORBELL_RANG (SHARED + SHARED_BYTES + 12)
#define DOORBELL_IRQ 20U

/* What the neighbour does, as the one that measures asks for it. */
enum storm {
    STORM_NOT_YET,
    STORM_SLEEP,
    STORM_COMPUTE,
    STORM_EXITS,
    STORM_CALLS,
    STORM_FENCES,
    STORM_IPIS,
    STORM_WAKES,
    STORM_STARTS,
    STORM_PAGING,
    STORM_DOORBELLS,
    STORM_CONSOLE,
    STORM_KINDS,
    STORM_END = STORM_KINDS,
};

/* The first words of the region. */
struct shared {
    _Atomic uint64_t storm;   /* asked for */
    _Atomic uint64_t begun;   /* the neighbour does it now */
    _Atomic uint64_t done[2]; /* by each hart of the neighbour: how often, so far */
};

static inline struct shared *shared(void)
{
    return (struct shared *)SHARED;
}

/* The neighbour's life; its hart 0 has begun. */
_Noreturn void storm_main(uint64_t hart);

#endif
