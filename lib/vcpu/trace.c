/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/vcpu/trace.h"

#include "lib/vm/vm.h"
#include "host/host.h"

static void trace_stop(struct cald_vm *vm)
{
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct trace *trace = atomic_load(&vm->vcpus[n].trace);
        if (trace)
            atomic_store(&trace->on, 0);
    }
}

static int trace_start(struct cald_vm *vm)
{
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct cald_vcpu *vcpu = &vm->vcpus[n];
        struct trace *trace = atomic_load(&vcpu->trace);
        if (!trace)
            trace = host_pages_alloc(sizeof(*trace), HOST_PAGE_SIZE);
        if (!trace)
            return CALD_ENOMEM;
        atomic_store(&trace->on, 1);
        atomic_store(&vcpu->trace, trace);
    }
    return CALD_OK;
}

int cald_vm_trace(struct cald_vm *vm, bool on)
{
    if (on)
        return trace_start(vm);
    trace_stop(vm);
    return CALD_OK;
}

uint32_t cald_vcpu_traced(const struct cald_vcpu *vcpu)
{
    const struct trace *trace = atomic_load(&vcpu->trace);
    return trace ? atomic_load(&trace->count) : 0;
}

void cald_vcpu_trace(const struct cald_vcpu *vcpu, uint32_t n, struct cald_trace_entry *entry)
{
    const struct trace *trace = atomic_load(&vcpu->trace);
    if (trace)
        *entry = trace->entry[n % CALD_TRACE_ENTRIES];
    else
        *entry = (struct cald_trace_entry){0};
}

struct cald_trace_entry trace_describe(const struct cald_vcpu *vcpu, const struct exit *exit,
                                       uint64_t time)
{
    struct cald_trace_entry entry = {
        .time = time, .pc = vcpu->eng.pc, .reason = (uint8_t)exit->reason};
    switch (exit->reason) {
    case EXIT_SBI:
        entry.what = vcpu->eng.gpr[17];
        entry.more = (uint32_t)vcpu->eng.gpr[16];
        break;
    case EXIT_MMIO:
        entry.what = exit->gpa;
        entry.more = exit->access.width;
        entry.store = exit->access.store;
        break;
    case EXIT_FETCH_FAULT:
    case EXIT_UNDECODED:
    case EXIT_BREAKPOINT:
        entry.what = exit->gva;
        break;
    case EXIT_CSR:
    case EXIT_WFI:
    case EXIT_ILLEGAL:
        entry.what = exit->insn;
        break;
    default:
        entry.what = exit->cause;
    }
    return entry;
}

void trace_note(struct cald_vcpu *vcpu, struct cald_trace_entry *entry, uint64_t end)
{
    struct trace *trace = atomic_load_explicit(&vcpu->trace, memory_order_relaxed);
    uint64_t cost = end - entry->time;
    uint32_t count = atomic_load_explicit(&trace->count, memory_order_relaxed);
    entry->cost = cost > UINT16_MAX ? UINT16_MAX : (uint16_t)cost;
    trace->entry[count % CALD_TRACE_ENTRIES] = *entry;
    atomic_store_explicit(&trace->count, count + 1, memory_order_release);
}
