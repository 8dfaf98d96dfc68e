/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/minikernel/mini.h"

static uint8_t sector_a[512] __attribute__((aligned(512))),
    sector_b[512] __attribute__((aligned(512)));

static void probe_load(void *at)
{
    __asm__ volatile(".option push\n.option norvc\nld t0, 0(%0)\n.option pop" ::"r"(at)
                     : "t0", "memory");
}

static void probe_csr(void *with)
{
    (void)with;
    __asm__ volatile("csrr t0, 0x300" ::: "t0"); /* mstatus: machine mode's */
}

static bool check(const char *what, bool good)
{
    console_print("test: %s %s\n", what, good ? "ok" : "FAILED");
    return good;
}

static bool test_paging(void)
{
    uint64_t tval;
    bool good = trap_expect(probe_load, (void *)USER_NOTHING, &tval) == CAUSE_LOAD_PAGE &&
                tval == USER_NOTHING;
    /* The user's pages are closed to the kernel while SUM is off. */
    good &= trap_expect(probe_load, (void *)USER_DATA, &tval) == CAUSE_LOAD_PAGE;
    csr_set(CSR_SSTATUS, 1UL << 18);
    good &= trap_expect(probe_load, (void *)USER_DATA, &tval) == -1;
    csr_clear(CSR_SSTATUS, 1UL << 18);
    return check("paging", good);
}

static bool test_timer(void)
{
    uint64_t before = this_hart()->ticks;
    while (this_hart()->ticks < before + 3) {
        wait_for_interrupt();
        trap_serve();
    }
    return check("timer", true);
}

static bool test_illegal(void)
{
    uint64_t tval;
    return check("illegal instruction", trap_expect(probe_csr, 0, &tval) == CAUSE_ILLEGAL);
}

static bool test_ipi(void)
{
    uint64_t before[HARTS], me = this_hart()->id;
    for (unsigned n = 0; n < hart_count; n++)
        before[n] = harts[n].ipis;
    for (unsigned n = 0; n < hart_count; n++) {
        if (n != me)
            guest_sbi(SBI_EXT_IPI, 0, 1UL << n, 0, 0, 0);
    }
    for (unsigned n = 0; n < hart_count; n++) {
        while (n != me && harts[n].ipis == before[n]) {
        }
    }
    return check("ipi", true);
}

static bool test_disk(void)
{
    bool good = true;
    if (!disk_sectors())
        return true;
    uint64_t last = disk_sectors() - 1;
    for (unsigned n = 0; n < 512; n++)
        sector_a[n] = (uint8_t)(n * 7 + 1);
    for (uint64_t sector = last - 3; sector <= last; sector++) {
        sector_a[0] = (uint8_t)sector;
        good &= disk_transfer(sector, sector_a, true);
    }
    for (uint64_t sector = last - 3; sector <= last; sector++) {
        good &= disk_transfer(sector, sector_b, false);
        good &= sector_b[0] == (uint8_t)sector;
        for (unsigned n = 1; n < 512; n++)
            good &= sector_b[n] == (uint8_t)(n * 7 + 1);
    }
    return check("disk", good && !disk_transfer(last + 1, sector_b, false));
}

static void run_test(void)
{
    bool good = test_paging();
    good &= test_illegal();
    good &= test_timer();
    good &= test_ipi();
    good &= test_disk();
    console_print("test: %s\n", good ? "all ok" : "something FAILED");
}

static void run_status(void)
{
    csr_set(CSR_SSTATUS, 1UL << 18); /* SUM */
    uint64_t work = *(volatile uint64_t *)USER_DATA;
    csr_clear(CSR_SSTATUS, 1UL << 18);
    console_print("status: %u ticks, user program at %u\n", this_hart()->ticks, work);
}

struct word {
    uint64_t address, value;
};

static void access_word(void *with)
{
    struct word *word = with; /* the handler goes on four bytes behind a trap */
    if (word->value)
        __asm__ volatile(
            ".option push\n.option norvc\nsd %0, 0(%1)\n.option pop" ::"r"(word->value),
            "r"(word->address)
            : "memory");
    else
        __asm__ volatile(".option push\n.option norvc\nld %0, 0(%1)\n.option pop"
                         : "=r"(word->value)
                         : "r"(word->address)
                         : "memory");
}

/* Skips a word and the blanks behind it; reads a hexadecimal number, 0 if there is none. */
static uint64_t number_after(const char **line)
{
    uint64_t value = 0;
    while (**line && **line != ' ')
        ++*line;
    while (**line == ' ')
        ++*line;
    for (const char *at = *line; *at && *at != ' '; at++)
        value = value << 4 | (uint64_t)(*at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10);
    return value;
}

/* "word ADDRESS" loads, "word ADDRESS VALUE" stores; what is there may be a device of the host's.
 */
static void run_word(const char *line)
{
    struct word word = {.address = number_after(&line)};
    bool stores = (word.value = number_after(&line)) != 0;
    uint64_t tval;
    int64_t cause = trap_expect(access_word, &word, &tval);
    if (cause >= 0)
        console_print("word: exception %u\n", (uint64_t)cause);
    else
        console_print("word: %s %x\n", stores ? "stored" : "loaded", word.value);
}

static bool is(const char *line, const char *word)
{
    while (*word && *line == *word)
        line++, word++;
    return !*word && (!*line || *line == ' ');
}

void command_run(const char *line)
{
    if (!*line)
        return;
    if (is(line, "test"))
        run_test();
    else if (is(line, "status"))
        run_status();
    else if (is(line, "word"))
        run_word(line);
    else if (is(line, "shared"))
        shared_command(line);
    else if (is(line, "reset"))
        guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_COLD_REBOOT, SBI_SRST_REASON_NONE, 0, 0);
    else if (is(line, "fail"))
        guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_SYSTEM_FAILURE, 0, 0);
    else if (is(line, "off"))
        guest_poweroff();
    else
        console_print("there is no '%s': test, status, word, shared, reset, fail, off\n", line);
}

void command_prompt(void)
{
    console_print("mini> ");
}
