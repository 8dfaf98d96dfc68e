/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/common/line.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "caldarium/host.h"

struct line {
    char *to;
    size_t room, used; /* the zero at the end has its place in `room` */
};

static void line_add(struct line *line, const char *bytes, size_t count)
{
    for (size_t n = 0; n < count && line->used + 1 < line->room; n++)
        line->to[line->used++] = bytes[n];
}

static void line_add_number(struct line *line, uint64_t value, unsigned base, bool prefix,
                            char fill, unsigned width)
{
    char digits[20];
    size_t at = sizeof(digits);
    bool hex = prefix && value;
    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (hex)
        line_add(line, "0x", 2);
    for (size_t length = sizeof(digits) - at + (hex ? 2 : 0); length < width; length++)
        line_add(line, &fill, 1);
    line_add(line, digits + at, sizeof(digits) - at);
}

static void line_add_text(struct line *line, const char *text, unsigned width)
{
    size_t length = strlen(text);
    line_add(line, text, length);
    for (; length < width; length++)
        line_add(line, " ", 1);
}

/* One format, from behind its %; returns what is behind it. Text stands left and numbers right,
 * with `-` or without. */
static const char *line_add_format(struct line *line, const char *format, va_list *args)
{
    bool prefix = false, longer = false;
    char fill = ' ';
    unsigned width = 0;
    for (;; format++) {
        if (*format == '#')
            prefix = true;
        else if (*format == '0' && !width)
            fill = '0';
        else if (*format >= '0' && *format <= '9')
            width = width * 10 + (unsigned)(*format - '0');
        else if (*format == 'l')
            longer = true;
        else if (*format != '-')
            break;
    }
    char letter = *format;
    if (letter == 's') {
        line_add_text(line, va_arg(*args, const char *), width);
    } else if (letter == 'u' || letter == 'x') {
        uint64_t value = longer ? va_arg(*args, unsigned long) : va_arg(*args, unsigned);
        line_add_number(line, value, letter == 'u' ? 10 : 16, prefix, fill, width);
    } else {
        char byte = letter == 'c' ? (char)va_arg(*args, int) : letter;
        line_add(line, &byte, 1);
    }
    return format + 1;
}

size_t line_format_list(char *to, size_t room, const char *format, va_list args)
{
    struct line line = {to, room, 0};
    va_list rest;
    va_copy(rest, args);
    while (*format) {
        if (*format == '%')
            format = line_add_format(&line, format + 1, &rest);
        else
            line_add(&line, format++, 1);
    }
    va_end(rest);
    if (room)
        to[line.used] = 0;
    return line.used;
}

size_t line_format(char *to, size_t room, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t length = line_format_list(to, room, format, args);
    va_end(args);
    return length;
}

static void line_out(enum host_severity severity, const char *format, va_list args)
{
    char text[LINE_BYTES];
    host_line(severity, text, line_format_list(text, sizeof(text), format, args));
}

void line_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_out(HOST_INFO, format, args);
    va_end(args);
}

void line_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_out(HOST_ERROR, format, args);
    va_end(args);
}

void line_panic(const char *format, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    size_t length = line_format_list(text, sizeof(text), format, args);
    va_end(args);
    host_panic(text, length);
}
