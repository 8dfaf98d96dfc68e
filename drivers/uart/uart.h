/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board's serial port, polled for output, with an interrupt for input where the device has one.
 * The host finds the node, maps the registers and fills in `struct uart`; the driver keeps the
 * speed and the frame that firmware has set.
 */
#ifndef DRIVERS_UART_UART_H
#define DRIVERS_UART_UART_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "riscv/sbi.h"

struct uart;

#define UART_BREAK 0x100 /* instead of a byte: the line was held low for longer than one */

struct uart_driver {
    const char *name;
    const char *const *compatible; /* ends with NULL; NULL itself: in no device tree */

    /* FIFO on, interrupts off. False: the port can't be used. */
    bool (*init)(struct uart *uart);

    /* How many bytes can be sent now without waiting. */
    unsigned (*room)(struct uart *uart);

    /* Sends a byte, for which there is room. */
    void (*send)(struct uart *uart, uint8_t byte);

    /* A byte that came in, UART_BREAK where the port can tell, or -1 if there is neither. */
    int (*get)(struct uart *uart);

    /* Lets the port interrupt while a byte is there to be taken, and while there is room for all it
     * can hold, or not. False: it can't interrupt, poll it. */
    bool (*interrupt)(struct uart *uart, bool received, bool empty);

    bool blocks; /* room() promises nothing: send() returns when the byte is out */
};

/* An SBI call to the firmware with three arguments. */
typedef struct sbi_ret (*uart_sbi_call)(uint64_t extension, uint64_t function, uint64_t a0,
                                        uint64_t a1, uint64_t a2);

struct uart {
    const struct uart_driver *driver;
    volatile void *base;     /* mapped registers */
    unsigned reg_shift;      /* registers are 1 << reg_shift bytes apart */
    unsigned reg_width;      /* bytes of one access: 1 (also if 0), 2 or 4 */
    unsigned depth;          /* bytes that an empty transmitter takes */
    bool interrupts;         /* the host's: its interrupt line is connected */
    bool stuck;              /* output timed out: don't wait again until the port moves on */
    _Atomic uint32_t broken; /* the driver's: a break was seen, its byte has not been taken */

    /* For uart_sbi alone, set by the host: the call, and the physical address of `sbi_byte`, into
     * which the firmware reads. With 0 there, input comes from the legacy call. */
    uart_sbi_call sbi;
    uint64_t sbi_byte_pa;
    volatile uint8_t sbi_byte;
    bool sbi_dbcn; /* firmware has the debug console extension */
};

/* The driver for a "compatible" property (a string list of `bytes`), most specific first; NULL if
 * none of the names is known. */
const struct uart_driver *uart_find(const char *compatible, size_t bytes);

/* Sends a byte. Waits for room, but not for ever: then the byte is lost. */
void uart_put(struct uart *uart, uint8_t byte);

/* The drivers. uart_sbi is chosen by the host where no port is found or `console=sbi` asks. */
extern const struct uart_driver uart_ns16550a, uart_dw_apb, uart_xscale, uart_sifive, uart_sbi;

/* How often a full transmitter is looked at before a byte is given up: some 10 to 100 ms, where a
 * 16-byte FIFO at 115200 baud drains in 1.4 ms. */
#define UART_PATIENCE 100000u

#endif
