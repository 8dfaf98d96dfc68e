/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/bulk.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 8 /* words a round */

/* Words may alias anything: they stand for bytes. */
typedef uint64_t __attribute__((may_alias)) word;

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
