/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/common/guest.h"

#include <stdarg.h>

struct sbi_ret guest_sbi(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
                         uint64_t a2, uint64_t a3)
{
    register uint64_t r0 __asm__("a0") = a0;
    register uint64_t r1 __asm__("a1") = a1;
    register uint64_t r2 __asm__("a2") = a2;
    register uint64_t r3 __asm__("a3") = a3;
    register uint64_t r4 __asm__("a4") = 0;
    register uint64_t r6 __asm__("a6") = function;
    register uint64_t r7 __asm__("a7") = extension;
    __asm__ volatile("ecall"
                     : "+r"(r0), "+r"(r1)
                     : "r"(r2), "r"(r3), "r"(r4), "r"(r6), "r"(r7)
                     : "memory");
    return (struct sbi_ret){(int64_t)r0, r1};
}

static void put(char c)
{
    guest_sbi(SBI_EXT_DBCN, 2, (uint8_t)c, 0, 0, 0);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (count)
        put(digits[--count]);
}

void guest_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        format++;
        if (*format == 's') {
            for (const char *s = va_arg(args, const char *); *s; s++)
                put(*s);
        } else {
            put_number(va_arg(args, uint64_t), *format == 'x' ? 16 : 10);
        }
    }
    va_end(args);
}

void guest_poweroff(void)
{
    guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_NONE, 0, 0);
    for (;;)
        wait_for_interrupt();
}
