/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/console_line.h"

#include <string.h>

#define KEY_BELL 0x07
#define KEY_ESCAPE 0x1b

/* A continuation byte of UTF-8: it takes no place of its own. */
static bool continues(char byte)
{
    return ((uint8_t)byte & 0xc0) == 0x80;
}

void console_line_clear(struct console_line *line)
{
    line->length = 0;
    line->cursor = 0;
    line->started = false;
    line->utf8_begun = line->utf8_left = 0;
}

unsigned console_line_after_cursor(const struct console_line *line)
{
    unsigned count = 0;

    for (unsigned i = line->cursor; i < line->length; i++)
        count += !continues(line->text[i]);
    return count;
}

static void move_left(struct console_line *line, unsigned count)
{
    while (count-- > 0 && line->cursor > 0) {
        line->cursor--;
        while (line->cursor > 0 && continues(line->text[line->cursor]))
            line->cursor--;
    }
}

static void move_right(struct console_line *line, unsigned count)
{
    while (count-- > 0 && line->cursor < CONSOLE_LINE) {
        if (line->cursor == line->length)
            line->text[line->length++] = ' ';
        line->cursor++;
        while (line->cursor < line->length && continues(line->text[line->cursor]))
            line->cursor++;
    }
}

static void delete_chars(struct console_line *line, unsigned count)
{
    unsigned left = line->length - line->cursor;

    if (count > left)
        count = left;
    memmove(line->text + line->cursor, line->text + line->cursor + count, left - count);
    line->length -= count;
}

static void insert_blanks(struct console_line *line, unsigned count)
{
    unsigned room = CONSOLE_LINE - line->cursor;

    if (count > room)
        count = room;
    unsigned keep = line->length - line->cursor;
    if (keep > room - count)
        keep = room - count;
    memmove(line->text + line->cursor + count, line->text + line->cursor, keep);
    memset(line->text + line->cursor, ' ', count);
    line->length = line->cursor + count + keep;
}

/* Erase in line or display, parameter 0: to the end; 1: up to the cursor; 2: everything. */
static void erase(struct console_line *line, unsigned what)
{
    if (what != 1)
        line->length = line->cursor;
    if (what != 0)
        memset(line->text, ' ', line->cursor);
}

/* Remembers "ESC [ ... m", so that it can be set again after something else was printed. */
static void set_style(struct console_line *line)
{
    const char *held = line->held;
    bool reset = line->held_length == 3 || (line->held_length == 4 && held[2] == '0');

    line->style_length = 0;
    if (!reset && held[0] == KEY_ESCAPE && line->held_length <= sizeof(line->style)) {
        memcpy(line->style, held, line->held_length);
        line->style_length = line->held_length;
    }
}

/* The first number of the control sequence in `held`, or `fallback` where it has none. */
static unsigned parameter(const struct console_line *line, unsigned fallback)
{
    unsigned value = 0, at = 2;

    for (; at < line->held_length && line->held[at] >= '0' && line->held[at] <= '9'; at++) {
        if (value < CONSOLE_LINE * 16)
            value = value * 10 + (unsigned)(line->held[at] - '0');
    }
    return at > 2 ? value : fallback;
}

static void control_sequence(struct console_line *line, uint8_t final)
{
    unsigned n = parameter(line, 0);
    unsigned count = n ? n : 1;

    switch (final) {
    case 'C':
        move_right(line, count);
        break;
    case 'D':
        move_left(line, count);
        break;
    case 'G':
        line->cursor = 0;
        move_right(line, count - 1);
        break;
    case 'H': /* somewhere else on the screen: this row is not known any more */
        console_line_clear(line);
        break;
    case 'J':
    case 'K':
        erase(line, n);
        break;
    case 'P':
        delete_chars(line, count);
        break;
    case '@':
        insert_blanks(line, count);
        break;
    case 'm':
        set_style(line);
        break;
    }
}

/* True if the byte ends the sequence that line->escape is in. */
static bool escape_ends(struct console_line *line, uint8_t byte)
{
    switch (line->escape) {
    case ESCAPE_START:
        if (byte == '[') {
            line->escape = ESCAPE_CSI;
            return false;
        }
        if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_') {
            line->escape = ESCAPE_STRING;
            return false;
        }
        return byte >= 0x30; /* below: an intermediate byte, more to come */
    case ESCAPE_CSI:
        return byte >= 0x40;
    case ESCAPE_STRING:
        return byte == KEY_BELL;
    default:
        return true;
    }
}

