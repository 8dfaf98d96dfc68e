/* SPDX-License-Identifier: BSD-2-Clause */
/* What every target includes first: the input, taken in pieces. docs/fuzzing.md */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/sim/sim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* A property that holds whatever the input: a finding where it doesn't. */
#define REQUIRE(holds)                                                                             \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds);                    \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    const uint8_t *at;
    size_t left;
};

/* The next bytes as a number; zeros behind the end. */
static inline uint64_t input_number(struct input *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned n = 0; n < bytes && in->left; n++, in->left--)
        value |= (uint64_t)*in->at++ << 8 * n;
    return value;
}

#endif
