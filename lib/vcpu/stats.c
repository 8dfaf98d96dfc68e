/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vCPU has done, in numbers. */
#include "caldarium/caldarium.h"
#include "lib/vcpu/exit.h"
#include "host/host.h"

_Static_assert(EXIT_REASONS <= CALD_EXITS, "each has a place");

static const char *const exit_names[EXIT_REASONS] = {
    [EXIT_INTERRUPT] = "interrupt or kick",
    [EXIT_SBI] = "SBI call",
    [EXIT_MMIO] = "device register",
    [EXIT_FETCH_FAULT] = "fetch outside RAM",
    [EXIT_CSR] = "CSR access",
    [EXIT_WFI] = "wait for interrupt",
    [EXIT_ILLEGAL] = "illegal instruction",
    [EXIT_BREAKPOINT] = "breakpoint",
    [EXIT_UNDECODED] = "undecoded access",
    [EXIT_ERROR] = "error",
    [EXIT_HOT_SBI_BASE] = "SBI base (hot)",
    [EXIT_HOT_SBI_TIME] = "SBI timer (hot)",
    [EXIT_HOT_SBI_IPI] = "SBI IPI (hot)",
    [EXIT_HOT_SBI_RFENCE] = "SBI fence (hot)",
    [EXIT_HOT_SBI_MISSING] = "SBI call not there (hot)",
    [EXIT_HOT_KICK] = "kick (hot)",
    [EXIT_HOT_TIMER] = "timer (hot)",
    [EXIT_HOT_IRQCHIP] = "interrupt controller (hot)",
    [EXIT_HOT_UART] = "serial port (hot)",
    [EXIT_HOT_FILE] = "interrupt file (hot)",
    [EXIT_HOT_PRIVILEGED] = "privileged instruction (hot)",
    [EXIT_HOT_FILL] = "shadow fill (hot)",
    [EXIT_PAGE] = "page that is not there",
    [EXIT_HOT_TRAP] = "guest's own trap (hot)",
};

const char *cald_exit_name(uint32_t reason)
{
    return reason < EXIT_REASONS ? exit_names[reason] : "?";
}

/* A counter that another hart may be writing. */
static uint64_t counter(const uint64_t *at)
{
    return __atomic_load_n(at, __ATOMIC_RELAXED);
}

void cald_vcpu_stats(const struct cald_vcpu *vcpu, struct cald_stats *stats)
{
    uint64_t entered = counter(&vcpu->entered), now = host_time();
    *stats = (struct cald_stats){
        .guest = counter(&vcpu->ticks_guest) + (entered && entered < now ? now - entered : 0),
        .host = counter(&vcpu->ticks_host),
        .steal = counter(&vcpu->steal_ticks),
        .files = counter(&vcpu->imsic.files_had),
        .moved = atomic_load(&vcpu->imsic.moved),
        .has_file = vcpu->imsic.file != 0,
    };
    for (unsigned n = 0; n < EXIT_REASONS; n++)
        stats->exits[n] = counter(&vcpu->eng.exits[n]);
}

enum cald_trace_what cald_trace_what(uint32_t reason)
{
    switch (reason) {
    case EXIT_SBI:
        return CALD_TRACE_CALL;
    case EXIT_MMIO:
        return CALD_TRACE_ACCESS;
    case EXIT_FETCH_FAULT:
    case EXIT_UNDECODED:
    case EXIT_BREAKPOINT:
        return CALD_TRACE_ADDRESS;
    case EXIT_CSR:
    case EXIT_WFI:
    case EXIT_ILLEGAL:
        return CALD_TRACE_INSTRUCTION;
    }
    return CALD_TRACE_CAUSE;
}
