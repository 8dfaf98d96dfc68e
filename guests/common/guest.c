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

/* Behind `key=` in the tree, or NULL. The tree is searched as bytes: whoever starts this guest puts
 * the key nowhere but into bootargs. */
static const char *option(uint64_t tree, const char *key)
{
    const char *blob = (const char *)tree;
    const uint8_t *total = (const uint8_t *)tree + 4;
    uint32_t bytes =
        (uint32_t)total[0] << 24 | (uint32_t)total[1] << 16 | (uint32_t)total[2] << 8 | total[3];
    for (uint32_t n = 0; n < bytes; n++) {
        uint32_t m = 0;
        while (key[m] && n + m < bytes && blob[n + m] == key[m])
            m++;
        if (!key[m] && blob[n + m] == '=')
            return blob + n + m + 1;
    }
    return 0;
}

uint64_t guest_number(uint64_t tree, const char *key, uint64_t otherwise)
{
    const char *text = option(tree, key);
    uint64_t value = 0;
    if (!text)
        return otherwise;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (uint64_t)(*text - '0');
    return value;
}

int guest_is(uint64_t tree, const char *key, const char *word)
{
    const char *text = option(tree, key);
    while (text && *word && *text == *word)
        text++, word++;
    return text && !*word && (*text == 0 || *text == ' ');
}

void guest_poweroff(void)
{
    guest_sbi(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, SBI_SRST_REASON_NONE, 0, 0);
    for (;;)
        wait_for_interrupt();
}
