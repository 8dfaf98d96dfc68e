/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables read other harts' counters while those count, so a sum may be a moment old. A VM can
 * also end while its vCPUs are read: their memory is then zero, or somebody else's, and a number is
 * wrong once. Nothing here follows a pointer out of it.
 */
#include "appliance/monitor/show.h"

#include <stdio.h>
#include <string.h>

#include "appliance/monitor/monitor.h"
#include "appliance/vm.h"
#include "host/host.h"

uint64_t show_counter(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

const char *monitor_size(char out[MONITOR_SIZE_TEXT], uint64_t bytes)
{
    static const char units[][4] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0, shift = 0;

    while (unit < 4 && bytes >> shift >= 1024) {
        unit++;
        shift += 10;
    }
    unsigned long whole = bytes >> shift;
    unsigned long rest = bytes - ((uint64_t)whole << shift);
    if (rest == 0)
        snprintf(out, MONITOR_SIZE_TEXT, "%lu %s", whole, units[unit]);
    else
        snprintf(out, MONITOR_SIZE_TEXT, "%lu.%u %s", whole,
                 (unsigned)((rest >> (shift - 10)) * 10 / 1024) % 10, units[unit]);
    return out;
}

const char *show_time(char out[SHOW_TIME_TEXT], uint64_t ticks)
{
    uint64_t hz = host_timebase();

    /* A board's tree states the frequency; within these bounds nothing below can overflow. */
    if (hz == 0 || hz > 1000000000000)
        hz = 10000000;
    unsigned long seconds = ticks / hz;
    unsigned long us = ticks % hz * 1000000 / hz;
    if (seconds >= 100)
        snprintf(out, SHOW_TIME_TEXT, "%lu s", seconds);
    else if (seconds > 0)
        snprintf(out, SHOW_TIME_TEXT, "%lu.%02lu s", seconds, us / 10000);
    else if (us >= 1000)
        snprintf(out, SHOW_TIME_TEXT, "%lu.%lu ms", us / 1000, us % 1000 / 100);
    else
        snprintf(out, SHOW_TIME_TEXT, "%lu us", us);
    return out;
}

int show_name_width(void)
{
    size_t width = 4;

    for (unsigned i = 0; i < vm_count; i++) {
        size_t length = strlen(vms[i].config->name);
        if (length > width)
            width = length;
    }
    return (int)width;
}

/* How many vCPUs it has that do something: none unless it runs or is paused. */
static unsigned vcpus_of(const struct vm *vm)
{
    enum vm_state state = atomic_load(&vm->state);

    return state == VM_RUNNING || state == VM_PAUSED ? vm_vcpu_count(vm) : 0;
}

static uint64_t configured_memory(const struct vm *vm)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < vm->config->memory_ranges; i++)
        sum += vm->config->memory[i].size;
    return sum;
}

/* The hart ids its vCPUs are placed on, in vCPU order: "0,1,4". */
static void harts_text(const struct vm *vm, char *out, size_t size)
{
    unsigned count = vcpus_of(vm);
    size_t used = 0;

    snprintf(out, size, "-");
    for (unsigned i = 0; i < count; i++) {
        unsigned long id = monitor_host_hart_id(monitor_host_home(cald_vm_vcpu(vm->cald, i)));
        int n = snprintf(out + used, size - used, "%s%lu", i ? "," : "", id);
        if (n < 0 || (size_t)n >= size - used) {
            memcpy(out + size - 4, "...", 4);
            return;
        }
        used += (size_t)n;
    }
}

void show_list(struct vm *vm)
{
    int width = show_name_width();
    char harts[32], size[MONITOR_SIZE_TEXT];

    (void)vm;
    if (vm_count == 0) {
        monitor_print("There is no VM: no bundle was given, or it names none.");
        return;
    }
    monitor_print(" #  %-*s  %-8s  %5s  %-12s  %10s  %8s", width, "NAME", "STATE", "VCPUS", "HARTS",
                  "MEMORY", "RESTARTS");
    for (unsigned i = 0; i < vm_count; i++) {
        const struct vm *v = &vms[i];
        enum vm_state state = atomic_load(&v->state);
        harts_text(v, harts, sizeof(harts));
        monitor_print("%2u  %-*s  %-8s  %5u  %-12s  %10s  %8u%s%s", i + 1, width, v->config->name,
                      vm_state_name(state), v->config->vcpus, harts,
                      monitor_size(size, configured_memory(v)), v->restarts,
                      state == VM_REFUSED ? "  " : "", state == VM_REFUSED ? v->refused : "");
    }
    for (unsigned i = 0; i < vm_count; i++) {
        if (saved_bytes(&vms[i]))
            monitor_print("saved: %s, %s", vms[i].config->name,
                          monitor_size(size, saved_bytes(&vms[i])));
    }
}

