/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long an interrupt waits: a timer's, since its moment is known to the tick. Three VMs share a
 * region of memory (latency.h), each with this guest:
 *
 * role=measure    Sets its timer `samples=` times (10000) for each kind of storm, by random moments
 *                 up to `gap=` ticks of `time` ahead, and waits: in WFI or, with `busy=yes`, also
 *                 computing, calling SBI, reading its serial port. One line a kind:
 *                 `latency: KIND worst W of N, done D: TICKS*COUNT ...`.
 * role=storm      Does what it is asked for, on two harts: storm.c.
 * role=load       Computes meanwhile, so that as many harts are busy beside one neighbour as beside
 * another.
 */
#include "guests/latency/latency.h"

#include <stdbool.h>

#include "guests/common/guest.h"

#define S_TIMER (1UL << 5)
#define S_EXT (1UL << 9)
#define AHEAD 100UL /* ticks: the call that sets the timer has returned by then */
#define MOST 1024U  /* ticks that have a count of their own */
#define WARM 20U    /* samples of each kind that don't count */
#define PLIC 0x0c000000UL
#define UART_LSR ((volatile uint8_t *)0x10000005UL)

void guest_main(uint64_t hart, uint64_t tree);

static volatile uint64_t taken, when;
static uint64_t seed = 88172645463325252UL;
static uint32_t counts[MOST + 1];

static const char *const names[STORM_KINDS] = {
    [STORM_SLEEP] = "sleep",         [STORM_COMPUTE] = "compute", [STORM_EXITS] = "exits",
    [STORM_CALLS] = "calls",         [STORM_FENCES] = "fences",   [STORM_IPIS] = "ipis",
    [STORM_WAKES] = "wakes",         [STORM_STARTS] = "starts",   [STORM_PAGING] = "paging",
    [STORM_DOORBELLS] = "doorbells", [STORM_CONSOLE] = "console",
};

static void __attribute__((interrupt("supervisor"), aligned(4))) trap(void)
{
    uint64_t now = csr_read(CSR_TIME), cause = csr_read(CSR_SCAUSE);
    if (cause != (CAUSE_INTERRUPT | IRQ_S_TIMER)) {
        guest_print("latency: a trap of cause %x at %x\n", cause, csr_read(CSR_SEPC));
        guest_poweroff();
    }
    when = now;
    csr_clear(CSR_SIE, S_TIMER);
    taken++;
}

static uint64_t below(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (seed >> 16) % n;
}

/* A pending interrupt ends the WFI and is taken behind it: taken before it, it would be gone. */
static void sleep_until(uint64_t before)
{
    csr_clear(CSR_SSTATUS, SSTATUS_SIE);
    while (taken == before) {
        wait_for_interrupt();
        csr_set(CSR_SSTATUS, SSTATUS_SIE);
        csr_clear(CSR_SSTATUS, SSTATUS_SIE);
    }
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
}

static void wait(uint64_t before, uint64_t how)
{
    if (how == 0)
        sleep_until(before);
    while (taken == before) {
        if (how == 1)
            guest_sbi(SBI_EXT_BASE, 0, 0, 0, 0, 0);
        else if (how == 2)
            (void)*UART_LSR;
    }
}

static uint64_t sample(uint64_t gap, bool busy)
{
    uint64_t before = taken, deadline = csr_read(CSR_TIME) + AHEAD + below(gap);
    guest_sbi(SBI_EXT_TIME, 0, deadline, 0, 0, 0);
    csr_set(CSR_SIE, S_TIMER);
    wait(before, busy ? below(4) : 0);
    return when - deadline;
}

static uint64_t storms(void)
{
    return shared()->done[0] + shared()->done[1];
}

static void measure(enum storm storm, uint64_t samples, uint64_t gap, bool busy)
{
    uint64_t worst = 0;
    shared()->storm = storm;
    while (shared()->begun != storm) {
        sample(gap, false);
    }
    for (unsigned n = 0; n <= MOST; n++)
        counts[n] = 0;
    for (unsigned n = 0; n < WARM; n++)
        sample(gap, busy);
    uint64_t done = storms();
    for (uint64_t n = 0; n < samples; n++) {
        uint64_t ticks = sample(gap, busy);
        worst = ticks > worst ? ticks : worst;
        counts[ticks < MOST ? ticks : MOST]++;
    }
    done = storms() - done;
    shared()->storm = STORM_SLEEP; /* or printing is what takes the time */
    guest_print("latency: %s worst %u of %u, done %u:", names[storm], worst, samples, done);
    for (uint64_t n = 0; n <= MOST; n++) {
        if (counts[n])
            guest_print(" %u*%u", n, counts[n]);
    }
    guest_print("\n");
}

/* The doorbell's interrupt is enabled at the PLIC, and never taken: it only pends. */
static void open_doorbell(void)
{
    *(volatile uint32_t *)(PLIC + 4 * DOORBELL_IRQ) = 1;
    *(volatile uint32_t *)(PLIC + 0x2080) = 1U << DOORBELL_IRQ;
    *(volatile uint32_t *)(PLIC + 0x201000) = 0;
}

void guest_main(uint64_t hart, uint64_t tree)
{
    if (guest_is(tree, "role", "storm"))
        storm_main(hart);
    if (guest_is(tree, "role", "load")) {
        while (shared()->storm != STORM_END) {
        }
        guest_poweroff();
    }
    csr_write(CSR_STVEC, (uint64_t)trap);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);
    uint64_t samples = guest_number(tree, "samples", 10000), gap = guest_number(tree, "gap", 1000);
    uint64_t only = guest_number(tree, "only", 0);
    open_doorbell();
    for (enum storm storm = STORM_SLEEP; storm < STORM_KINDS; storm++) {
        if (!only || only == storm || storm == STORM_SLEEP)
            measure(storm, samples, gap, guest_is(tree, "busy", "yes"));
    }
    shared()->storm = STORM_END;
    guest_print("latency: done\n");
    guest_poweroff();
}
