/* SPDX-License-Identifier: BSD-2-Clause */
#include "caldarium/caldarium.h"
#include "lib/vcpu/exit.h"

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