struct sums {
    uint64_t guest, host, idle, exits, files, moved, reasons[CALD_EXITS];
    unsigned with_file; /* vCPUs that have one now */
};

static void add(struct sums *sums, const struct cald_vcpu *vcpu)
{
    struct cald_stats stats;
    cald_vcpu_stats(vcpu, &stats);
    sums->guest += stats.guest;
    sums->host += stats.host;
    sums->idle += monitor_host_idle(vcpu);
    sums->files += stats.files;
    sums->moved += stats.moved;
    sums->with_file += stats.has_file;
    for (unsigned n = 0; n < CALD_EXITS; n++) {
        sums->exits += stats.exits[n];
        sums->reasons[n] += stats.exits[n];
    }
}

static void join(struct sums *all, const struct sums *one)
{
    all->guest += one->guest;
    all->host += one->host;
    all->idle += one->idle;
    all->exits += one->exits;
    all->files += one->files;
    all->moved += one->moved;
    all->with_file += one->with_file;
    for (unsigned n = 0; n < CALD_EXITS; n++)
        all->reasons[n] += one->reasons[n];
}

static void stats_line(const char *name, int width, const struct sums *sums)
{
    char guest[SHOW_TIME_TEXT], host[SHOW_TIME_TEXT], idle[SHOW_TIME_TEXT];

    monitor_print("%-*s  %10s  %12s  %10s  %12lu", width, name, show_time(guest, sums->guest),
                  show_time(host, sums->host), show_time(idle, sums->idle),
                  (unsigned long)sums->exits);
}

static void stats_head(const char *what, int width)
{
    monitor_print("%-*s  %10s  %12s  %10s  %12s", width, what, "IN GUEST", "IN CALDARIUM", "IDLE",
                  "EXITS");
}

static void stats_reasons(const struct sums *all)
{
    monitor_print("%-26s  %12s  %6s", "EXITS BY REASON", "COUNT", "SHARE");
    for (unsigned reason = 0; reason < CALD_EXITS; reason++) {
        uint64_t sum = all->reasons[reason];
        if (sum == 0)
            continue;
        /* 1000 * sum must not wrap. */
        uint64_t share = all->exits > 1000000 ? sum / (all->exits / 1000) : sum * 1000 / all->exits;
        if (share > 1000)
            share = 1000; /* the divisor was cut */
        monitor_print("%-26s  %12lu  %3lu.%lu%%", cald_exit_name(reason), (unsigned long)sum,
                      (unsigned long)(share / 10), (unsigned long)(share % 10));
    }
}

static void stats_files(const struct sums *all, unsigned count)
{
    monitor_print("interrupt files of harts: %u of %u vCPUs have one now; taken %lu times, %lu "
                  "messages moved on",
                  all->with_file, count, (unsigned long)all->files, (unsigned long)all->moved);
}

void show_since_boot(uint64_t time)
{
    unsigned long hz = host_timebase();
    monitor_print("%lu.%03lu s since boot", time / hz, time % hz * 1000 / hz);
}

void show_stats(struct vm *vm)
{
    if (!vm) {
        uint64_t time = host_time();
        int width = show_name_width();
        stats_head("NAME", width);
        for (unsigned i = 0; i < vm_count; i++) {
            struct sums sums = {0};
            for (unsigned n = 0; n < vcpus_of(&vms[i]); n++)
                add(&sums, cald_vm_vcpu(vms[i].cald, n));
            stats_line(vms[i].config->name, width, &sums);
        }
        show_since_boot(time);
        return;
    }

    unsigned count = vcpus_of(vm);
    if (!count) {
        monitor_print("%s is %s: there is nothing to count.", vm->config->name,
                      vm_state_name(atomic_load(&vm->state)));
        return;
    }
    struct sums all = {0};
    stats_head("VCPU", 5);
    for (unsigned i = 0; i < count; i++) {
        struct sums one = {0};
        char name[12];
        add(&one, cald_vm_vcpu(vm->cald, i));
        join(&all, &one);
        snprintf(name, sizeof(name), "%u", i);
        stats_line(name, 5, &one);
    }
    if (count > 1)
        stats_line("all", 5, &all);
    stats_reasons(&all);
    if (vm->config->irqchip == IRQCHIP_IMSIC)
        stats_files(&all, count);
}

static void map_line(uint64_t base, uint64_t size, const char *what, uint64_t host, bool has_host)
{
    char text[MONITOR_SIZE_TEXT], at[32] = "";

    if (has_host)
        snprintf(at, sizeof(at), " at 0x%lx", (unsigned long)host);
    monitor_print("0x%010lx  0x%010lx  %10s  %s%s", (unsigned long)base,
                  (unsigned long)(base + size - 1), monitor_size(text, size), what, at);
}

