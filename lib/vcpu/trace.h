/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of a vCPU's last exits, noted while somebody wants it. Exits that an engine answers itself
 * (the hot ones) are counted, but not noted. */
#ifndef LIB_VCPU_TRACE_H
#define LIB_VCPU_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "caldarium/caldarium.h"
#include "lib/vcpu/vcpu.h"

/* Written by the vCPU's hart alone. Taken when it is first wanted, and kept. */
struct trace {
    _Atomic uint32_t on;
    _Atomic uint32_t count; /* entries ever written; entry n is at n % CALD_TRACE_ENTRIES */
    struct cald_trace_entry entry[CALD_TRACE_ENTRIES];
};

/* An exit, before it is handled and after. `on` says whether the first is worth a call. */
static inline bool trace_on(const struct cald_vcpu *vcpu)
{
    const struct trace *trace = atomic_load_explicit(&vcpu->trace, memory_order_acquire);
    return trace && atomic_load_explicit(&trace->on, memory_order_relaxed);
}
struct cald_trace_entry trace_describe(const struct cald_vcpu *vcpu, const struct exit *exit,
                                       uint64_t time);
void trace_note(struct cald_vcpu *vcpu, struct cald_trace_entry *entry, uint64_t end);

#endif
