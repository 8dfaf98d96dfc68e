/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What paging costs: pages that the guest's table has and that are used for the first time, a
 * switch between two address spaces, a page fault from U-mode. On engine h and on the bare machine
 * the hardware does all of it; under engine shadow these are the costs that a kernel feels.
 */
#include "guests/bench/bench.h"
#include "riscv/csr.h"

#define GIB (1UL << 30)
#define RAM 0x80000000UL    /* our gigabyte, mapped where it is: PTE 2 */
#define USER GIB            /* and once more for U-mode, a gigabyte above: PTE 3 */
#define WINDOW (4 * GIB)    /* 4 KiB pages: PTE 4 */
#define NOTHING (5 * GIB)   /* no page: PTE 5 */
#define FRAMES 0x81800000UL /* what the window shows: touched before */
#define TABLES 8UL          /* of the window's last level */
#define PAGES (TABLES * 512)
#define ROUNDS 10000UL
#define TICKS 1000UL
#define PERIOD 100UL /* ticks of `time` from one timer interrupt to the next */

static uint64_t roots[2][512] __attribute__((aligned(4096)));
static uint64_t middle[512] __attribute__((aligned(4096)));
static uint64_t last[PAGES] __attribute__((aligned(4096)));

static uint64_t leaf(uint64_t at, uint64_t more)
{
    return at >> 12 << 10 | PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | more;
}

static uint64_t table(const uint64_t *entries)
{
    return (uintptr_t)entries >> 12 << 10 | PTE_V;
}

/* Two address spaces of the same contents, ASIDs 1 and 2. */
static uint64_t satp(unsigned n)
{
    roots[n][2] = leaf(RAM, PTE_X);
    roots[n][3] = leaf(RAM, PTE_X | PTE_U);
    roots[n][4] = table(middle);
    return 8UL << 60 | (n + 1UL) << 44 | (uintptr_t)roots[n] >> 12;
}

void bench_paging(void)
{
    uint64_t a = satp(0), b = satp(1);
    for (uint64_t n = 0; n < TABLES; n++)
        middle[n] = table(last + 512 * n);
    for (uint64_t n = 0; n < PAGES; n++)
        last[n] = leaf(FRAMES + 4096 * n, 0);
    csr_write(CSR_SATP, a);
    sfence_vma_all();
    MEASURE("page-fill", PAGES, loop_touch(PAGES, WINDOW));
    MEASURE("space-switch", 2 * ROUNDS, loop_spaces(ROUNDS, a, b, WINDOW));
    csr_write(CSR_SATP, a);
    MEASURE("page-fault", ROUNDS, loop_faults(ROUNDS, NOTHING, USER));
    csr_write(CSR_SATP, 0);
    sfence_vma_all();
    MEASURE("timer-tick", ROUNDS, loop_ticks(ROUNDS));
    uint64_t before = csr_read(CSR_TIME), spins = loop_ticks_ahead(TICKS, PERIOD);
    report("timer-tick-ahead", csr_read(CSR_TIME) - before - spins * 2 / TICK, TICKS);
}
