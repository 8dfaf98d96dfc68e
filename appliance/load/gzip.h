/* SPDX-License-Identifier: BSD-2-Clause */
/* Unpacks gzip (RFC 1952, with deflate of RFC 1951). What is packed is hostile: no length is
 * believed, and nothing is read or written outside of what was given. */
#ifndef APPLIANCE_LOAD_GZIP_H
#define APPLIANCE_LOAD_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool gzip_is(const uint8_t *data, size_t bytes)
{
    return bytes >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

/* How many bytes it says that it unpacks to, modulo 2^32; 0 where it is too short to say. */
uint64_t gzip_size(const uint8_t *data, size_t bytes);

/* Unpacks into out[size], of which every byte has to come. NULL, or what is wrong with it. */
const char *gzip_unpack(const uint8_t *data, size_t bytes, uint8_t *out, size_t size);

#endif
