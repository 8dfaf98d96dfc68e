/* SPDX-License-Identifier: BSD-2-Clause */
/* `trace`: the last exits of a VM, all vCPUs in one row by time. */
#include <stdatomic.h>
#include <stdio.h>

#include "appliance/monitor/monitor.h"
#include "appliance/monitor/show.h"
#include "appliance/monitor/words.h"
#include "appliance/vm.h"
#include "host/host.h"

#define SHOWN 40
/* The oldest entries of a ring may be overwritten while it is read. */
#define READABLE (CALD_TRACE_ENTRIES * 3 / 4)

struct reader {
    uint32_t next, end; /* entries still to be shown */
};

static void describe(const struct cald_trace_entry *e, char *out, size_t size)
{
    unsigned long what = e->what;
    switch (cald_trace_what(e->reason)) {
    case CALD_TRACE_CALL:
        snprintf(out, size, "extension 0x%lx function %u", what, e->more);
        break;
    case CALD_TRACE_ACCESS:
        snprintf(out, size, "%s, %u bytes, at 0x%lx", e->store ? "store" : "load", e->more, what);
        break;
    case CALD_TRACE_ADDRESS:
        snprintf(out, size, "at 0x%lx", what);
        break;
    case CALD_TRACE_INSTRUCTION:
        snprintf(out, size, "instruction %08lx", what);
        break;
    case CALD_TRACE_CAUSE:
        snprintf(out, size, "scause 0x%lx", what);
    }
}

static void show_entry(unsigned vcpu, const struct cald_trace_entry *e)
{
    char what[80], cost[SHOW_TIME_TEXT];
    uint64_t hz = host_timebase();
    describe(e, what, sizeof(what));
    monitor_print("%5lu.%06lu  %4u  %10s  %016lx  %-20s  %s", (unsigned long)(e->time / hz),
                  (unsigned long)(e->time % hz * 1000000 / hz), vcpu, show_time(cost, e->cost),
                  (unsigned long)e->pc, cald_exit_name(e->reason), what);
}

/* The vCPU whose next entry is the oldest; -1: all are shown. */
static int oldest(const struct vm *vm, const struct reader *readers, uint32_t vcpus,
                  struct cald_trace_entry *entry)
{
    int best = -1;
    for (uint32_t n = 0; n < vcpus; n++) {
        struct cald_trace_entry next;
        if (readers[n].next == readers[n].end)
            continue;
        cald_vcpu_trace(cald_vm_vcpu(vm->cald, n), readers[n].next, &next);
        if (best < 0 || next.time < entry->time) {
            best = (int)n;
            *entry = next;
        }
    }
    return best;
}

static void show(const struct vm *vm)
{
    struct reader readers[VM_MAX_VCPUS] = {0};
    struct cald_trace_entry entry = {0};
    uint32_t vcpus = vm_vcpu_count(vm);
    uint64_t total = 0;
    int vcpu;
    for (uint32_t n = 0; n < vcpus; n++) {
        readers[n].end = cald_vcpu_traced(cald_vm_vcpu(vm->cald, n));
        readers[n].next = readers[n].end > READABLE ? readers[n].end - READABLE : 0;
        total += readers[n].end - readers[n].next;
    }
    if (!total) {
        monitor_print("%s: nothing is noted; 'trace on %s' begins it", vm->config->name,
                      vm->config->name);
        return;
    }
    monitor_print("%12s  %4s  %10s  %-16s  %-20s  %s", "TIME s", "VCPU", "COST", "PC", "EXIT",
                  "WHAT");
    for (; (vcpu = oldest(vm, readers, vcpus, &entry)) >= 0; total--) {
        readers[vcpu].next++;
        if (total <= SHOWN)
            show_entry((unsigned)vcpu, &entry);
    }
}

void show_trace(const char *words)
{
    struct word first = word_next(&words), second = word_next(&words), more = word_next(&words);
    bool on = word_is(first, "on"), off = word_is(first, "off");
    struct word name = on || off ? second : first;
    if ((on || off ? more : second).length) {
        host_error("trace: on VM, off VM or VM is expected");
        return;
    }
    if (!name.length) {
        host_error("trace: the name of a VM is missing; 'list' shows them");
        return;
    }
    struct vm *vm = word_vm(name);
    if (!vm)
        return;
    if (!vm->cald)
        host_error("trace: %s is refused: %s", vm->config->name, vm->refused);
    else if (off)
        cald_vm_trace(vm->cald, false);
    else if (!on)
        show(vm);
    else if (cald_vm_trace(vm->cald, true))
        host_error("trace: no memory is left for the notes");
}
