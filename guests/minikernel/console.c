/* SPDX-License-Identifier: BSD-2-Clause */
/* A ns16550a with interrupts for what comes in, and a line that is edited no further than
 * backspace. */
#include <stdarg.h>

#include "guests/minikernel/mini.h"

enum { RBR = 0, THR = 0, IER = 1, LSR = 5 };
#define LSR_DATA 1
#define LSR_EMPTY 0x20

uint32_t console_irq;
static volatile uint8_t *base;
static char line[80];
static unsigned used;

static void put(char c)
{
    if (c == '\n')
        put('\r');
    while (!(base[LSR] & LSR_EMPTY)) {
    }
    base[THR] = (uint8_t)c;
}

static void put_number(uint64_t value, unsigned radix)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % radix];
        value /= radix;
    } while (value);
    while (count)
        put(digits[--count]);
}

void console_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
        } else if (*++format == 's') {
            for (const char *s = va_arg(args, const char *); *s; s++)
                put(*s);
        } else {
            put_number(va_arg(args, uint64_t), *format == 'x' ? 16 : 10);
        }
    }
    va_end(args);
}

void console_init(uint64_t tree)
{
    struct guest_node node;
    if (!guest_tree_find(tree, "ns16550a", 0, &node))
        guest_poweroff();
    base = (volatile uint8_t *)node.base;
    console_irq = node.interrupt;
    plic_enable(console_irq);
    base[IER] = 1;
}

static void key(char c)
{
    if (c == '\r' || c == '\n') {
        line[used] = 0;
        used = 0;
        put('\n');
        command_run(line);
        command_prompt();
    } else if ((c == 8 || c == 127) && used) {
        used--;
        console_print("\b \b");
    } else if (c >= ' ' && used < sizeof(line) - 1) {
        line[used++] = c;
        put(c);
    }
}

void console_interrupt(void)
{
    while (base[LSR] & LSR_DATA)
        key((char)base[RBR]);
}
