/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's own lines of text, formatted here: a host gets bytes and a length, and needs no
 * printf.
 *
 * Of printf's formats these know %s, %c, %u, %x and %%, with l, the flags # and 0, and a width.
 * What is longer than LINE_BYTES is cut off.
 */
#ifndef LIB_COMMON_LINE_H
#define LIB_COMMON_LINE_H

#include <stdarg.h>
#include <stddef.h>

#define LINE_BYTES 240

/* Writes at most `room` bytes, the zero at the end among them; returns how many lie before that. */
size_t line_format(char *to, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
size_t line_format_list(char *to, size_t room, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

/* One line through host_line(). */
void line_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void line_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The library can't go on: host_panic(). */
_Noreturn void line_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
