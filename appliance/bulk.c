/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/bulk.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 8 /* words a round */

/* Words may alias anything: they stand for bytes. */
typedef uint64_t __attribute__((may_alias)) word;

void bulk_copy(void *to, const void *from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if (((uintptr_t)out - (uintptr_t)in) % sizeof(word) == 0) {
        size_t head = -(uintptr_t)out % sizeof(word);
        head = head < bytes ? head : bytes;
        memcpy(out, in, head);
        out += head;
        in += head;
        bytes -= head;
        for (; bytes >= BLOCK * sizeof(word); bytes -= BLOCK * sizeof(word)) {
            word *w = (word *)out;
            const word *r = (const word *)in;
            word a = r[0], b = r[1], c = r[2], d = r[3], e = r[4], f = r[5], g = r[6], h = r[7];
            w[0] = a, w[1] = b, w[2] = c, w[3] = d, w[4] = e, w[5] = f, w[6] = g, w[7] = h;
            out += BLOCK * sizeof(word);
            in += BLOCK * sizeof(word);
        }
    }
    memcpy(out, in, bytes);
}

void bulk_zero(void *at, size_t bytes)
{
    uint8_t *out = at;
    size_t head = -(uintptr_t)out % sizeof(word);
    head = head < bytes ? head : bytes;
    memset(out, 0, head);
    out += head;
    bytes -= head;
    for (; bytes >= BLOCK * sizeof(word); bytes -= BLOCK * sizeof(word)) {
        word *w = (word *)out;
        w[0] = 0, w[1] = 0, w[2] = 0, w[3] = 0, w[4] = 0, w[5] = 0, w[6] = 0, w[7] = 0;
        out += BLOCK * sizeof(word);
    }
    memset(out, 0, bytes);
}
