/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a VM begins and how its time goes, as `life=` on the command line says:
 *   entry  what a hart begins with at boot, at its start by HSM and after a non-retentive suspend
 *   slots  what the eight virtio-mmio slots of QEMU's virt answer
 *   wait   reads `time` until `ticks` have gone
 *   time   reads `time` until a key comes, in both modes, on two harts, and uses the timer; says
 * then what the largest step was away   for `ticks`: how long others had the hart reset  asks for a
 * reset
 */
#include <stdbool.h>

#include "guests/common/guest.h"

enum { HART_START = 0, HART_SUSPEND = 3, NON_RETENTIVE = 0x80000000 };
#define SSTATUS_UNITS (SSTATUS_FS | SSTATUS_VS)
#define STIP (1UL << 5)

void guest_main(uint64_t hart, uint64_t tree);
void second_main(uint64_t hart);
void second_start(void);
uint64_t life_in_user(bool fp, uint64_t *time); /* the cause that ended it; `time` as read there */

static uint8_t stack[8192] __attribute__((aligned(16)));
static uint64_t boot_hart; /* 0 or 1: on a bare machine either hart may be the first */
static volatile bool other_may_go, compares;
static volatile uint64_t others_time;

static void report(const char *when)
{
    uint64_t status = csr_read(CSR_SSTATUS), open = csr_read(CSR_SCOUNTEREN), time;
    uint64_t cause = life_in_user(true, &time);
    guest_print("life: %s: FS %u VS %u scounteren %u, user mode: cause %u\n", when,
                status >> 13 & 3, status >> 9 & 3, open & 7, cause);
}

void second_main(uint64_t hart)
{
    if (compares) {
        for (;;)
            others_time = csr_read(CSR_TIME);
    }
    csr_write(CSR_SIE, 0);
    report(hart == boot_hart ? "resumed" : "started");
    if (hart == boot_hart)
        guest_poweroff();
    other_may_go = true;
    for (;;)
        wait_for_interrupt();
}

static void start_second(void)
{
    guest_sbi(SBI_EXT_HSM, HART_START, 1 - boot_hart, (uint64_t)second_start,
              (uint64_t)stack + sizeof(stack), 0);
}

static void entry(void)
{
    report("boot");
    start_second();
    while (!other_may_go)
        ;
    csr_clear(CSR_SSTATUS, SSTATUS_UNITS);
    csr_write(CSR_SCOUNTEREN, 0);
    csr_write(CSR_SIE, STIP);
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + 1000, 0, 0, 0);
    guest_sbi(SBI_EXT_HSM, HART_SUSPEND, NON_RETENTIVE, (uint64_t)second_start,
              (uint64_t)stack + sizeof(stack), 0);
    guest_print("life: it was not suspended\n");
}

static void slots(void)
{
    for (uint64_t at = 0x10001000; at < 0x10009000; at += 0x1000) {
        volatile uint32_t *slot = (volatile uint32_t *)at;
        slot[0x70 / 4] = 0;
        guest_print("life: slot %x: magic %x version %u device %u status %u\n", at,
                    (uint64_t)slot[0], (uint64_t)slot[1], (uint64_t)slot[2],
                    (uint64_t)slot[0x70 / 4]);
    }
}

static void wait(uint64_t ticks)
{
    uint64_t until = csr_read(CSR_TIME) + ticks;
    while (csr_read(CSR_TIME) < until)
        ;
    guest_print("life: waited\n");
}

#define TIMER_TICKS 100000UL

static uint64_t last_time, largest_step;

static uint64_t look(void)
{
    uint64_t now = csr_read(CSR_TIME), step = now - last_time;
    largest_step = step > largest_step ? step : largest_step; /* backwards is a very large one */
    last_time = now;
    return now;
}

static void passes(void)
{
    uint64_t late = 0, early = 0, behind = 0, user, when;
    compares = true;
    start_second();
    last_time = csr_read(CSR_TIME);
    when = last_time + TIMER_TICKS;
    guest_sbi(SBI_EXT_TIME, 0, when, 0, 0, 0);
    guest_print("life: time goes\n");
    for (uint64_t n = 0;; n++) {
        uint64_t others = others_time, now = look();
        behind += now < others;
        if (csr_read(CSR_SIP) & STIP) {
            now = look();
            early += now < when;
            late = now > when && now - when > late ? now - when : late;
            when = now + TIMER_TICKS;
            guest_sbi(SBI_EXT_TIME, 0, when, 0, 0, 0);
        }
        if (n % 64)
            continue;
        now = look();
        life_in_user(false, &user);
        behind += user < now || look() < user;
        if (guest_sbi(SBI_EXT_LEGACY_GETCHAR, 0, 0, 0, 0, 0).error >= 0)
            break;
    }
    guest_print("life: largest step %u, timer late by %u, early %u times, clocks apart %u times\n",
                largest_step, late, early, behind);
}

/* What takes longer than this was somebody else. */
#define STEP_TICKS 300UL

static void away(uint64_t ticks)
{
    uint64_t begin = csr_read(CSR_TIME), before = begin, now, largest = 0, sum = 0;
    while ((now = csr_read(CSR_TIME)) - begin < ticks) {
        uint64_t step = now - before;
        before = now;
        if (step < STEP_TICKS)
            continue;
        sum += step;
        largest = step > largest ? step : largest;
    }
    guest_print("life: away %u of 1000, largest %u ticks\n", sum * 1000 / ticks, largest);
}

void guest_main(uint64_t hart, uint64_t tree)
{
    boot_hart = hart;
    if (guest_is(tree, "life", "entry"))
        entry();
    else if (guest_is(tree, "life", "slots"))
        slots();
    else if (guest_is(tree, "life", "time"))
        passes();
    else if (guest_is(tree, "life", "wait"))
        wait(guest_number(tree, "ticks", 0));
    else if (guest_is(tree, "life", "away"))
        away(guest_number(tree, "ticks", 0));
    else if (guest_is(tree, "life", "reset"))
        guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_COLD_REBOOT, SBI_SRST_REASON_NONE, 0, 0);
    guest_poweroff();
}
