/* SPDX-License-Identifier: BSD-2-Clause */
/* A line editor for a terminal that knows ANSI's "erase to the end of the line", and no more. */
#ifndef APPLIANCE_MONITOR_LINE_H
#define APPLIANCE_MONITOR_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* With the prompt it fits a row of 80 columns, so that it can always be drawn again in place. */
#define LINE_SIZE 64
#define LINE_HISTORY 8

enum line_event { LINE_NOTHING, LINE_ENTERED, LINE_COMPLETE };

struct line {
    const char *prompt;
    char text[LINE_SIZE]; /* ends with 0 */
    unsigned length, cursor;
    unsigned escape; /* keys of an escape sequence seen so far */
    uint8_t escape_digit;
    bool after_return; /* the last key was a carriage return: a newline adds nothing */
    char history[LINE_HISTORY][LINE_SIZE]; /* history[0] is the newest */
    unsigned history_count;
    unsigned browsing;     /* 0: the line itself; n: history[n - 1] is shown */
    char saved[LINE_SIZE]; /* the line itself meanwhile */
};

/* Draws prompt and text anew, at the start of a row. */
void line_draw(const struct line *line);

/* Takes a key. LINE_ENTERED: `text` is whole, and kept in the history; the caller then empties it
 * with line_clear(). LINE_COMPLETE: the tab key. */
enum line_event line_key(struct line *line, uint8_t key);

/* Empties the line without drawing it. */
void line_clear(struct line *line);

/* Types `text` where the cursor is, as far as there is room. */
void line_insert(struct line *line, const char *text, unsigned count);

#endif