static enum console_event escape_byte(struct console_line *line, uint8_t byte)
{
    if (line->held_length == CONSOLE_HELD)
        line->held_length = 0; /* that much was released: a long string goes on */
    line->held[line->held_length++] = (char)byte;

    if (byte == KEY_ESCAPE) { /* a new sequence, or the start of a string's end, ESC \ */
        line->escape = ESCAPE_START;
    } else {
        bool csi = line->escape == ESCAPE_CSI;
        if (escape_ends(line, byte)) {
            line->escape = ESCAPE_NONE;
            if (csi)
                control_sequence(line, byte);
            return LINE_RELEASE;
        }
    }
    return line->held_length == CONSOLE_HELD ? LINE_RELEASE : LINE_HOLD;
}

/* Takes the character that is not whole out again. */
static void drop_partial(struct console_line *line)
{
    unsigned from = line->cursor - line->utf8_begun;

    memmove(line->text + from, line->text + line->cursor, line->length - line->cursor);
    line->length -= line->utf8_begun;
    line->cursor = from;
    line->utf8_begun = line->utf8_left = 0;
}

static void add(struct console_line *line, uint8_t byte)
{
    line->text[line->cursor++] = (char)byte;
    if (line->cursor > line->length)
        line->length = line->cursor;
    line->started = true;
}

/* How many bytes the character has that this one begins, and the range of its second byte (Unicode
 * standard, table "Well-Formed UTF-8 Byte Sequences"). 0: it begins none. */
static unsigned utf8_bytes(struct console_line *line, uint8_t byte)
{
    line->utf8_low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    line->utf8_high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    /* U+0080 to U+009F are control characters: they move cursors as escape sequences do. */
    line->utf8_control = byte == 0xc2;
    if (byte < 0xc2 || byte > 0xf4)
        return 0;
    return byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* A byte above 0x7f. What is no character leaves a question mark: a terminal that takes bytes for
 * characters sees more control characters in it. */
static enum console_event high_byte(struct console_line *line, uint8_t byte)
{
    if (line->utf8_left && byte >= line->utf8_low && byte <= line->utf8_high) {
        if (line->utf8_control && byte < 0xa0) {
            drop_partial(line);
            return LINE_SHOW;
        }
        add(line, byte);
        line->utf8_begun++;
        if (--line->utf8_left == 0)
            line->utf8_begun = 0;
        line->utf8_low = 0x80;
        line->utf8_high = 0xbf;
        line->utf8_control = false;
        return LINE_SHOW;
    }
    drop_partial(line);
    unsigned bytes = utf8_bytes(line, byte);
    if (line->cursor + (bytes ? bytes : 1) > CONSOLE_LINE)
        return LINE_FULL;
    add(line, bytes ? byte : '?');
    line->utf8_begun = bytes ? 1 : 0;
    line->utf8_left = bytes ? bytes - 1 : 0;
    return LINE_SHOW;
}

enum console_event console_line_put(struct console_line *line, uint8_t byte)
{
    if (line->utf8_left && byte < 0x80)
        drop_partial(line);
    if (line->escape == ESCAPE_NONE && byte == KEY_ESCAPE)
        line->held_length = 0;
    /* Control characters act even inside a sequence; a newline breaks it off, so that a guest can't
     * make everything that follows part of a string without an end. */
    if (line->escape != ESCAPE_NONE && byte == '\n')
        line->escape = ESCAPE_NONE;
    if (line->escape != ESCAPE_NONE || byte == KEY_ESCAPE)
        return escape_byte(line, byte);

    switch (byte) {
    case '\n':
        return LINE_END;
    case '\r':
        line->cursor = 0;
        return LINE_SHOW;
    case '\b':
        move_left(line, 1);
        return LINE_SHOW;
    }
    if ((byte < ' ' && byte != '\t') || byte == 0x7f)
        return LINE_SHOW;
    if (byte >= 0x80)
        return high_byte(line, byte);
    if (line->cursor == CONSOLE_LINE)
        return LINE_FULL;
    add(line, byte);
    return LINE_SHOW;
}
