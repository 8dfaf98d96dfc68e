/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a kernel may read of its own performance and of the time that others took, as `counters=` on
 * the command line says:
 *   count  what a loop of 40,000,000 instructions, and a read of each counter, are to instret
 *   pmu    SBI PMU: sets of counters, fixed ones that nobody configured, firmware events
 *   steal  SBI STA: waits until time was stolen. `area`: where the record is, in MiB, as is what
 * the debug console prints
 */
#include <stdbool.h>

#include "guests/common/guest.h"

enum { INFO = 1, CONFIG, START, STOP, FW_READ };
enum { SKIP_MATCH = 1, CLEAR = 2, AUTO_START = 4, SET_VALUE = 1, RESET = 1 };
#define CYCLE 1UL
#define INSTRET 4UL
#define EVENT_CYCLES 1UL
#define EVENT_INSTRUCTIONS 2UL
#define EVENT_SET_TIMER (15UL << 16 | 5)
#define LOOPS 20000000UL
#define NANOSECONDS 50000000UL

void guest_main(uint64_t hart, uint64_t tree);

static uint64_t loop(uint64_t loops)
{
    uint64_t before = csr_read(CSR_INSTRET);
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(loops));
    return csr_read(CSR_INSTRET) - before;
}

/* The third of three reads without anything between, so that code and tables are known. */
#define READ_COST(csr, first, second)                                                              \
    ({                                                                                             \
        uint64_t cost_;                                                                            \
        __asm__ volatile("csrr " first ", instret\n csrr " second ", " csr "\n csrr " second       \
                         ", instret\n csrr " first ", instret\n csrr " second ", " csr             \
                         "\n csrr " second ", instret\n sub %0, " second ", " first                \
                         : "=r"(cost_)                                                             \
                         :                                                                         \
                         : first, second);                                                         \
        cost_;                                                                                     \
    })

static void count(void)
{
    loop(1000);
    guest_print("counters: loop %u\n", loop(LOOPS));
    /* The read before belongs to the difference: half of it is one read. */
    guest_print("counters: read of cycle %u instret %u\n", READ_COST("cycle", "t3", "t4") / 2,
                READ_COST("instret", "t3", "t4") / 2);
    guest_print("counters: read into a register that calls keep: cycle %u instret %u\n",
                READ_COST("cycle", "s2", "s3") / 2, READ_COST("instret", "s2", "s3") / 2);
}

static struct sbi_ret pmu_call(uint64_t function, uint64_t set, uint64_t flags, uint64_t last)
{
    return guest_sbi(SBI_EXT_PMU, function, 0, set, flags, last);
}

static const char *moves(unsigned which)
{
    uint64_t before = which ? csr_read(CSR_INSTRET) : csr_read(CSR_CYCLE);
    for (volatile unsigned n = 0; n < 1000; n++)
        ;
    uint64_t after = which ? csr_read(CSR_INSTRET) : csr_read(CSR_CYCLE);
    return before == after ? "stands" : "runs";
}

/* An error as it is, but without its sign. */
static void say(const char *what, struct sbi_ret ret)
{
    guest_print("counters: %s: %s%u, cycle %s, instret %s\n", what, ret.error < 0 ? "-" : "",
                (uint64_t)(ret.error < 0 ? -ret.error : ret.error), moves(0), moves(2));
}

static uint64_t firmware_counters(void)
{
    uint64_t set = 0, count = guest_sbi(SBI_EXT_PMU, 0, 0, 0, 0, 0).value;
    for (uint64_t n = 0; n < count && n < 64; n++) {
        struct sbi_ret info = guest_sbi(SBI_EXT_PMU, INFO, n, 0, 0, 0);
        if (!info.error && info.value >> 63)
            set |= 1UL << n;
    }
    return set;
}

static unsigned take_all(uint64_t set)
{
    unsigned taken = 0;
    while (taken < 64 && !pmu_call(CONFIG, set, 0, EVENT_SET_TIMER).error)
        taken++;
    return taken;
}

static void pmu(void)
{
    say("at the start", (struct sbi_ret){0, 0});
    say("stop what nobody configured", pmu_call(STOP, CYCLE | INSTRET, RESET, 0));
    say("stop it again", pmu_call(STOP, CYCLE | INSTRET, RESET, 0));
    say("skip match, cycle",
        pmu_call(CONFIG, CYCLE, SKIP_MATCH | CLEAR | AUTO_START, EVENT_CYCLES));
    say("skip match, instret",
        pmu_call(CONFIG, INSTRET, SKIP_MATCH | CLEAR | AUTO_START, EVENT_INSTRUCTIONS));
    say("start what runs", pmu_call(START, CYCLE | INSTRET, SET_VALUE, 0));
    say("stop cycle", pmu_call(STOP, CYCLE, RESET, 0));
    say("a set that ends with one who runs", pmu_call(STOP, CYCLE | INSTRET, RESET, 0));
    say("start with a value", pmu_call(START, CYCLE | INSTRET, SET_VALUE, 1UL << 40));
    guest_print("counters: from the value on: %u %u\n", csr_read(CSR_CYCLE) >> 40,
                csr_read(CSR_INSTRET) >> 40);
    uint64_t firmware = firmware_counters();
    unsigned taken = take_all(firmware);
    guest_print("counters: firmware counters: %s\n", taken > 2 ? "some" : "none");
    pmu_call(STOP, CYCLE | INSTRET | firmware, RESET, 0);
    guest_print("counters: as many again after a reset: %s\n",
                take_all(firmware) == taken ? "yes" : "no");
    pmu_call(STOP, CYCLE | INSTRET | firmware, RESET, 0);
    uint64_t counter = pmu_call(CONFIG, firmware, CLEAR | AUTO_START, EVENT_SET_TIMER).value;
    for (unsigned n = 0; n < 7; n++)
        guest_sbi(SBI_EXT_TIME, 0, UINT64_MAX, 0, 0, 0);
    guest_print("counters: set_timer 7 times: %u, width of its counter %u\n",
                guest_sbi(SBI_EXT_PMU, FW_READ, counter, 0, 0, 0).value,
                (guest_sbi(SBI_EXT_PMU, INFO, counter, 0, 0, 0).value >> 12 & 63) + 1);
}

struct steal_record {
    volatile uint32_t sequence, flags;
    volatile uint64_t steal;
    volatile uint8_t preempted, padding[47];
};

static void steal(uint64_t area)
{
    static const char text[] = "counters: printed from there\n";
    struct steal_record *record = (struct steal_record *)area;
    char *there = (char *)(record + 1);
    for (unsigned n = 0; n < sizeof(text); n++)
        there[n] = text[n];
    struct sbi_ret ret = guest_sbi(SBI_EXT_DBCN, 0, sizeof(text) - 1, (uint64_t)there, 0, 0);
    guest_print("counters: console: error %u, %u bytes\n", (uint64_t)ret.error, ret.value);
    ret = guest_sbi(SBI_EXT_STA, 0, area, 0, 0, 0);
    guest_print("counters: steal: error %u\n", (uint64_t)ret.error);
    if (ret.error)
        return;
    while (record->steal < NANOSECONDS)
        ;
    guest_print("counters: time was stolen, sequence %s\n", record->sequence & 1 ? "odd" : "even");
}

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)hart;
    if (guest_is(tree, "counters", "count"))
        count();
    else if (guest_is(tree, "counters", "pmu"))
        pmu();
    else if (guest_is(tree, "counters", "steal"))
        steal(guest_number(tree, "area", 2056) << 20);
    guest_poweroff();
}
