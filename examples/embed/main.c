/* SPDX-License-Identifier: BSD-2-Clause */
/* The unikernel itself: it comes up, and its own tasks tick, whatever a guest does beside them. */
#include "guest.h"

#define TREE_ROOM (4 * MIB) /* from the block in which it begins */

_Noreturn void boot_main(uint64_t hart_id, uint64_t tree_pa);

_Atomic uint64_t ticks_of_all;
static atomic_bool enough; /* the tasks may end */

/* One on each hart: ten ticks a second, a line each second. How late a tick comes shows whether
 * somebody keeps the hart: a vCPU runs with interrupts that are ours. */
static void ticker(void *with)
{
    struct hart *hart = with;
    uint64_t every = board.timebase / 10, next = now(), worst = 0, last = option("ticks", 0);
    for (uint64_t ticks = 1;; ticks++) {
        next += every;
        task_wait(next);
        uint64_t late = now() - next;
        atomic_fetch_add(&ticks_of_all, 1);
        worst = late > worst ? late : worst;
        if (ticks % 10 == 0) {
            print("task %u: %lu ticks, the latest %lu us late", hart->index, ticks,
                  worst * 1000000 / board.timebase);
            worst = 0;
        }
        if (last ? ticks == last : atomic_load(&enough))
            return;
    }
}

/* With the option busy=1, on each hart: never waits, so that the others need the timer to get a
 * turn. */
static void busy(void *with)
{
    uint64_t rounds = 0;
    while (!atomic_load(&enough))
        rounds++;
    print("busy task %u: %s", ((struct hart *)with)->index, rounds ? "went round" : "had no turn");
}

static void run_guest(void)
{
    static struct guest guest;
    machine_begin();
    if (bundle_read(va_of(board.initrd), board.initrd_bytes, &guest))
        guests_run(&guest);
    machine_end();
}

static void first_task(void *with)
{
    (void)with;
    struct task *tickers[MAX_HARTS], *busies[MAX_HARTS];
    bool with_busy = option("busy", 0);
    uint64_t before = pages_free();
    print("%lu KiB of memory are free", before * 4);
    for (unsigned n = 0; n < hart_count; n++) {
        tickers[n] = task_start(&harts[n], "ticker", ticker, &harts[n]);
        busies[n] = with_busy ? task_start(&harts[n], "busy", busy, &harts[n]) : NULL;
    }
    if (board.initrd_bytes)
        run_guest();
    if (!option("ticks", board.initrd_bytes ? 0 : UINT64_MAX))
        atomic_store(&enough, true);
    for (unsigned n = 0; n < hart_count; n++)
        task_join(tickers[n]);
    atomic_store(&enough, true);
    for (unsigned n = 0; with_busy && n < hart_count; n++)
        task_join(busies[n]);
    print("%lu KiB of memory are free", pages_free() * 4);
    print("the end");
    power_off();
}

void boot_main(uint64_t hart_id, uint64_t tree_pa)
{
    __asm__ volatile("mv tp, %0" ::"r"(&harts[0]));
    paging_map_ram(tree_pa, TREE_ROOM);
    board_read(va_of(tree_pa), hart_id);
    hart_begin(&harts[0]);
    unsigned levels = paging_levels((unsigned)option("levels", 3));
    print("%u hart%s, Sv%u, %lu KiB of our own at %#lx", hart_count, hart_count > 1 ? "s" : "",
          12 + 9 * levels, (uint64_t)(image_end - image_start) >> 10, pa_of(image_start));
    harts_start();
    task_start(&harts[0], "first", first_task, NULL);
    tasks_idle(&harts[0]);
}
