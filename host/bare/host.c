/* SPDX-License-Identifier: BSD-2-Clause */
/* The rest of host/host.h on the bare machine: time, kicks, and the end. */
#include "host/host.h"

#include <stdarg.h>
#include <stdio.h>

#include "host/bare/board.h"
#include "host/bare/console.h"
#include "host/bare/firmware.h"
#include "host/bare/hart.h"
#include "host/bare/machine.h"
#include "host/bare/paging.h"
#include "riscv/asm.h"

uint64_t host_time(void)
{
    return csr_read(CSR_TIME);
}

uint64_t host_timebase(void)
{
    return board.timebase;
}

/* Nobody but guests has FP or vector registers here: Caldarium is compiled without. */
void host_fp_begin(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

void host_fp_end(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

void machine_poweroff(void)
{
    host_print("the machine is powered off");
    console_close(true);
    firmware_call(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_NONE, 0);
    firmware_call(SBI_EXT_LEGACY_SHUTDOWN, 0, 0, 0, 0);
    console_close(false);
    host_error("firmware can't power the machine off; this hart is stopped");
    for (;;)
        wait_for_interrupt();
}

void panic(const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    csr_write(CSR_SIE, 0);
    console_panic_mode();
    host_error("panic: %s", text);
    firmware_call(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_SYSTEM_FAILURE, 0);
    for (;;)
        wait_for_interrupt();
}

void host_panic(const char *text, size_t length)
{
    panic("%.*s", (int)length, text);
}

void host_line(enum host_severity severity, const char *text, size_t length)
{
    if (severity == HOST_ERROR)
        host_error("%.*s", (int)length, text);
    else
        host_print("%.*s", (int)length, text);
}

_Noreturn void host_trap_report(void);

void host_trap_report(void)
{
    uint64_t sepc = csr_read(CSR_SEPC);
    panic("trap in the hypervisor: scause %#lx sepc %#lx (caldarium.elf has it at %#lx) stval %#lx",
          csr_read(CSR_SCAUSE), sepc, paging_linked(sepc), csr_read(CSR_STVAL));
}

/* All guest memory of this host is there as long as its VM. */
enum cald_page_is host_guest_page(void *owner, uint64_t gpa, bool write, struct cald_page *page)
{
    (void)owner, (void)gpa, (void)write, (void)page;
    return CALD_PAGE_NOTHING;
}