/* RAM whose guest-physical base is in [from, to). */
static void map_ram(const struct vm *vm, bool alive, uint64_t from, uint64_t to)
{
    unsigned count = alive ? vm->ram_chunks : vm->config->memory_ranges;

    if (count > (alive ? VM_RAM_CHUNKS : VM_MAX_RANGES))
        count = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t base = alive ? vm->ram[i].gpa : vm->config->memory[i].base;
        uint64_t size = alive ? vm->ram[i].size : vm->config->memory[i].size;
        if (base < from || base >= to)
            continue;
        const uint8_t *host = alive ? vm->ram[i].host : NULL;
        map_line(base, size, host ? "RAM, host" : "RAM, not taken yet", host ? host_pa(host) : 0,
                 host != NULL);
    }
}

/* How much of its window the VM's device takes. */
static uint64_t map_size(const struct vm *vm, enum map_device device)
{
    if (device == MAP_IMSIC)
        return GUEST_IMSIC_PAGE * vm->config->vcpus;
    return device == MAP_UART ? GUEST_UART_SIZE : map_windows[device].range.size;
}

static void map_driver(const struct driver_vm *driver)
{
    char what[80];
    for (unsigned n = 0; n < driver->windows; n++) {
        const struct driver_window *window = &driver->window[n];
        snprintf(what, sizeof(what), "%s of VM %s, which it serves",
                 window->device ? "window for a device" : "RAM", window->client->config->name);
        map_line(window->base, window->size, what, 0, false);
    }
    map_line(driver->rings, driver->devices * VHOST_RING_BYTES, "rings of the devices it serves", 0,
             false);
    map_line(driver->registers, driver->devices * DRIVER_REGISTERS, "their registers, emulated", 0,
             false);
}

void show_map(struct vm *vm)
{
    bool alive = vcpus_of(vm) != 0;

    monitor_print("%-12s  %-12s  %10s  %s", "FIRST", "LAST", "SIZE", "WHAT");
    map_ram(vm, alive, 0, GUEST_PLIC_BASE);
    for (unsigned n = 0; n < MAP_DEVICES; n++) {
        const struct map_window *window = &map_windows[n];
        if (map_has(vm, n))
            map_line(window->range.base, map_size(vm, n), window->shown, 0, false);
    }
    for (unsigned n = 0; n < vm->device_count; n++) {
        const struct passthrough *device = &vm->devices[n];
        for (unsigned r = 0; r < device->reg_count; r++)
            map_line(device->regs[r].base, device->regs[r].size, device->path, device->regs[r].base,
                     true);
    }
    for (unsigned n = 0; n < vm->virtio_count; n++) {
        const struct virtio_device *device = vm->virtio[n];
        char what[64];
        snprintf(what, sizeof(what), "virtio %s %.40s", device->kind->name, device->name);
        map_line(device->base, VIRTIO_MMIO_SIZE, what, 0, false);
    }
    for (unsigned n = 0; n < vm->shared_count; n++) {
        const struct shared_window *window = &vm->shared[n];
        char what[64];
        snprintf(what, sizeof(what), "shared memory %.40s, host", window->region->name);
        map_line(window->base, window->region->size, what, host_pa(window->region->host), true);
        map_line(window->base + window->region->size, SHARED_DOORBELL_SIZE,
                 "its doorbell, emulated", 0, false);
    }
    map_ram(vm, alive, GUEST_PLIC_BASE, UINT64_MAX);
    if (vm->driver)
        map_driver(vm->driver);
}

void show_memory(struct vm *vm)
{
    int width = show_name_width();
    char ram[MONITOR_SIZE_TEXT], taken[MONITOR_SIZE_TEXT], one[MONITOR_SIZE_TEXT];

    (void)vm;
    monitor_host_memory();
    if (vm_count == 0)
        return;
    monitor_print("%-*s  %10s  %10s  %10s  %8s", width, "VM", "ITS RAM", "TABLES", "A VCPU'S",
                  "OF RAM");
    for (unsigned i = 0; i < vm_count; i++) {
        uint64_t bytes = configured_memory(&vms[i]), tables = show_counter(&vms[i].table_bytes);
        uint64_t share = tables / (vms[i].config->vcpus ? vms[i].config->vcpus : 1);
        uint64_t tenths = bytes ? share * 1000 / bytes : 0;
        monitor_print("%-*s  %10s  %10s  %10s  %4lu.%lu %%", width, vms[i].config->name,
                      monitor_size(ram, bytes), monitor_size(taken, tables),
                      monitor_size(one, share), tenths / 10, tenths % 10);
    }
}
