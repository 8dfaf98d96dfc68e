/* SPDX-License-Identifier: BSD-2-Clause */
/* An IPI to all other harts at once, answered by the last of them that has taken it. */
#include "guests/bench/bench.h"
#include "guests/common/tree.h"

#define HARTS 64
#define WINDOWS 50
#define ROUNDS 20UL

void second_start(void);

static uint64_t sender, others;
static char stacks[HARTS][1024] __attribute__((aligned(16)));
static _Atomic uint64_t there, taken_by;

static void ipi(uint64_t mask)
{
    guest_sbi(SBI_EXT_IPI, 0, mask, 0, 0, 0);
}

static void take_ipi(void)
{
    while (!(csr_read(CSR_SIP) & 2))
        wait_for_interrupt(); /* ends on a pending enabled interrupt, although none is taken */
    csr_clear(CSR_SIP, 2);
}

void bench_many_other(void)
{
    csr_clear(CSR_SSTATUS, 2);
    csr_set(CSR_SIE, 2);
    there++;
    for (;;) {
        take_ipi();
        if (++taken_by % others == 0)
            ipi(1UL << sender);
    }
}

static void rounds(uint64_t mask)
{
    for (uint64_t n = 0; n < ROUNDS; n++) {
        ipi(mask);
        take_ipi();
    }
}

void bench_many(uint64_t me, uint64_t tree)
{
    uint64_t harts = guest_tree_count(tree, "cpu"), mask = (UINT64_MAX >> (64 - harts)) ^ 1UL << me;
    sender = me;
    others = harts - 1;
    for (uint64_t n = 0; n < harts; n++) {
        if (n != me)
            guest_sbi(SBI_EXT_HSM, 0, n, (uint64_t)second_start,
                      (uint64_t)(stacks[n] + sizeof(stacks[n])), 0);
    }
    csr_clear(CSR_SSTATUS, 2);
    csr_set(CSR_SIE, 2);
    while (there != others) {
    }
    ipi(mask); /* the first round finds all of them asleep, or on their way */
    take_ipi();
    LEAST("ipi-all-others", WINDOWS, ROUNDS, rounds(mask));
    guest_print("bench: done\n");
}
