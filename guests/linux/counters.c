// SPDX-License-Identifier: BSD-2-Clause
// What perf counts for this process: cycles, instructions and firmware events, read from the kernel
// and by user code itself, as the sysctl kernel.perf_user_access lets it (1: what perf's page tells
// to read; 2: the registers, whoever asks).
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOPS 20000000UL // two instructions each
#define SET_TIMER (1ULL << 63 | 5)

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void loop(unsigned long loops)
{
    __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b" : "+r"(loops));
}

static int open_event(uint32_t type, uint64_t config)
{
    struct perf_event_attr attr = {.type = type, .size = sizeof(attr), .config = config};
    attr.config1 = type == PERF_TYPE_HARDWARE ? 2 : 0; // user code may read it
    int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
    if (fd < 0)
        die("perf_event_open");
    return fd;
}

static uint64_t value(int fd)
{
    uint64_t count = 0;
    if (read(fd, &count, sizeof(count)) != sizeof(count))
        die("read");
    return count;
}

static void user_access(const char *level)
{
    int fd = open("/proc/sys/kernel/perf_user_access", O_WRONLY);
    if (fd < 0 || write(fd, level, 1) != 1)
        die("perf_user_access");
    close(fd);
}

static void count(const char *when)
{
    int cycles = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
    int instructions = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
    uint64_t cycles_before = value(cycles), instructions_before = value(instructions);
    loop(LOOPS);
    printf("counters: %s: cycles %lu instructions %lu\n", when, value(cycles) - cycles_before,
           value(instructions) - instructions_before);
    close(cycles);
    close(instructions);
}

// instret, as the page tells: it has that number where user code may read it.
static void by_page(void)
{
    int fd = open_event(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS);
    struct perf_event_mmap_page *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        die("mmap");
    uint64_t before, after;
    if (!page->cap_user_rdpmc || page->index != 3) {
        printf("counters: page: not readable, index %u\n", page->index);
    } else {
        __asm__ volatile("rdinstret %0" : "=r"(before));
        loop(LOOPS);
        __asm__ volatile("rdinstret %0" : "=r"(after));
        printf("counters: page: instructions %lu\n", after - before);
    }
    munmap(page, 4096);
    close(fd);
}

int main(void)
{
    count("perf");
    int timer = open_event(PERF_TYPE_RAW, SET_TIMER);
    for (unsigned n = 0; n < 20; n++) {
        loop(LOOPS / 20);
        usleep(1000);
    }
    printf("counters: firmware: set_timer %lu\n", value(timer));
    user_access("1");
    by_page();
    user_access("2");
    count("legacy");
    printf("counters: done\n");
    return 0;
}
