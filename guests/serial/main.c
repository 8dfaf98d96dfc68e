/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial port as a small kernel has it: what its registers hold at the start, and what an
 * interrupt handler sees that claims and completes at the PLIC and looks at nothing of the port
 * itself. A line each, `serial: NAME VALUE`; the same program runs on the bare board. What it
 * counts is printed afterwards, since firmware prints through the same port there.
 */
#include "guests/common/guest.h"

#define UART_BASE 0x10000000UL
#define UART_SOURCE 10
#define PLIC_BASE 0x0c000000UL
#define S_EXT (1UL << 9)
#define ENOUGH 50 /* interrupts that nobody asked for: the handler shuts the port then */

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define IER_DATA 0x01
#define IER_EMPTY 0x02
#define LCR_DLAB 0x80
#define MCR_LOOP 0x10

void guest_main(uint64_t hart, uint64_t tree);

static volatile uint8_t *const uart = (volatile uint8_t *)UART_BASE;
static volatile uint32_t *claim;
static volatile unsigned taken;

static volatile uint32_t *plic(uint64_t offset)
{
    return (volatile uint32_t *)(PLIC_BASE + offset);
}

static void __attribute__((interrupt("supervisor"), aligned(4))) trap(void)
{
    uint32_t source = *claim;
    if (!source)
        return;
    if (++taken >= ENOUGH)
        uart[IER] = 0;
    *claim = source;
}

/* Interrupts until now, once the hart had time for more than are right. */
static unsigned counted(void)
{
    for (unsigned n = 0; n < 20000; n++)
        (void)csr_read(CSR_SSCRATCH);
    unsigned count = taken;
    taken = 0;
    return count;
}

static void put(char byte)
{
    while (!(uart[LSR] & 0x20)) {
    }
    uart[DATA] = (uint8_t)byte;
}

static void registers(void)
{
    unsigned ier = uart[IER], iir = uart[IIR], lcr = uart[LCR], mcr = uart[MCR];
    unsigned lsr = uart[LSR], msr = uart[MSR], scr = uart[SCR];
    uart[LCR] = LCR_DLAB;
    unsigned low = uart[DATA], high = uart[IER];
    uart[LCR] = (uint8_t)lcr;
    guest_print("serial: ier %x\nserial: iir %x\nserial: lcr %x\nserial: mcr %x\n", ier, iir, lcr,
                mcr);
    guest_print("serial: lsr %x\nserial: msr %x\nserial: scr %x\nserial: divisor %u\n", lsr, msr,
                scr, high << 8 | low);
}

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)tree;
    registers();
    claim = plic(0x201004 + 0x2000 * hart);
    *plic(4 * UART_SOURCE) = 1;
    *plic(0x2080 + 0x100 * hart) = 1u << UART_SOURCE;
    *plic(0x201000 + 0x2000 * hart) = 0; /* firmware leaves the threshold at the highest */
    csr_write(CSR_STVEC, (uint64_t)trap);
    csr_write(CSR_SIE, S_EXT);
    csr_set(CSR_SSTATUS, SSTATUS_SIE);

    uart[IER] = IER_DATA | IER_EMPTY;
    unsigned enabled = counted();
    put('x');
    unsigned one = counted();
    put('y');
    unsigned two = counted();
    uart[IER] = IER_DATA;
    unsigned off = counted();
    uart[IER] = IER_DATA | IER_EMPTY;
    unsigned again = counted();
    unsigned named = uart[IIR] & 0x0f, read = uart[IIR] & 0x0f;
    put('z');
    unsigned after = counted();
    uart[IER] = 0;
    counted();
    /* What came in and is not taken: a level. */
    uart[MCR] = MCR_LOOP;
    uart[DATA] = 'l';
    uart[IER] = IER_DATA;
    unsigned data = counted();
    uart[IER] = 0;
    (void)uart[DATA];
    uart[MCR] = 0;
    csr_write(CSR_SIE, 0);
    guest_print("\nserial: empty-enabled %u\nserial: empty-sent %u\nserial: empty-sent-again %u\n",
                enabled, one, two);
    guest_print("serial: empty-off %u\nserial: empty-on-again %u\nserial: iir-first %x\n", off,
                again, named);
    guest_print("serial: iir-then %x\nserial: empty-after-iir %u\nserial: data %u\n", read, after,
                data);
    guest_print("serial: done\n");
    guest_poweroff();
}
