/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's serial port: a National Semiconductor 16550A with FIFOs, interrupts and loopback, at
 * register shift 0, byte-wide. Source: PC16550D data sheet. What it sends goes to its owner at
 * once; the transmitter is empty unless the owner has no more room. What a person types is put in
 * by ns16550a_receive(). Its own lock guards it, since any vCPU and the console's hart may touch
 * it.
 */
#ifndef LIB_DEV_NS16550A_H
#define LIB_DEV_NS16550A_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "riscv/lock.h"

#define NS16550A_FIFO 16
#define NS16550A_BACKLOG 4096 /* typed ahead of the 16-byte FIFO */
#define NS16550A_BREAK 0x100  /* received instead of a byte: a break on the line */

/*
 * What the wire shows of the transmitter. A kernel that never reads IIR is interrupted once each
 * time that the transmitter becomes empty or its interrupt is enabled, although by the data sheet
 * the level would hold until then: that is what boards with edge-like gateways have let kernels
 * get away with. An owner whose interrupt controller knows levels alone takes EMPTY as high.
 */
enum ns16550a_empty {
    NS16550A_FULL,   /* no interrupt because of it */
    NS16550A_EMPTY,  /* as the owner was told before */
    NS16550A_EMPTIED /* from now on, or once more */
};

struct ns16550a {
    struct lock lock;
    uint8_t ier, fcr, lcr, mcr, scr, dll, dlm, lsr_errors;
    bool thre_pending;          /* the transmitter-empty interrupt has not been read away yet */
    bool line_data, line_empty; /* the two reasons to interrupt, as last told */
    uint8_t fifo[NS16550A_FIFO];
    unsigned fifo_head, fifo_count;
    uint16_t rx[NS16550A_BACKLOG]; /* bytes, or NS16550A_BREAK */
    unsigned rx_head, rx_count;
    bool rx_refused;       /* somebody had a byte for which there was no room */
    bool frozen, ready;    /* nothing comes in for now; and ns16550a_ready() would have */
    _Atomic uint32_t full; /* the owner has no room: the transmitter is not empty */
    void *owner;
    /* Set by the owner. The first two are called with the lock held: `send` takes a byte, or not
     * for now (false); `room` tells how many more. `sent` comes afterwards, without the lock. */
    bool (*send)(void *owner, uint8_t byte);
    size_t (*room)(void *owner);
    bool (*hurry)(void *owner, uint8_t byte); /* as `send`, if `sent` need not be called after it */
    void (*sent)(void *owner);
    void (*taken)(void *owner); /* with the lock held: there is room for received bytes again */
    /* Set by the owner, called with the lock held: `data` is a level. */
    void (*irq)(void *owner, bool data, enum ns16550a_empty empty);
};

/* The state after reset. Leaves owner, send and irq as they are, and lowers no line: whoever resets
 * the port resets the PLIC too. */
void ns16550a_init(struct ns16550a *uart);

/* False: no register there at this width (only 1-byte accesses; wider ones read the byte, as QEMU
 * does for 4-byte accesses to the same address: value in the low byte, zero above). */
bool ns16550a_read(struct ns16550a *uart, uint32_t offset, unsigned width, uint64_t *value);

/* AGAIN: the owner has no room for a byte that the guest sends although the transmitter is not
 * empty. Nothing has happened; the guest has to try once more. */
enum ns16550a_answer { NS16550A_NONE, NS16550A_DONE, NS16550A_AGAIN };
enum ns16550a_answer ns16550a_write(struct ns16550a *uart, uint32_t offset, unsigned width,
                                    uint64_t value);

/*
 * The plain cases of two registers, for callers that may not wait. The line status: -1: it takes
 * the long way. A byte to send: false: the long way, nothing has happened. `hurry` answers whether
 * the owner has taken it, with nothing more to be done.
 */
#define NS16550A_DATA 0
#define NS16550A_LSR 5
int ns16550a_status_now(struct ns16550a *uart);
bool ns16550a_send_now(struct ns16550a *uart, uint8_t byte);

/* The owner has room again: the transmitter is empty, if it was not. Any hart. */
void ns16550a_ready(struct ns16550a *uart);

/* A byte from the outside, or NS16550A_BREAK. False: the backlog is full and the byte was not
 * taken; taken() is called when half of the backlog has been read. */
bool ns16550a_receive(struct ns16550a *uart, uint16_t byte);

/* While it is frozen, nothing from the outside changes it: its state is being read or written. */
void ns16550a_freeze(struct ns16550a *uart, bool frozen);

/* Takes a received byte past the registers, for the SBI console. False: there is none. */
bool ns16550a_take(struct ns16550a *uart, uint8_t *byte);

/* ns16550a_items.c: its state by number, CALD_UART_* of include/caldarium/caldarium.h. */
int ns16550a_get(struct ns16550a *uart, uint32_t index, uint64_t *value);
int ns16550a_set(struct ns16550a *uart, uint32_t index, uint64_t value);

#endif
