/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port's state by number: CALD_UART_* of include/caldarium/caldarium.h. Its owner is
 * told of nothing: what its interrupt controller knows of the wire is state of that. */
#include "caldarium/caldarium.h"
#include "lib/dev/ns16550a.h"

/* A register, or a flag, of one byte, and the bits that it can have; NULL: it is none of these. */
static uint8_t *byte_at(struct ns16550a *uart, uint32_t index, uint8_t *bits)
{
    *bits = 0xff;
    switch (index) {
    case CALD_UART_IER:
        *bits = 0x0f;
        return &uart->ier;
    case CALD_UART_FCR:
        *bits = 0xc9; /* the reset bits clear themselves */
        return &uart->fcr;
    case CALD_UART_LCR:
        return &uart->lcr;
    case CALD_UART_MCR:
        *bits = 0x1f;
        return &uart->mcr;
    case CALD_UART_SCR:
        return &uart->scr;
    case CALD_UART_DLL:
        return &uart->dll;
    case CALD_UART_DLM:
        return &uart->dlm;
    case CALD_UART_ERRORS:
        *bits = 0x1e;
        return &uart->lsr_errors;
    }
    return NULL;
}

static bool *flag_at(struct ns16550a *uart, uint32_t index)
{
    switch (index) {
    case CALD_UART_THRE:
        return &uart->thre_pending;
    case CALD_UART_LINE_DATA:
        return &uart->line_data;
    case CALD_UART_LINE_EMPTY:
        return &uart->line_empty;
    }
    return NULL;
}

static uint8_t *fifo_at(struct ns16550a *uart, uint32_t index)
{
    uint32_t n = index - CALD_UART_FIFO;
    return index >= CALD_UART_FIFO && n < NS16550A_FIFO
               ? &uart->fifo[(uart->fifo_head + n) % NS16550A_FIFO]
               : NULL;
}

static uint16_t *typed_at(struct ns16550a *uart, uint32_t index)
{
    uint32_t n = index - CALD_UART_TYPED;
    return index >= CALD_UART_TYPED && n < NS16550A_BACKLOG
               ? &uart->rx[(uart->rx_head + n) % NS16550A_BACKLOG]
               : NULL;
}

/* Of what was typed only what waits is there; the FIFO shows its last byte after that was read. */
static int get(struct ns16550a *uart, uint32_t index, uint64_t *value)
{
    uint8_t bits;
    const bool *flag;
    if (byte_at(uart, index, &bits))
        *value = *byte_at(uart, index, &bits);
    else if ((flag = flag_at(uart, index)))
        *value = *flag;
    else if (fifo_at(uart, index))
        *value = *fifo_at(uart, index);
    else if (typed_at(uart, index) && index - CALD_UART_TYPED < uart->rx_count)
        *value = *typed_at(uart, index);
    else if (index == CALD_UART_FIFO_COUNT)
        *value = uart->fifo_count;
    else if (index == CALD_UART_TYPED_COUNT)
        *value = uart->rx_count;
    else if (index == CALD_UART_FULL)
        *value = atomic_load(&uart->full);
    else
        return CALD_ENOENT;
    return CALD_OK;
}

/* The largest value that an item can have. */
static uint64_t limit(struct ns16550a *uart, uint32_t index)
{
    uint8_t bits;
    if (byte_at(uart, index, &bits) || fifo_at(uart, index))
        return UINT8_MAX;
    if (typed_at(uart, index))
        return NS16550A_BREAK;
    if (index == CALD_UART_FIFO_COUNT)
        return NS16550A_FIFO;
    if (index == CALD_UART_TYPED_COUNT)
        return NS16550A_BACKLOG;
    return flag_at(uart, index) || index == CALD_UART_FULL ? 1 : UINT64_MAX;
}

static int set(struct ns16550a *uart, uint32_t index, uint64_t value)
{
    uint8_t bits;
    if (value > limit(uart, index))
        return CALD_EINVAL;
    if (byte_at(uart, index, &bits))
        *byte_at(uart, index, &bits) = (uint8_t)value & bits;
    else if (flag_at(uart, index))
        *flag_at(uart, index) = value;
    else if (fifo_at(uart, index))
        *fifo_at(uart, index) = (uint8_t)value;
    else if (typed_at(uart, index))
        *typed_at(uart, index) = (uint16_t)value;
    else if (index == CALD_UART_FIFO_COUNT)
        uart->fifo_count = (unsigned)value;
    else if (index == CALD_UART_TYPED_COUNT)
        uart->rx_count = (unsigned)value;
    else if (index == CALD_UART_FULL)
        atomic_store(&uart->full, (uint32_t)value);
    else
        return CALD_ENOENT;
    return CALD_OK;
}

int ns16550a_get(struct ns16550a *uart, uint32_t index, uint64_t *value)
{
    lock_take(&uart->lock);
    int error = get(uart, index, value);
    lock_release(&uart->lock);
    return error;
}

int ns16550a_set(struct ns16550a *uart, uint32_t index, uint64_t value)
{
    lock_take(&uart->lock);
    int error = set(uart, index, value);
    lock_release(&uart->lock);
    /* How much room its owner has now nobody knows of the one that was: the guest is told that the
     * transmitter has become empty, and finds it full again if it is. */
    if (!error && index == CALD_UART_FULL && value)
        ns16550a_ready(uart);
    return error;
}
