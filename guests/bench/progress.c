/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/bench/bench.h"

/* Work until then: rounds of a thousand steps. */
static uint64_t work_until(uint64_t when)
{
    uint64_t rounds = 0;
    for (; csr_read(CSR_TIME) < when; rounds++) {
        for (uint64_t n = 0; n < 1000; n++)
            __asm__ volatile("" ::"r"(n));
    }
    return rounds;
}

void bench_progress(uint64_t tree)
{
    uint64_t from = guest_number(tree, "from", 0), ticks = guest_number(tree, "ticks", 10000000);
    work_until(from);
    guest_print("progress: %u rounds\n", work_until(from + ticks));
    for (;;) {
    }
}
