/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The 16550 family. Sources: PC16550D data sheet; for "snps,dw-apb-uart", the DesignWare
 * DW_apb_uart databook (busy detection and its interrupt); for "intel,xscale-uart" and its kin, the
 * Intel PXA27x developer's manual, chapter "UARTs" (IER bits 6 and 4).
 */
#include "drivers/mmio.h"
#include "drivers/uart/uart.h"

enum reg {
    REG_DATA = 0,
    REG_IER = 1,
    REG_IIR = 2, /* reads */
    REG_FCR = 2, /* writes */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_USR = 31 /* DW_apb_uart alone */
};

#define IER_RX 0x01
#define IER_EMPTY 0x02
#define IER_TIMEOUT 0x10 /* XScale: bytes below the trigger level interrupt too */
#define IER_UNIT 0x40    /* XScale: the unit is on */
#define FCR_ENABLE 0x01  /* and trigger level 0: interrupt at the first byte */
#define LCR_DLAB 0x80
#define MCR_DTR_RTS_OUT2 0x0b /* OUT2 gates the interrupt on PC-like boards */
#define LSR_DATA 0x01
#define LSR_BREAK 0x10
#define LSR_THRE 0x20
#define FIFO_DEPTH 16 /* or more */
#define IIR_FIFO 0xc0 /* both bits: FIFOs work */
#define IIR_MASK 0x0f
#define IIR_BUSY 0x07
#define IIR_TIMEOUT 0x0c

static volatile uint8_t *reg_at(const struct uart *uart, enum reg reg)
{
    return (volatile uint8_t *)uart->base + ((size_t)reg << uart->reg_shift);
}

static uint8_t reg_read(const struct uart *uart, enum reg reg)
{
    switch (uart->reg_width) {
    case 4:
        return (uint8_t)mmio_read32(reg_at(uart, reg));
    case 2:
        return (uint8_t)mmio_read16(reg_at(uart, reg));
    default:
        return mmio_read8(reg_at(uart, reg));
    }
}

static void reg_write(const struct uart *uart, enum reg reg, uint8_t value)
{
    switch (uart->reg_width) {
    case 4:
        mmio_write32(reg_at(uart, reg), value);
        break;
    case 2:
        mmio_write16(reg_at(uart, reg), value);
        break;
    default:
        mmio_write8(reg_at(uart, reg), value);
    }
}

static bool init(struct uart *uart, uint8_t ier)
{
    /* A register wider than its slot, or slots beyond any real part: the tree is wrong. */
    if (uart->reg_shift > 3 || uart->reg_width > 4 || uart->reg_width == 3 ||
        uart->reg_width > 1u << uart->reg_shift)
        return false;

    /* Written only if it must be: DW_apb_uart refuses it while a byte is on the wire. */
    uint8_t lcr = reg_read(uart, REG_LCR);
    if (lcr & LCR_DLAB)
        reg_write(uart, REG_LCR, lcr & (uint8_t)~LCR_DLAB);
    reg_write(uart, REG_IER, ier);
    reg_write(uart, REG_FCR, FCR_ENABLE);
    reg_write(uart, REG_MCR, MCR_DTR_RTS_OUT2);
    uart->depth = (reg_read(uart, REG_IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_DEPTH : 1;
    return true;
}

static bool ns16550a_init(struct uart *uart)
{
    return init(uart, 0);
}

/* Never off, not even for a moment: what firmware said last may still be on its way out. */
static bool xscale_init(struct uart *uart)
{
    return init(uart, IER_UNIT);
}

/*
 * Reading the line status clears its error bits (data sheet, "Line Status Register"), and who sends
 * reads it too, on any hart: a break is noted until its byte is taken. That byte is a zero, and may
 * come behind others: some ports show a break at once, not when it is on top of the FIFO.
 */
static uint8_t line_status(struct uart *uart)
{
    uint8_t lsr = reg_read(uart, REG_LSR);
    if (lsr & LSR_BREAK)
        atomic_store(&uart->broken, 1);
    return lsr;
}

/* The byte on top, after line_status() has shown that there is one. */
static int take(struct uart *uart)
{
    uint8_t byte = reg_read(uart, REG_DATA);
    return !byte && atomic_exchange(&uart->broken, 0) ? UART_BREAK : byte;
}

/* THRE says that the FIFO is empty, where there is one (data sheet, "Line Status Register"). */
static unsigned ns16550a_room(struct uart *uart)
{
    return line_status(uart) & LSR_THRE ? uart->depth : 0;
}

static void ns16550a_send(struct uart *uart, uint8_t byte)
{
    reg_write(uart, REG_DATA, byte);
}

static int ns16550a_get(struct uart *uart)
{
    return line_status(uart) & LSR_DATA ? take(uart) : -1;
}

/*
 * DW_apb_uart raises two interrupts that reading data doesn't end: "busy detect", ended by reading
 * USR, and at times a receive time-out with nothing in the FIFO, ended by reading it all the same.
 */
static int dw_apb_get(struct uart *uart)
{
    int byte = ns16550a_get(uart);
    if (byte >= 0)
        return byte;

    switch (reg_read(uart, REG_IIR) & IIR_MASK) {
    case IIR_BUSY:
        reg_read(uart, REG_USR);
        break;
    case IIR_TIMEOUT:
        /* A byte may have come between the two looks. */
        if (line_status(uart) & LSR_DATA)
            return take(uart);
        reg_read(uart, REG_DATA);
        break;
    }
    return -1;
}

static bool ns16550a_interrupt(struct uart *uart, bool received, bool empty)
{
    reg_write(uart, REG_IER, (received ? IER_RX : 0) | (empty ? IER_EMPTY : 0));
    return true;
}

static bool xscale_interrupt(struct uart *uart, bool received, bool empty)
{
    reg_write(uart, REG_IER,
              IER_UNIT | (received ? IER_TIMEOUT | IER_RX : 0) | (empty ? IER_EMPTY : 0));
    return true;
}

static const char *const ns16550a_names[] = {"ns16550a", "ns16550", NULL};
static const char *const dw_apb_names[] = {"snps,dw-apb-uart", NULL};
static const char *const xscale_names[] = {"intel,xscale-uart", "spacemit,k1-uart", NULL};

const struct uart_driver uart_ns16550a = {
    .name = "ns16550a",
    .compatible = ns16550a_names,
    .init = ns16550a_init,
    .room = ns16550a_room,
    .send = ns16550a_send,
    .get = ns16550a_get,
    .interrupt = ns16550a_interrupt,
};

const struct uart_driver uart_dw_apb = {
    .name = "dw-apb-uart",
    .compatible = dw_apb_names,
    .init = ns16550a_init,
    .room = ns16550a_room,
    .send = ns16550a_send,
    .get = dw_apb_get,
    .interrupt = ns16550a_interrupt,
};

const struct uart_driver uart_xscale = {
    .name = "xscale",
    .compatible = xscale_names,
    .init = xscale_init,
    .room = ns16550a_room,
    .send = ns16550a_send,
    .get = ns16550a_get,
    .interrupt = xscale_interrupt,
};
