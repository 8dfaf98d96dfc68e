/* SPDX-License-Identifier: BSD-2-Clause */
/* The neighbour: each kind of storm is one thing, done on two harts as often as they can. */
#include "guests/latency/latency.h"

#include <stdbool.h>

#include "guests/common/guest.h"

#define S_SOFT (1UL << 1)
#define S_TIMER (1UL << 5)
#define PAGE 4096UL
#define ENTRIES 512U
#define GIB (1UL << 30)
#define SEEN GIB * 8 /* where the pages are that `paging` moves */
#define ALL_HARTS 3UL
#define HSM_START 0
#define HSM_STOP 1
#define SUSPEND 3
#define PTE(address, bits) ((address) >> 2 | (bits))
#define LEAF 0xcfUL /* V, R, W, X, A, D */
#define TOUCHED 32U

void second_start(void);
_Noreturn void second_main(uint64_t hart);

static char second_stack[8192] __attribute__((aligned(16)));
static char lines[4096];
static uint64_t root[2][ENTRIES] __attribute__((aligned(4096)));
static uint64_t middle[2][ENTRIES] __attribute__((aligned(4096)));
static uint64_t leaves[2][ENTRIES] __attribute__((aligned(4096)));
static uint8_t arena[ENTRIES * PAGE] __attribute__((aligned(4096)));
static volatile uint64_t sunk;

/* What faults is left out; interrupts are told apart by nothing but that they go away. */
static void __attribute__((interrupt("supervisor"), aligned(4))) trap(void)
{
    uint64_t cause = csr_read(CSR_SCAUSE), pc = csr_read(CSR_SEPC);
    if (!(cause & CAUSE_INTERRUPT)) {
        csr_write(CSR_SEPC, pc + ((*(volatile uint16_t *)pc & 3) == 3 ? 4 : 2));
        return;
    }
    csr_clear(CSR_SIP, S_SOFT);
    if (cause == (CAUSE_INTERRUPT | IRQ_S_TIMER))
        csr_clear(CSR_SIE, S_TIMER);
}

static void compute(void)
{
    for (unsigned n = 0; n < 1000; n++)
        sunk += n * sunk;
}

static void set_timer(uint64_t ticks)
{
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + ticks, 0, 0, 0);
    csr_set(CSR_SIE, S_TIMER);
}

static void nap(uint64_t ticks)
{
    csr_clear(CSR_SSTATUS, SSTATUS_SIE);
    set_timer(ticks);
    wait_for_interrupt();
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
}

/* One of each: registers of the serial port and the PLIC, an address where nothing is, a CSR that
 * nobody has, an instruction that is none. */
static void exits(void)
{
    sunk += *(volatile uint8_t *)0x10000005UL;
    *(volatile uint8_t *)0x10000001UL = 0;
    *(volatile uint32_t *)0x0c000004UL = 1;
    sunk += *(volatile uint32_t *)0x0c201004UL;
    sunk += *(volatile uint32_t *)0x04000000UL;
    __asm__ volatile("csrr t0, 0x5c0" : : : "t0");
    __asm__ volatile(".word 0xffffffff");
}

/* Those of every extension that gives no hart away, with arguments that are none among them. */
static void calls(void)
{
    static const uint64_t some[] = {SBI_EXT_BASE, SBI_EXT_PMU, SBI_EXT_HSM, SBI_EXT_DBCN, 0x999};
    for (unsigned n = 0; n < sizeof(some) / sizeof(*some); n++)
        guest_sbi(some[n], n == 2 ? 2 : n, 0, -1UL, 0, 0);
    guest_sbi(SBI_EXT_PMU, 3, 0, -1UL, 3, 0);
}

static void fences(void)
{
    guest_sbi(SBI_EXT_RFENCE, 0, ALL_HARTS, 0, 0, 0);
    guest_sbi(SBI_EXT_RFENCE, 1, ALL_HARTS, 0, 0, -1UL);
    guest_sbi(SBI_EXT_RFENCE, 1, ALL_HARTS, 0, SEEN, 64 * PAGE);
}

static void ipis(void)
{
    guest_sbi(SBI_EXT_IPI, 0, ALL_HARTS, 0, 0, 0);
}

