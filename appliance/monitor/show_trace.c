/* SPDX-License-Identifier: BSD-2-Clause */
/* `trace`: the last exits of a VM, all vCPUs in one row by time. */
#include <stdatomic.h>
#include <stdio.h>

#include "lib/vcpu/exit.h"
#include "appliance/monitor/monitor.h"
#include "appliance/monitor/show.h"
#include "appliance/monitor/words.h"
#include "lib/vcpu/trace.h"
#include "appliance/vm.h"
#include "host/host.h"

#define SHOWN 40
/* The oldest entries of a ring may be overwritten while it is read. */
#define READABLE (TRACE_ENTRIES * 3 / 4)

struct reader {
    uint32_t next, end; /* entries still to be shown */
};

static void describe(const struct trace_entry *e, char *out, size_t size)
{
    unsigned long what = e->what;
    switch (e->reason) {
    case EXIT_SBI:
        snprintf(out, size, "extension 0x%lx function %u", what, e->more);
        break;
    case EXIT_MMIO:
        snprintf(out, size, "%s, %u bytes, at 0x%lx", e->store ? "store" : "load", e->more, what);
        break;
    case EXIT_FETCH_FAULT:
    case EXIT_UNDECODED:
    case EXIT_BREAKPOINT:
        snprintf(out, size, "at 0x%lx", what);
        break;
    case EXIT_CSR:
    case EXIT_WFI:
    case EXIT_ILLEGAL:
        snprintf(out, size, "instruction %08lx", what);
        break;
    default:
        snprintf(out, size, "scause 0x%lx", what);
    }
}

static void show_entry(unsigned vcpu, const struct trace_entry *e)
{
    char what[80], cost[SHOW_TIME_TEXT];
    uint64_t hz = host_timebase();
    describe(e, what, sizeof(what));
    monitor_print("%5lu.%06lu  %4u  %10s  %016lx  %-20s  %s", (unsigned long)(e->time / hz),
                  (unsigned long)(e->time % hz * 1000000 / hz), vcpu, show_time(cost, e->cost),
                  (unsigned long)e->pc, cald_exit_name(e->reason), what);
}

/* The vCPU whose next entry is the oldest; -1: all are shown. */
static int oldest(const struct vm *vm, const struct reader *readers, uint64_t *time)
{
    int best = -1;
    for (unsigned n = 0; n < vm->cald->vcpu_count; n++) {
        const struct trace *trace = atomic_load(&vm->cald->vcpus[n].trace);
        if (!trace || readers[n].next == readers[n].end)
            continue;
        uint64_t when = trace->entry[readers[n].next % TRACE_ENTRIES].time;
        if (best < 0 || when < *time) {
            best = (int)n;
            *time = when;
        }
    }
    return best;
}

static void show(const struct vm *vm)
{
    struct reader readers[VM_MAX_VCPUS] = {0};
    uint64_t time = 0, total = 0;
    int vcpu;
    for (unsigned n = 0; n < vm->cald->vcpu_count; n++) {
        const struct trace *trace = atomic_load(&vm->cald->vcpus[n].trace);
        if (!trace)
            continue;
        readers[n].end = atomic_load(&trace->count);
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
    for (; (vcpu = oldest(vm, readers, &time)) >= 0; total--) {
        const struct trace *trace = atomic_load(&vm->cald->vcpus[vcpu].trace);
        struct trace_entry entry = trace->entry[readers[vcpu].next++ % TRACE_ENTRIES];
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
        trace_stop(vm->cald);
    else if (!on)
        show(vm);
    else if (!trace_start(vm->cald))
        host_error("trace: no memory is left for the notes");
}
