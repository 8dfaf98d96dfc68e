/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/monitor/top.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "appliance/monitor/monitor.h"
#include "appliance/monitor/show.h"
#include "appliance/vm.h"
#include "host/host.h"

#define REASONS_SHOWN 3

/* Counters as they were at the last tick. */
struct last_vm {
    uint64_t guest, host, steal, exits[CALD_EXITS];
};
static struct last_vm last_vms[VM_MAX];
static uint64_t last_idle[VM_MAX_VCPUS], last_time;
static _Atomic uint32_t runs;

bool top_runs(void)
{
    return atomic_load(&runs);
}

static void read_vm(const struct vm *vm, struct last_vm *now)
{
    memset(now, 0, sizeof(*now));
    for (unsigned n = 0; n < vm_vcpu_count(vm); n++) {
        struct cald_stats stats;
        cald_vcpu_stats(cald_vm_vcpu(vm->cald, n), &stats);
        now->guest += stats.guest;
        now->host += stats.host;
        now->steal += stats.steal;
        for (unsigned reason = 0; reason < CALD_EXITS; reason++)
            now->exits[reason] += stats.exits[reason];
    }
}

/* Since then; a VM that began anew counts from zero. */
static uint64_t since(uint64_t now, uint64_t then)
{
    return now >= then ? now - then : now;
}

/* "12.3 %" of `all`. */
#define PERCENT_TEXT 24
static const char *percent(char out[PERCENT_TEXT], uint64_t part, uint64_t all)
{
    unsigned long thousandths = all ? part * 1000 / all : 0;
    snprintf(out, PERCENT_TEXT, "%lu.%lu %%", thousandths / 10, thousandths % 10);
    return out;
}

static void show_harts(uint64_t passed)
{
    char text[256], share[PERCENT_TEXT];
    size_t used = 0;
    unsigned in_line = 0;
    for (unsigned n = 0; n < board.harts && n < VM_MAX_VCPUS; n++) {
        uint64_t idle = monitor_host_hart_idle(n), away = since(idle, last_idle[n]);
        last_idle[n] = idle;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "hart %-3lu %8s   ",
                                 (unsigned long)monitor_host_hart_id(n),
                                 percent(share, away < passed ? passed - away : 0, passed));
        if (++in_line == 4 || n + 1 == board.harts) {
            monitor_print("%s", text);
            used = in_line = 0;
        }
    }
}

static void show_reasons(char *out, size_t size, const struct last_vm *now,
                         const struct last_vm *then, uint64_t passed)
{
    uint64_t left[CALD_EXITS], rate = host_timebase();
    size_t used = 0;
    out[0] = 0;
    for (unsigned n = 0; n < CALD_EXITS; n++)
        left[n] = since(now->exits[n], then->exits[n]);
    for (unsigned shown = 0; shown < REASONS_SHOWN; shown++) {
        unsigned most = 0;
        for (unsigned n = 1; n < CALD_EXITS; n++)
            most = left[n] > left[most] ? n : most;
        if (!left[most])
            return;
        used += (size_t)snprintf(out + used, size - used, "%s%s %lu", shown ? ", " : "",
                                 cald_exit_name(most), (unsigned long)(left[most] * rate / passed));
        left[most] = 0;
    }
}

static void show_vm(const struct vm *vm, int width, uint64_t passed)
{
    struct last_vm now, *then = &last_vms[vm->index];
    char guest[PERCENT_TEXT], host[PERCENT_TEXT], steal[PERCENT_TEXT], reasons[100];
    uint64_t exits = 0;
    read_vm(vm, &now);
    for (unsigned n = 0; n < CALD_EXITS; n++)
        exits += since(now.exits[n], then->exits[n]);
    show_reasons(reasons, sizeof(reasons), &now, then, passed);
    monitor_print("%-*s  %9s  %12s  %9s  %9lu  %s", width, vm->config->name,
                  percent(guest, since(now.guest, then->guest), passed),
                  percent(host, since(now.host, then->host), passed),
                  percent(steal, since(now.steal, then->steal), passed),
                  (unsigned long)(exits * host_timebase() / passed), reasons);
    *then = now;
}

static void read_all(void)
{
    for (unsigned n = 0; n < vm_count; n++)
        read_vm(&vms[n], &last_vms[vms[n].index]);
    for (unsigned n = 0; n < board.harts && n < VM_MAX_VCPUS; n++)
        last_idle[n] = monitor_host_hart_idle(n);
    last_time = host_time();
}

void top_begin(void)
{
    read_all();
    atomic_store(&runs, 1);
    monitor_host_tick(true);
}

bool top_end(void)
{
    if (!atomic_exchange(&runs, 0))
        return false;
    monitor_host_tick(false);
    return true;
}

void top_tick(void)
{
    static const char home[] = "\x1b[H\x1b[J";
    uint64_t time = host_time(), passed = time - last_time;
    int width = show_name_width();
    if (!top_runs() || !passed)
        return;
    last_time = time;
    monitor_host_write(home, sizeof(home) - 1);
    show_harts(passed);
    monitor_print("%-*s  %9s  %12s  %9s  %9s  %s", width, "NAME", "IN GUEST", "IN CALDARIUM",
                  "KEPT AWAY", "EXITS/S", "MOST OF THEM");
    for (unsigned n = 0; n < vm_count; n++) {
        enum vm_state state = atomic_load(&vms[n].state);
        if (state == VM_RUNNING || state == VM_PAUSED)
            show_vm(&vms[n], width, passed);
    }
    monitor_print("Shares are of one hart's time. Any key ends this.");
}
