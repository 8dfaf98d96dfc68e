/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of a vCPU's last exits, noted while somebody wants it. Exits that an engine answers itself
 * (the hot ones) are counted, but not noted. */
#ifndef LIB_VCPU_TRACE_H
#define LIB_VCPU_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/vcpu/vcpu.h"

#define TRACE_ENTRIES 256

struct trace_entry {
    uint64_t time; /* host time when the guest was left */
    uint64_t pc;   /* the guest's, then */
    uint64_t what; /* SBI: extension; MMIO, faults: address; else the instruction, or scause */
    uint32_t more; /* SBI: function; MMIO: width in bytes */
    uint16_t cost; /* host ticks in the handler, at most 65535 */
    uint8_t reason;
    bool store;
};

/* Written by the vCPU's hart alone. Taken when it is first wanted, and kept. */
struct trace {
    _Atomic uint32_t on;
    _Atomic uint32_t count; /* entries ever written; entry n is at n % TRACE_ENTRIES */
    struct trace_entry entry[TRACE_ENTRIES];
};

/* False: no memory. Callers are serialised. */
bool trace_start(struct cald_vm *vm);
void trace_stop(struct cald_vm *vm);

/* An exit, before it is handled and after. `on` says whether the first is worth a call. */
static inline bool trace_on(const struct cald_vcpu *vcpu)
{
    const struct trace *trace = atomic_load_explicit(&vcpu->trace, memory_order_acquire);
    return trace && atomic_load_explicit(&trace->on, memory_order_relaxed);
}
struct trace_entry trace_describe(const struct cald_vcpu *vcpu, const struct exit *exit,
                                  uint64_t time);
void trace_note(struct cald_vcpu *vcpu, struct trace_entry *entry, uint64_t end);

#endif
