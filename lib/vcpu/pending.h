/* SPDX-License-Identifier: BSD-2-Clause */
/* An access of the guest's that nobody inside the library answers: it goes out to the host, and is
 * finished by cald_vcpu_complete(). */
#ifndef LIB_VCPU_PENDING_H
#define LIB_VCPU_PENDING_H

#include "lib/engine/engine.h"

struct cald_vcpu;
struct cald_exit;

/* The vCPU's own hart writes and reads it, between two runs its host. */
struct vcpu_pending {
    uint8_t why;   /* enum cald_why: what the host was told last, and is to complete; 0: nothing */
    bool failed;   /* it is completed: the guest gets an exception, at the next run */
    bool write;    /* CALD_PAGE */
    uint32_t type; /* CALD_RESET */
    struct exit exit;
};

/* The exit goes out: the run ends with `why`. */
void pending_out(struct cald_vcpu *vcpu, uint8_t why, const struct exit *exit);

/* Tells the host what it is to do, for reasons from CALD_MMIO on. */
void pending_tell(const struct cald_vcpu *vcpu, struct cald_exit *out);

/* The host has been told of an access, and has not completed it: registers are about to change. */
static inline bool pending_waits(const struct vcpu_pending *pending)
{
    return pending->why && !pending->failed;
}

/* The guest goes on from what the host sets: the exception that it was owed is forgotten, and an
 * access that is still before it is made again. */
static inline void pending_drop(struct vcpu_pending *pending)
{
    pending->why = 0;
    pending->failed = false;
}

/* Before the guest goes on, on its hart, loaded: false: it can't, the host has not completed what
 * is pending, or the guest went wrong; vcpu->why tells. */
bool pending_finish(struct cald_vcpu *vcpu);

#endif