/* The second hart stops; the first one starts it. */
static void starts(uint64_t hart)
{
    if (hart)
        guest_sbi(SBI_EXT_HSM, HSM_STOP, 0, 0, 0, 0);
    guest_sbi(SBI_EXT_HSM, HSM_START, 1, (uint64_t)second_start,
              (uint64_t)(second_stack + sizeof(second_stack)), 0);
    csr_clear(CSR_SSTATUS, SSTATUS_SIE); /* taken before it suspends, the timer would be gone */
    set_timer(20);
    guest_sbi(SBI_EXT_HSM, SUSPEND, 0, 0, 0, 0);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
}

/* All of this guest at its own addresses, and the arena's pages behind 8 GiB: each hart its own. */
static void tables(uint64_t hart)
{
    for (uint64_t n = 0; n < 4; n++)
        root[hart][n] = PTE(n * GIB, LEAF);
    root[hart][SEEN / GIB] = PTE((uint64_t)middle[hart], 1);
    middle[hart][0] = PTE((uint64_t)leaves[hart], 1);
    for (uint64_t n = 0; n < ENTRIES; n++)
        leaves[hart][n] = PTE((uint64_t)arena + n * PAGE, LEAF);
}

/* Every page goes elsewhere, some are looked at, and all is turned off again. */
static void paging(uint64_t hart, uint64_t round)
{
    csr_write(CSR_SATP, 8UL << 60 | round % 7 << 44 | (uint64_t)root[hart] >> 12);
    for (uint64_t n = 0; n < TOUCHED; n++) {
        uint64_t at = (n * 13 + round) % ENTRIES;
        leaves[hart][at] = PTE((uint64_t)arena + (round + n) % ENTRIES * PAGE, LEAF);
        sfence_vma_all();
        sunk += *(volatile uint64_t *)(SEEN + at * PAGE);
    }
    csr_write(CSR_SATP, 0);
}

static void console(void)
{
    guest_sbi(SBI_EXT_DBCN, 0, sizeof(lines), (uint64_t)lines, 0, 0);
    *(volatile uint8_t *)0x10000000UL = '\n';
}

static void one(enum storm storm, uint64_t hart, uint64_t round)
{
    switch (storm) {
    case STORM_COMPUTE:
        compute();
        break;
    case STORM_EXITS:
        exits();
        break;
    case STORM_CALLS:
        calls();
        break;
    case STORM_FENCES:
        fences();
        break;
    case STORM_IPIS:
        ipis();
        break;
    case STORM_WAKES:
        nap(1);
        break;
    case STORM_STARTS:
        starts(hart);
        break;
    case STORM_PAGING:
        paging(hart, round);
        break;
    case STORM_DOORBELLS:
        *(volatile uint32_t *)DOORBELL_RING = -1U;
        break;
    case STORM_CONSOLE:
        console();
        break;
    default:
        nap(1000);
    }
}

static void run(uint64_t hart)
{
    csr_write(CSR_STVEC, (uint64_t)trap);
    csr_write(CSR_SIE, S_SOFT);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    tables(hart);
    for (uint64_t round = 0;; round++) {
        enum storm storm = (enum storm)shared()->storm;
        if (storm == STORM_END)
            break;
        if (!hart && storm != STORM_STARTS && round % 64 == 0)
            guest_sbi(SBI_EXT_HSM, HSM_START, 1, (uint64_t)second_start,
                      (uint64_t)(second_stack + sizeof(second_stack)), 0); /* it may have stopped */
        one(storm, hart, round);
        shared()->done[hart]++;
        if (!hart)
            shared()->begun = storm;
    }
}

void second_main(uint64_t hart)
{
    run(hart);
    for (;;)
        wait_for_interrupt();
}

void storm_main(uint64_t hart)
{
    for (unsigned n = 0; n < sizeof(lines); n++)
        lines[n] = n % 64 ? '.' : '\n';
    guest_sbi(SBI_EXT_HSM, HSM_START, 1, (uint64_t)second_start,
              (uint64_t)(second_stack + sizeof(second_stack)), 0);
    run(hart);
    guest_poweroff();
}
