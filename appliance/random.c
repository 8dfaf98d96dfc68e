/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/random.h"

#include <string.h>

#define KEY_BYTES 32U
#define BLOCK_BYTES 64U

static uint32_t turn(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

static void quarter(uint32_t *x, unsigned a, unsigned b, unsigned c, unsigned d)
{
    x[a] += x[b], x[d] = turn(x[d] ^ x[a], 16);
    x[c] += x[d], x[b] = turn(x[b] ^ x[c], 12);
    x[a] += x[b], x[d] = turn(x[d] ^ x[a], 8);
    x[c] += x[d], x[b] = turn(x[b] ^ x[c], 7);
}

void random_block(const uint32_t state[16], uint32_t out[16])
{
    memcpy(out, state, BLOCK_BYTES);
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned n = 0; n < 4; n++)
            quarter(out, n, 4 + n, 8 + n, 12 + n);
        for (unsigned n = 0; n < 4; n++)
            quarter(out, n, 4 + (n + 1) % 4, 8 + (n + 2) % 4, 12 + (n + 3) % 4);
    }
    for (unsigned n = 0; n < 16; n++)
        out[n] += state[n];
}

/* The next key, and 32 bytes that may be given out. */
static void step(struct random *random, uint32_t out[8])
{
    uint32_t state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, block[16];
    memcpy(state + 4, random->key, KEY_BYTES);
    random_block(state, block);
    memcpy(random->key, block, KEY_BYTES);
    memcpy(out, block + 8, KEY_BYTES);
}

void random_add(struct random *random, const void *seed, size_t bytes)
{
    const uint8_t *from = seed;
    uint32_t out[8];
    while (bytes) {
        size_t part = bytes < KEY_BYTES ? bytes : KEY_BYTES;
        for (size_t n = 0; n < part; n++)
            ((uint8_t *)random->key)[n] ^= from[n];
        step(random, out);
        from += part;
        bytes -= part;
    }
}

void random_fill(struct random *random, void *out, size_t bytes)
{
    uint8_t *to = out;
    uint32_t block[8];
    while (bytes) {
        size_t part = bytes < KEY_BYTES ? bytes : KEY_BYTES;
        step(random, block);
        memcpy(to, block, part);
        to += part;
        bytes -= part;
    }
}
