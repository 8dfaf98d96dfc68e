/* SPDX-License-Identifier: BSD-2-Clause */
/* A serial port in any state that the code can bring about, and its owner. */
#ifndef TESTS_PROOFS_UART_H
#define TESTS_PROOFS_UART_H

#include "lib/dev/ns16550a.h"
#include "tests/proofs/proof.h"

static struct ns16550a uart;
static uint8_t sent;
static unsigned sends, line_tells, taken_tells;

static inline bool uart_send(void *owner, uint8_t byte)
{
    holds(owner == &uart && uart.lock.next != uart.lock.serving);
    bool room = nondet_bool();
    sends += room;
    sent = byte;
    return room;
}

static inline size_t uart_room(void *owner)
{
    (void)owner;
    return nondet_u64();
}

static inline void uart_sent(void *owner)
{
    (void)owner;
    holds(uart.lock.next == uart.lock.serving); /* the console may be about to give us a byte */
}

static inline void uart_taken(void *owner)
{
    (void)owner;
    taken_tells++;
}

static inline void uart_irq(void *owner, bool data, enum ns16550a_empty empty)
{
    (void)owner, (void)data, (void)empty;
    line_tells++;
}

/* What holds between two calls. */
static inline bool uart_wellformed(void)
{
    return uart.lock.next == uart.lock.serving && uart.ier <= 0x0f && uart.mcr <= 0x1f &&
           !(uart.fcr & ~0xc9) && uart.fifo_head < NS16550A_FIFO &&
           uart.fifo_count <= (uart.fcr & 1 ? NS16550A_FIFO : 1) &&
           uart.rx_head < NS16550A_BACKLOG && uart.rx_count <= NS16550A_BACKLOG;
}

/* What was typed ahead is left out: `rx_count` is small. */
static inline void uart_any(unsigned typed)
{
    uart.owner = &uart;
    uart.send = uart_send;
    uart.room = uart_room;
    uart.sent = uart_sent;
    uart.taken = uart_taken;
    uart.irq = uart_irq;
    uart.ier = nondet_u8();
    uart.fcr = nondet_u8();
    uart.lcr = nondet_u8();
    uart.mcr = nondet_u8();
    uart.lsr_errors = nondet_u8() & 0x1e;
    uart.thre_pending = nondet_bool();
    uart.line_data = nondet_bool();
    uart.line_empty = nondet_bool();
    uart.full = nondet_bool();
    uart.fifo_head = (unsigned)below(NS16550A_FIFO);
    uart.fifo_count = (unsigned)below(NS16550A_FIFO + 1);
    uart.rx_head = (unsigned)below(NS16550A_BACKLOG);
    uart.rx_count = (unsigned)below(typed + 1);
    uart.rx_refused = nondet_bool();
    uart.frozen = nondet_bool();
    uart.ready = nondet_bool();
    for (unsigned n = 0; n < NS16550A_FIFO; n++)
        uart.fifo[n] = nondet_u8();
    assume(uart_wellformed());
}

#endif
