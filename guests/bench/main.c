/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operation costs, in instructions. Under QEMU's -icount shift=0 an instruction is a
 * nanosecond of virtual time, so `time` counts instructions in hundreds (10 MHz): many rounds are
 * measured and divided. One line an operation: `bench: NAME VALUE instructions`.
 */
#include "guests/bench/bench.h"

#define ROUNDS 10000UL
#define PAGES 8192UL

void bench_trap(void);
void second_start(void);
_Noreturn void second_main(uint64_t hart);
void guest_main(uint64_t hart, uint64_t tree);

extern volatile uint64_t when, taken;

static uint64_t me;
static bool switches, many;
static _Atomic uint64_t second_up;
static char second_stack[4096] __attribute__((aligned(16)));

void report(const char *name, uint64_t ticks, uint64_t rounds)
{
    uint64_t tenths = ticks * TICK * 10 / rounds;
    guest_print("bench: %s %u.%u instructions\n", name, tenths / 10, tenths % 10);
}

/* A timer armed for a moment ahead while the hart spins, or sleeps: from the deadline to the
 * handler's clock. */
static void timer_latency(const char *name, bool sleeps)
{
    uint64_t sum = 0, rounds = 1000;
    for (uint64_t n = 0; n < rounds; n++) {
        uint64_t before = taken, deadline = csr_read(CSR_TIME) + 50;
        guest_sbi(SBI_EXT_TIME, 0, deadline, 0, 0, 0);
        csr_set(CSR_SIE, 1UL << 5);
        while (taken == before) {
            if (sleeps)
                wait_for_interrupt(); /* long before the deadline: it is not missed */
        }
        sum += when - deadline;
    }
    guest_sbi(SBI_EXT_TIME, 0, UINT64_MAX, 0, 0, 0);
    report(name, sum, rounds);
}

/*
 * The other hart: waits with interrupts on, and answers each software interrupt with one. Both wait
 * with WFI, not by spinning: on one host thread the emulator runs harts in turns of 100 ms, and a
 * hart that spins uses its turn up. So the figure is the instructions of both sides, and a remote
 * fence, for which the sender's supervisor spins, can't be measured this way.
 */
void second_main(uint64_t hart)
{
    csr_write(CSR_STVEC, (uint64_t)bench_trap);
    if (switches)
        bench_ring(hart);
    if (many)
        bench_many_other();
    csr_set(CSR_SIE, 2);
    second_up = 1;
    for (;;) {
        while (!(csr_read(CSR_SIP) & 2))
            wait_for_interrupt(); /* ends on a pending interrupt that is enabled, though not taken
                                   */
        csr_clear(CSR_SIP, 2);
        guest_sbi(SBI_EXT_IPI, 0, 1UL << me, 0, 0, 0);
    }
}

static void there_and_back(unsigned rounds, uint64_t mask)
{
    while (rounds--) {
        guest_sbi(SBI_EXT_IPI, 0, mask, 0, 0, 0);
        while (!(csr_read(CSR_SIP) & 2))
            wait_for_interrupt();
        csr_clear(CSR_SIP, 2);
    }
}

static void other_hart(void)
{
    uint64_t other = me ^ 1;
    struct sbi_ret ret = guest_sbi(SBI_EXT_HSM, 0, other, (uint64_t)second_start,
                                   (uint64_t)(second_stack + sizeof(second_stack)), 0);
    if (ret.error) {
        guest_print("bench: ipi-other none\n");
        return;
    }
    while (!second_up) {
    }
    csr_clear(CSR_SSTATUS, 2);
    LEAST("ipi-other-and-back", 50, 20, there_and_back(20, 1UL << other));
}

void guest_main(uint64_t hart, uint64_t tree)
{
    me = hart;
    csr_write(CSR_STVEC, (uint64_t)bench_trap);
    switches = guest_is(tree, "bench", "switch");
    if (switches) {
        bench_switch(hart, tree);
        guest_poweroff();
    }
    many = guest_is(tree, "bench", "many");
    if (many) {
        bench_many(hart, tree);
        guest_poweroff();
    }
    if (guest_is(tree, "bench", "steady")) {
        bench_steady(hart);
        for (;;) {
        } /* so that its exits can be looked at */
    }
    if (guest_is(tree, "bench", "progress"))
        bench_progress(tree);
    uintptr_t fresh = 0x81800000; /* 24 MiB into RAM: beyond us, below the tree */
    MEASURE("first-touch", PAGES, loop_touch(PAGES, fresh));
    MEASURE("sbi-empty", ROUNDS, loop_empty(ROUNDS));
    MEASURE("sbi-set-timer", ROUNDS, loop_timer(ROUNDS));
    MEASURE("sbi-no-extension", ROUNDS, loop_sbi(ROUNDS, 0x0bad0000, 0, 0, 0, 0));
    MEASURE("sbi-no-function", ROUNDS, loop_sbi(ROUNDS, SBI_EXT_HSM, 99, 0, 0, 0));
    MEASURE("sbi-slow", ROUNDS, loop_sbi(ROUNDS, SBI_EXT_HSM, 2, me, 0, 0));
    MEASURE("user-call", ROUNDS, loop_user(ROUNDS));
    MEASURE("csrr", ROUNDS, loop_csrr(ROUNDS));
    MEASURE("csrw", ROUNDS, loop_csrw(ROUNDS));
    MEASURE("sie-off-on", ROUNDS, loop_sie(ROUNDS));
    csr_clear(CSR_SSTATUS, 2);
    MEASURE("sum-on-off", ROUNDS, loop_sum(ROUNDS));
    MEASURE("sfence-address", ROUNDS, loop_sfence(ROUNDS, 0x81000000));
    csr_set(CSR_SIE, 2);
    csr_set(CSR_SSTATUS, 2);
    MEASURE("ipi-self", ROUNDS, loop_sbi(ROUNDS, SBI_EXT_IPI, 0, 1, me, 0));
    if (taken != ROUNDS)
        guest_print("bench: error: %u of %u software interrupts were taken\n", taken, ROUNDS);
    MEASURE("fence-self", ROUNDS, loop_sbi(ROUNDS, SBI_EXT_RFENCE, 1, 1, me, 0));
    MEASURE("fencei-self", ROUNDS, loop_sbi(ROUNDS, SBI_EXT_RFENCE, 0, 1, me, 0));
    csr_clear(CSR_SSTATUS, 2);
    bench_paging();
    csr_set(CSR_SSTATUS, 2);
    MEASURE("plic-read", ROUNDS, loop_load(ROUNDS, 0x0c000004));
    MEASURE("plic-claim", ROUNDS, loop_load(ROUNDS, 0x0c201004 + 0x2000 * me));
    MEASURE("uart-read", ROUNDS, loop_load_byte(ROUNDS, 0x10000007));
    MEASURE("uart-status", ROUNDS, loop_load_byte(ROUNDS, 0x10000005));
    MEASURE("uart-send", ROUNDS / 10, loop_store_byte(ROUNDS / 10, 0x10000000, '.'));
    guest_print("\n");
    timer_latency("timer-latency", false);
    timer_latency("timer-asleep", true);
    other_hart();
    guest_print("bench: done\n");
    guest_poweroff();
}
