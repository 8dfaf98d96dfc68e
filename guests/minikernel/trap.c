/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/minikernel/mini.h"

#define TICKS_PER_SECOND 100
#define TIMEBASE 10000000UL /* what QEMU's virt has; only the length of a tick depends on it */

enum { SYSCALL_WAIT };

void mini_trap_handle(struct frame *frame);

bool mini_spins; /* the user program's wait returns at once */
static struct {
    bool on;
    int64_t cause;
    uint64_t tval;
} expected[HARTS];

static void on_timer(void)
{
    this_hart()->ticks++;
    guest_sbi(SBI_EXT_TIME, 0, csr_read(CSR_TIME) + TIMEBASE / TICKS_PER_SECOND, 0, 0, 0);
}

static void on_external(void)
{
    uint32_t source;
    while ((source = plic_claim())) {
        if (source == console_irq)
            console_interrupt();
        else if (source == disk_irq)
            disk_interrupt();
        else if (source == shared_irq)
            shared_interrupt();
        else
            console_print("mini: interrupt of source %u, which is nobody's\n", (uint64_t)source);
        plic_complete(source);
    }
}

void trap_serve(void)
{
    uint64_t pending = csr_read(CSR_SIP) & csr_read(CSR_SIE);
    if (pending & IRQ_BIT(IRQ_S_SOFT)) {
        csr_clear(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
        this_hart()->ipis++;
    }
    if (pending & IRQ_BIT(IRQ_S_TIMER))
        on_timer();
    if (pending & IRQ_BIT(IRQ_S_EXT))
        on_external();
}

int64_t trap_expect(void (*probe)(void *), void *with, uint64_t *tval)
{
    uint64_t me = this_hart()->id;
    expected[me].cause = -1;
    expected[me].on = true;
    probe(with);
    expected[me].on = false;
    *tval = expected[me].tval;
    return expected[me].cause;
}

static void on_syscall(struct frame *frame)
{
    frame->x[0] += 4;
    if (frame->x[17] == SYSCALL_WAIT && !mini_spins) {
        this_hart()->waits++;
        if (!(csr_read(CSR_SIP) & csr_read(CSR_SIE)))
            wait_for_interrupt();
    }
}

void mini_trap_handle(struct frame *frame)
{
    uint64_t cause = csr_read(CSR_SCAUSE), me = this_hart()->id;
    if (cause & CAUSE_INTERRUPT) {
        trap_serve();
    } else if (cause == CAUSE_USER_ECALL) {
        on_syscall(frame);
    } else if (expected[me].on) {
        expected[me].cause = (int64_t)cause;
        expected[me].tval = csr_read(CSR_STVAL);
        frame->x[0] += 4;
    } else {
        console_print("mini: hart %u: exception %u at %x, value %x\n", me, cause, frame->x[0],
                      csr_read(CSR_STVAL));
        guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_SYSTEM_FAILURE, 0, 0);
    }
}
