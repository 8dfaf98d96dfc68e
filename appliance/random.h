/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A generator of random bytes: ChaCha20 (RFC 8439, 2.3), whose key is replaced before its output is
 * used, so that what was given out can't be found again from what is left. It is as good as the
 * seeds that it was given. One caller at a time.
 */
#ifndef APPLIANCE_RANDOM_H
#define APPLIANCE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint32_t key[8];
};

/* A block of ChaCha20: `state` holds constants, key, counter and nonce. */
void random_block(const uint32_t state[16], uint32_t out[16]);

/* Stirs something in: it never makes it worse. */
void random_add(struct random *random, const void *seed, size_t bytes);

void random_fill(struct random *random, void *out, size_t bytes);

#endif
