/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The unfinished line of one writer, as a person sees it: a terminal of one row. It is what makes
 * it possible to print a line in between and then put the writer's prompt back, cursor and all; and
 * it is what is left of a background VM's output once everything that moves a cursor is acted on.
 */
#ifndef HOST_BARE_CONSOLE_LINE_H
#define HOST_BARE_CONSOLE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define CONSOLE_LINE 256
#define CONSOLE_HELD 32

/* Where in an escape sequence the writer is (ECMA-48, "Control functions"). */
enum console_escape { ESCAPE_NONE, ESCAPE_START, ESCAPE_CSI, ESCAPE_STRING };

struct console_line {
    char text[CONSOLE_LINE];
    unsigned length, cursor; /* bytes; cursor <= length */
    bool started;            /* the terminal's cursor has left the start of a row */
    enum console_escape escape;
    char held[CONSOLE_HELD]; /* an escape sequence that isn't complete yet */
    unsigned held_length;
    uint8_t utf8_low, utf8_high;    /* what the next byte of a character may be */
    bool utf8_control;              /* below 0xa0 it would make a control character */
    unsigned utf8_begun, utf8_left; /* of a character that is not whole: bytes in text, to come */
    char style[16]; /* the last colour sequence, "" if the writer is back at plain text */
    unsigned style_length;
};

enum console_event {
    LINE_SHOW,    /* the byte belongs to the line (or changes nothing) */
    LINE_HOLD,    /* it is part of an escape sequence that goes on: not to be shown yet */
    LINE_RELEASE, /* it ends the sequence in `held` (or the room there): show that, this included */
    LINE_END,     /* a newline: take the text, then console_line_clear() */
    LINE_FULL     /* no room, the byte was not taken: the same, then put it in again */
};

/* Takes one byte in. */
enum console_event console_line_put(struct console_line *line, uint8_t byte);

/* Forgets the text. The escape and colour state stays, since the writer's does. */
void console_line_clear(struct console_line *line);

/* Characters between the cursor and the end: how far to go back after showing the text. */
unsigned console_line_after_cursor(const struct console_line *line);

#endif
