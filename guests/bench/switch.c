/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it costs to go from one vCPU to another on one hart, with all vCPUs of this VM on it. Two
 * ways: each lets the next one go first (wrs.nto) while all have work; and each wakes the next one
 * with an IPI and sleeps (wfi), while all but one sleep with a timer set.
 */
#include "guests/bench/bench.h"
#include "guests/common/tree.h"

#define HARTS 64
#define ROUNDS 64000UL /* switches */

void second_start(void);

static uint64_t harts;
static char stacks[HARTS][1024] __attribute__((aligned(16)));
static _Atomic uint64_t there, yielded;
static _Atomic bool go;

/* One of Zawrs's instructions; the assembler need not know it. */
static void give_way(void)
{
    __asm__ volatile(".word 0x00d00073" ::: "memory");
}

static void yields(void)
{
    while (!go)
        give_way();
    for (uint64_t n = 0; n < ROUNDS / harts; n++)
        give_way();
    yielded++;
}

static void take_ipi(void)
{
    while (!(csr_read(CSR_SIP) & 2))
        wait_for_interrupt(); /* ends on a pending enabled interrupt, although none is taken */
    csr_clear(CSR_SIP, 2);
}

static void wake(uint64_t hart)
{
    guest_sbi(SBI_EXT_IPI, 0, 1UL << hart, 0, 0, 0);
}

/* Timers that never go off, each at its own time. */
static void sleeper(uint64_t me)
{
    csr_write(CSR_SSTATUS, 0);
    csr_write(CSR_SIE, 2 | 1UL << 5);
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + (1UL << 40) + me * 7919 % HARTS, 0, 0, 0);
}

void bench_ring(uint64_t me)
{
    there++;
    yields();
    sleeper(me);
    there++;
    for (;;) {
        take_ipi();
        wake((me + 1) % harts);
    }
}

void bench_switch(uint64_t me, uint64_t tree)
{
    harts = guest_tree_count(tree, "cpu");
    for (uint64_t n = 0; n < harts; n++) {
        if (n != me)
            guest_sbi(SBI_EXT_HSM, 0, n, (uint64_t)second_start,
                      (uint64_t)(stacks[n] + sizeof(stacks[n])), 0);
    }
    while (there != harts - 1)
        give_way();
    uint64_t before = csr_read(CSR_TIME);
    go = true;
    yields();
    while (yielded != harts)
        give_way();
    report("switch", csr_read(CSR_TIME) - before, ROUNDS);
    sleeper(me);
    while (there != 2 * (harts - 1))
        give_way();
    uint64_t rounds = ROUNDS / harts;
    for (uint64_t n = 0; n <= rounds; n++) {
        if (n == 1)
            before = csr_read(CSR_TIME); /* once around, all are asleep */
        wake((me + 1) % harts);
        take_ipi();
    }
    report("ipi-wake-up", csr_read(CSR_TIME) - before, rounds * harts);
    guest_print("bench: done\n");
}
