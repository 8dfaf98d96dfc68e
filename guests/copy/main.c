/* SPDX-License-Identifier: BSD-2-Clause */
/* Caldarium's memcpy() on a hart: each alignment of both sides, each length up to some rounds of
 * each of its loops. Nothing beside what is to be copied may change, and the answer is the
 * destination. */
#include <stddef.h>

#include "guests/common/guest.h"

#define ROOM 256U
#define OFFSETS 16U
#define LENGTHS 200U
#define BESIDE 0xa5U

void *memcpy(void *to, const void *from, size_t bytes);
void guest_main(uint64_t hart, uint64_t tree);

static uint8_t from[ROOM] __attribute__((aligned(16))), to[ROOM] __attribute__((aligned(16)));

/* Not by the other one's loops. */
static unsigned wrong(unsigned a, unsigned b, unsigned bytes)
{
    for (unsigned n = 0; n < ROOM; n++)
        to[n] = BESIDE;
    unsigned bad = memcpy(to + b, from + a, bytes) != to + b;
    for (unsigned n = 0; n < ROOM; n++)
        bad += to[n] != (n - b < bytes ? from[a + n - b] : BESIDE);
    return bad;
}

void guest_main(uint64_t hart, uint64_t tree)
{
    unsigned bad = 0, copies = 0;
    (void)hart, (void)tree;
    for (unsigned n = 0; n < ROOM; n++)
        from[n] = (uint8_t)(n * 151 + 7);
    for (unsigned a = 0; a < OFFSETS; a++) {
        for (unsigned b = 0; b < OFFSETS; b++) {
            for (unsigned bytes = 0; bytes <= LENGTHS; bytes++, copies++)
                bad += wrong(a, b, bytes);
        }
    }
    guest_print("copy: %u copies, %u bytes wrong\n", (uint64_t)copies, (uint64_t)bad);
    guest_poweroff();
}
