/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/monitor/line.h"

#include <string.h>

#include "appliance/monitor/monitor.h"

#define CTRL(letter) ((letter) - '@')
#define KEY_ESCAPE 0x1b
#define KEY_DELETE 0x7f

static void echo(const char *text)
{
    monitor_host_write(text, strlen(text));
}

void line_draw(const struct line *line)
{
    /* One write, so that nothing comes in between. */
    char out[LINE_SIZE * 2 + 32];
    size_t used = 0, prompt = strlen(line->prompt);

    if (prompt > 16)
        prompt = 16;
    out[used++] = '\r';
    memcpy(out + used, line->prompt, prompt);
    used += prompt;
    memcpy(out + used, line->text, line->length);
    used += line->length;
    memcpy(out + used, "\033[K", 3);
    used += 3;
    memset(out + used, '\b', line->length - line->cursor);
    used += line->length - line->cursor;
    monitor_host_write(out, used);
}

void line_clear(struct line *line)
{
    line->length = 0;
    line->cursor = 0;
    line->text[0] = 0;
    line->browsing = 0;
}

void line_insert(struct line *line, const char *text, unsigned count)
{
    unsigned room = LINE_SIZE - 1 - line->length;

    if (count > room) {
        count = room;
        echo("\a");
    }
    if (count == 0)
        return;
    bool at_end = line->cursor == line->length;
    memmove(line->text + line->cursor + count, line->text + line->cursor,
            line->length - line->cursor + 1);
    memcpy(line->text + line->cursor, text, count);
    line->length += count;
    line->cursor += count;
    if (at_end)
        monitor_host_write(text, count);
    else
        line_draw(line);
}

/* Takes [from, to) out; the cursor ends up at `from`. */
static void cut(struct line *line, unsigned from, unsigned to)
{
    memmove(line->text + from, line->text + to, line->length - to + 1);
    line->length -= to - from;
    line->cursor = from;
    line_draw(line);
}

static void move_to(struct line *line, unsigned cursor)
{
    line->cursor = cursor;
    line_draw(line);
}

static void set_text(struct line *line, const char *text)
{
    size_t length = strlen(text);

    memcpy(line->text, text, length + 1);
    line->length = (unsigned)length;
    line->cursor = line->length;
    line_draw(line);
}

/* Shows the n-th newest line of the history, or for 0 the line being typed. */
static void browse(struct line *line, unsigned n)
{
    if (n > line->history_count) {
        echo("\a");
        return;
    }
    if (line->browsing == 0)
        memcpy(line->saved, line->text, sizeof(line->saved));
    line->browsing = n;
    set_text(line, n ? line->history[n - 1] : line->saved);
}

static void older(struct line *line)
{
    browse(line, line->browsing + 1);
}

static void newer(struct line *line)
{
    if (line->browsing > 0)
        browse(line, line->browsing - 1);
}

static void remember(struct line *line)
{
    if (line->length == 0)
        return;
    if (line->history_count > 0 && strcmp(line->history[0], line->text) == 0)
        return;
    memmove(line->history[1], line->history[0], sizeof(line->history[0]) * (LINE_HISTORY - 1));
    memcpy(line->history[0], line->text, sizeof(line->history[0]));
    if (line->history_count < LINE_HISTORY)
        line->history_count++;
}

static void left(struct line *line)
{
    if (line->cursor > 0)
        move_to(line, line->cursor - 1);
}

static void right(struct line *line)
{
    if (line->cursor < line->length)
        move_to(line, line->cursor + 1);
}

static void delete_here(struct line *line)
{
    if (line->cursor < line->length)
        cut(line, line->cursor, line->cursor + 1);
}

static void word_back(struct line *line)
{
    unsigned from = line->cursor;

    while (from > 0 && line->text[from - 1] == ' ')
        from--;
    while (from > 0 && line->text[from - 1] != ' ')
        from--;
    if (from < line->cursor)
        cut(line, from, line->cursor);
}

/* ESC [ or ESC O, at most two digits that matter little, a letter or ~. */
static void escape_key(struct line *line, uint8_t key)
{
    if (line->escape == 1) {
        line->escape = key == '[' || key == 'O' ? 2 : 0;
        line->escape_digit = 0;
        return;
    }
    if ((key >= '0' && key <= '9') || key == ';') {
        if (line->escape == 2)
            line->escape_digit = key;
        line->escape = line->escape < 8 ? line->escape + 1 : 0;
        return;
    }
    line->escape = 0;
    if (key == '~')
        key = line->escape_digit;
    switch (key) {
    case 'A':
        older(line);
        break;
    case 'B':
        newer(line);
        break;
    case 'C':
        right(line);
        break;
    case 'D':
        left(line);
        break;
    case 'H':
    case '1':
    case '7':
        move_to(line, 0);
        break;
    case 'F':
    case '4':
    case '8':
        move_to(line, line->length);
        break;
    case '3':
        delete_here(line);
        break;
    }
}

static enum line_event entered(struct line *line)
{
    echo("\r\n");
    remember(line);
    line->browsing = 0;
    return LINE_ENTERED;
}

enum line_event line_key(struct line *line, uint8_t key)
{
    bool after_return = line->after_return;

    line->after_return = key == '\r';
    if (line->escape) {
        escape_key(line, key);
        return LINE_NOTHING;
    }

    switch (key) {
    case '\r':
        return entered(line);
    case '\n':
        return after_return ? LINE_NOTHING : entered(line);
    case '\t':
        return LINE_COMPLETE;
    case KEY_ESCAPE:
        line->escape = 1;
        break;
    case '\b':
    case KEY_DELETE:
        if (line->cursor > 0)
            cut(line, line->cursor - 1, line->cursor);
        break;
    case CTRL('A'):
        move_to(line, 0);
        break;
    case CTRL('B'):
        left(line);
        break;
    case CTRL('C'):
        echo("^C\r\n");
        line_clear(line);
        line_draw(line);
        break;
    case CTRL('D'):
        delete_here(line);
        break;
    case CTRL('E'):
        move_to(line, line->length);
        break;
    case CTRL('F'):
        right(line);
        break;
    case CTRL('K'):
        cut(line, line->cursor, line->length);
        break;
    case CTRL('L'):
        line_draw(line);
        break;
    case CTRL('N'):
        newer(line);
        break;
    case CTRL('P'):
        older(line);
        break;
    case CTRL('U'):
        cut(line, 0, line->cursor);
        break;
    case CTRL('W'):
        word_back(line);
        break;
    default:
        if (key >= ' ' && key < KEY_DELETE)
            line_insert(line, (const char *)&key, 1);
    }
    return LINE_NOTHING;
}
