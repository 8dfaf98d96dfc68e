/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/console_paint.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "appliance/vm.h"
#include "host/bare/console_line.h"
#include "host/bare/console_out.h"

#define ROW 79 /* a longer line has wrapped on the usual terminal and can't be erased in place */

static _Atomic unsigned front = OUT_MONITOR; /* changed with console_out.c's lock held */
static struct console_line lines[OUT_WRITERS];
static bool colour;
static bool copied; /* the front line on the screen is the copy that paint_restore() made */
static struct {
    char text[OUT_MESSAGE_MAX];
    unsigned length;
    char mark; /* 0: none is being read */
} messages[2];

static void text(const char *string)
{
    out_raw(string, strlen(string));
}

/* Makes room for a line of somebody else's: the front's unfinished line ends where it is, unless it
 * is a mere copy, which is taken away so that prompts don't pile up. */
static void paint_interrupt(void)
{
    struct console_line *line = &lines[front];

    if (line->style_length)
        text("\033[0m");
    if (!line->started)
        return;
    text(copied && line->length < ROW ? "\r\033[K" : "\r\n");
}

/* Puts the front's unfinished line back. */
static void paint_restore(void)
{
    struct console_line *line = &lines[front];

    out_raw(line->style, line->style_length);
    out_raw(line->text, line->length);
    for (unsigned left = console_line_after_cursor(line); left > 0; left--)
        text("\b");
    line->started = line->length > 0;
    copied = line->started;
}

/* `[name] `, in a colour of the VM's own. Red is left to errors. */
static void name_tag(unsigned writer)
{
    static const char *const colours[] = {"\033[36m", "\033[33m", "\033[35m", "\033[32m",
                                          "\033[34m"};
    if (colour)
        text(colours[writer % (sizeof(colours) / sizeof(colours[0]))]);
    text("[");
    text(writer == OUT_MONITOR ? "monitor" : vms[writer].config->name);
    text("]");
    if (colour)
        text("\033[0m");
    text(" ");
}

/* Prints what a writer in the background has on its line, and forgets it. */
static void print_behind(unsigned writer)
{
    struct console_line *line = &lines[writer];

    paint_interrupt();
    name_tag(writer);
    out_raw(line->text, line->length);
    text("\r\n");
    console_line_clear(line);
    paint_restore();
}

void paint_message(bool error, const char *said)
{
    paint_interrupt();
    if (error && colour)
        text("\033[31m");
    text("caldarium: ");
    text(said);
    if (error && colour)
        text("\033[0m");
    text("\r\n");
    paint_restore();
}

/* 31,204 lines dropped. */
void paint_lost(unsigned writer, unsigned lost)
{
    char said[48];
    unsigned used = 0, digits = 1;

    for (unsigned n = lost; n >= 10; n /= 10)
        digits++;
    unsigned unit = 1;
    for (unsigned n = 1; n < digits; n++)
        unit *= 10;
    for (; digits > 0; digits--, unit /= 10) {
        said[used++] = (char)('0' + lost / unit % 10);
        if (digits % 3 == 1 && digits > 1)
            said[used++] = ',';
    }
    snprintf(said + used, sizeof(said) - used, " line%s dropped", lost == 1 ? "" : "s");
    if (writer >= OUT_MONITOR) {
        paint_message(true, said);
        return;
    }
    paint_interrupt();
    name_tag(writer);
    text(said);
    text("\r\n");
    paint_restore();
}

static void put_front(struct console_line *line, uint8_t byte)
{
    char c = (char)byte;

    switch (console_line_put(line, byte)) {
    case LINE_HOLD:
        return;
    case LINE_RELEASE:
        out_raw(line->held, line->held_length);
        break;
    case LINE_FULL:
        /* Too long to be put back whole; from here on, its latest part will be. */
        console_line_clear(line);
        console_line_put(line, byte);
        out_raw(&c, 1);
        break;
    case LINE_END:
        console_line_clear(line);
        out_raw(&c, 1);
        break;
    case LINE_SHOW:
        out_raw(&c, 1);
        break;
    }
    copied = false;
}

/* True: a line was printed. */
static bool put_behind(unsigned writer, uint8_t byte)
{
    switch (console_line_put(&lines[writer], byte)) {
    case LINE_END:
        print_behind(writer);
        return true;
    case LINE_FULL:
        print_behind(writer);
        console_line_put(&lines[writer], byte);
        return true;
    default:
        return false;
    }
}

/* A byte of the monitor's, or of a message. True: a line was printed. */
static bool put_own(unsigned writer, char c)
{
    unsigned n = writer - OUT_MONITOR;

    if (messages[n].mark) {
        if (c != '\n') {
            if (messages[n].length < OUT_MESSAGE_MAX - 1)
                messages[n].text[messages[n].length++] = c;
            return false;
        }
        messages[n].text[messages[n].length] = 0;
        paint_message(messages[n].mark == MARK_ERROR, messages[n].text);
        messages[n].mark = 0;
        return true;
    }
    if (c == MARK_INFO || c == MARK_ERROR) {
        messages[n].mark = c;
        messages[n].length = 0;
        return false;
    }
    if (writer != front)
        return put_behind(writer, (uint8_t)c);
    put_front(&lines[writer], (uint8_t)c);
    return c == '\n';
}

bool paint_byte(unsigned writer, uint8_t byte)
{
    if (writer >= OUT_MONITOR)
        return put_own(writer, (char)byte);
    if (writer != front)
        return put_behind(writer, byte);
    put_front(&lines[writer], byte);
    return false;
}

void paint_colour(bool on)
{
    colour = on;
}

unsigned paint_front(void)
{
    return atomic_load(&front);
}

/* Takes the front away from its holder, whose unfinished line is left as it stands. */
static void leave_front(unsigned next)
{
    struct console_line *line = &lines[front];

    if (line->style_length)
        text("\033[0m");
    if (line->started)
        text("\r\n");
    if (front == OUT_MONITOR)
        console_line_clear(line); /* monitor_enter() draws it anew */
    front = next;
    copied = false;
    if (front == OUT_MONITOR)
        console_line_clear(&lines[front]);
}

void paint_set_front(unsigned next, const char *said)
{
    leave_front(next);
    if (!said)
        return;
    /* The message restores the line of who is now in front: its prompt shows. */
    lines[next].started = false;
    paint_message(false, said);
}

void paint_vm_ended(unsigned vm, bool more, const char *said)
{
    bool was_front = vm == front;
    if (was_front) {
        leave_front(OUT_MONITOR);
        paint_message(false, said);
    } else if (!more && lines[vm].length) {
        print_behind(vm);
    }
    if (was_front || !more)
        memset(&lines[vm], 0, sizeof(lines[0]));
}

void paint_end(void)
{
    paint_interrupt(); /* who prints next, such as the shell around QEMU, finds the start of a row
                        */
    lines[front].started = false;
}
