/* SPDX-License-Identifier: BSD-2-Clause */
/* Finds the driver for a serial port by its "compatible" property. */
#include "drivers/uart/uart.h"

#include <string.h>

static const struct uart_driver *const drivers[] = {&uart_ns16550a, &uart_dw_apb, &uart_xscale,
                                                    &uart_sifive};

static const struct uart_driver *find_one(const char *name)
{
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        for (const char *const *known = drivers[i]->compatible; *known; known++) {
            if (strcmp(*known, name) == 0)
                return drivers[i];
        }
    }
    return NULL;
}

const struct uart_driver *uart_find(const char *compatible, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        const char *end = memchr(compatible + at, 0, bytes - at);
        if (!end)
            return NULL; /* the list's last string has no end: no name to trust */
        const struct uart_driver *driver = find_one(compatible + at);
        if (driver)
            return driver;
        at = (size_t)(end - compatible) + 1;
    }
    return NULL;
}

void uart_put(struct uart *uart, uint8_t byte)
{
    unsigned left = uart->stuck ? 1 : UART_PATIENCE;

    while (!uart->driver->room(uart)) {
        if (--left == 0) {
            uart->stuck = true;
            return;
        }
    }
    uart->stuck = false;
    uart->driver->send(uart, byte);
}
