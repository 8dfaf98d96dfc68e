/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port, polled: an ns16550 of the board's, or the firmware's (SBI DBCN, or the calls
 * before it). Our own lines go out whole, and begin where a line begins, whatever the guest has
 * printed. */
#include "embed.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SBI_PUTCHAR 1
#define SBI_GETCHAR 2
#define SBI_DBCN 0x4442434E
#define LSR 5
#define LSR_DATA 1
#define LSR_EMPTY 0x20

static volatile uint8_t *port;
static bool has_dbcn, in_line;
static struct spinlock lock;

static uint8_t port_read(unsigned reg)
{
    volatile uint8_t *at = port + (reg << board.uart_shift);
    return board.uart_width == 4 ? (uint8_t) * (volatile uint32_t *)at : *at;
}

static void port_write(unsigned reg, uint8_t value)
{
    volatile uint8_t *at = port + (reg << board.uart_shift);
    if (board.uart_width == 4)
        *(volatile uint32_t *)at = value;
    else
        *at = value;
}

void console_begin(void)
{
    has_dbcn = sbi(0x10, 3, SBI_DBCN, 0, 0).value != 0; /* probe_extension */
    if (board.uart)
        port = paging_map_device(board.uart);
}

static void put(char byte)
{
    if (port) {
        while (!(port_read(LSR) & LSR_EMPTY)) {
        }
        port_write(0, (uint8_t)byte);
    } else {
        sbi(has_dbcn ? SBI_DBCN : SBI_PUTCHAR, 2, (uint8_t)byte, 0, 0);
    }
    in_line = byte != '\n';
}

int console_read(void)
{
    if (port)
        return port_read(LSR) & LSR_DATA ? port_read(0) : -1;
    if (!has_dbcn)
        return (int)sbi(SBI_GETCHAR, 0, 0, 0, 0).error;
    static uint8_t byte; /* of the image's, whose physical address is known */
    return sbi(SBI_DBCN, 1, 1, pa_of(&byte), 0).value == 1 ? byte : -1;
}

void console_guest(const char *bytes, size_t count)
{
    uint64_t irq = spin_lock(&lock);
    for (size_t n = 0; n < count; n++)
        put(bytes[n]);
    spin_unlock(&lock, irq);
}

void print(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    print_line(text, strlen(text));
}

void print_line(const char *text, size_t length)
{
    uint64_t irq = spin_lock(&lock);
    for (const char *at = in_line ? "\r\nembed: " : "embed: "; *at; at++)
        put(*at);
    for (size_t n = 0; n < length; n++)
        put(text[n]);
    put('\r'), put('\n');
    spin_unlock(&lock, irq);
}
