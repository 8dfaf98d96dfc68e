/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port, polled: an ns16550 of the board's, or the firmware's (SBI DBCN, or the calls
 * before it). Our own lines go out whole, between the guest's. */
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

/* Our lines that wait for the end of the guest's, `lock` held. */
static char waiting[4096];
static size_t waits;
static uint64_t guest_wrote; /* when the guest did last */

static void put_all(const char *text, size_t length)
{
    for (size_t n = 0; n < length; n++)
        put(text[n]);
}

static void put_waiting(void)
{
    if (waits && in_line)
        put_all("\r\n", 2);
    put_all(waiting, waits);
    waits = 0;
}

void console_guest(const char *bytes, size_t count)
{
    uint64_t irq = spin_lock(&lock);
    for (size_t n = 0; n < count; n++) {
        put(bytes[n]);
        if (!in_line)
            put_waiting();
    }
    guest_wrote = now();
    spin_unlock(&lock, irq);
}

void console_flush(void)
{
    uint64_t irq = spin_lock(&lock);
    put_waiting();
    spin_unlock(&lock, irq);
}

/* A guest that has not ended its line for so long shows a prompt. */
static bool guest_is_busy(void)
{
    return in_line && now() - guest_wrote < board.timebase / 10;
}

void print_line(const char *text, size_t length)
{
    static const char lead[] = "embed: ";
    uint64_t irq = spin_lock(&lock);
    if (sizeof(waiting) - waits < sizeof(lead) + length + 2)
        put_waiting();
    memcpy(waiting + waits, lead, sizeof(lead) - 1);
    memcpy(waiting + waits + sizeof(lead) - 1, text, length);
    memcpy(waiting + waits + sizeof(lead) - 1 + length, "\r\n", 2);
    waits += sizeof(lead) - 1 + length + 2;
    if (!guest_is_busy())
        put_waiting();
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
