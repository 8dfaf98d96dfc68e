/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/lock.h"
#include "core/monitor/monitor.h"
#include "host/bare/console_line.h"
#include "host/host.h"

#define KEY_LEAD 0x01 /* Ctrl-A */
#define MESSAGE_MAX 320
#define KEYS_PER_POLL 256
#define ROW 79 /* a longer line has wrapped on the usual terminal and can't be erased in place */

/* One writer per VM, and the monitor's after them. */
#define MONITOR VM_MAX
static struct console_line lines[VM_MAX + 1];

static struct uart *port;
static struct lock lock; /* output, `lines`, `front`: whole lines, never mixed */
static _Atomic bool panicking;
static bool colour;
static unsigned front = MONITOR;

/* The front line on the screen is the copy that restore() made; nothing was added since. */
static bool copied;

/* Keys: only the hart that holds `reading` touches these. */
static atomic_flag reading = ATOMIC_FLAG_INIT;
static bool begun;
static bool choosing;
static char chosen[VM_NAME_MAX];
static unsigned chosen_length;

static void take(void)
{
    if (!panicking)
        lock_take(&lock);
}

static void release(void)
{
    if (!panicking)
        lock_release(&lock);
}

/* ---- Output; the lock is held ---------------------------------------------------------------- */

static void raw(const char *bytes, size_t count)
{
    if (!port)
        return;
    for (size_t i = 0; i < count; i++)
        port->driver->put(port, (uint8_t)bytes[i]);
}

static void text(const char *string)
{
    raw(string, strlen(string));
}

/* Makes room for a line of somebody else's: the front's unfinished line ends where it is, unless it
 * is a mere copy, which is taken away so that prompts don't pile up. */
static void interrupt(void)
{
    struct console_line *line = &lines[front];

    if (line->style_length)
        text("\033[0m");
    if (!line->started)
        return;
    text(copied && line->length < ROW ? "\r\033[K" : "\r\n");
}

/* Puts the front's unfinished line back. */
static void restore(void)
{
    struct console_line *line = &lines[front];

    raw(line->style, line->style_length);
    raw(line->text, line->length);
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
    text(writer == MONITOR ? "monitor" : vms[writer].config->name);
    text("]");
    if (colour)
        text("\033[0m");
    text(" ");
}

/* Prints what a writer in the background has on its line, and forgets it. */
static void print_behind(unsigned writer)
{
    struct console_line *line = &lines[writer];

    interrupt();
    name_tag(writer);
    raw(line->text, line->length);
    text("\r\n");
    console_line_clear(line);
    restore();
}

static void put_front(struct console_line *line, uint8_t byte)
{
    char c = (char)byte;

    switch (console_line_put(line, byte)) {
    case LINE_HOLD:
        return;
    case LINE_RELEASE:
        raw(line->held, line->held_length);
        break;
    case LINE_FULL:
        /* Too long to be put back whole; from here on, its latest part will be. */
        console_line_clear(line);
        console_line_put(line, byte);
        raw(&c, 1);
        break;
    case LINE_END:
        console_line_clear(line);
        raw(&c, 1);
        break;
    case LINE_SHOW:
        raw(&c, 1);
        break;
    }
    copied = false;
}

static void put_behind(unsigned writer, uint8_t byte)
{
    switch (console_line_put(&lines[writer], byte)) {
    case LINE_END:
        print_behind(writer);
        break;
    case LINE_FULL:
        print_behind(writer);
        console_line_put(&lines[writer], byte);
        break;
    default:
        break;
    }
}

static void write_as(unsigned writer, const char *bytes, size_t count)
{
    take();
    for (size_t i = 0; i < count; i++) {
        if (writer == front)
            put_front(&lines[writer], (uint8_t)bytes[i]);
        else
            put_behind(writer, (uint8_t)bytes[i]);
    }
    release();
}

/* ---- Messages -------------------------------------------------------------------------------- */

/* One line of Caldarium's own. Names in it come from a bundle: nothing in them moves a cursor. */
static void message(bool error, const char *format, va_list args)
{
    char line[MESSAGE_MAX];
    int length = vsnprintf(line, sizeof(line), format, args);

    if (length < 0)
        return;
    for (char *c = line; *c; c++) {
        if ((uint8_t)*c < ' ' || *c == 0x7f)
            *c = '?';
    }

    interrupt();
    if (error && colour)
        text("\033[31m");
    text("caldarium: ");
    text(line);
    if ((size_t)length >= sizeof(line))
        text("...");
    if (error && colour)
        text("\033[0m");
    text("\r\n");
    restore();
}

void host_print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    take();
    message(false, format, args);
    release();
    va_end(args);
}

void host_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    take();
    message(true, format, args);
    release();
    va_end(args);
}

/* host_print() for who holds the lock already. */
__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message(false, format, args);
    va_end(args);
}

void host_console_write(struct vm *vm, const char *bytes, size_t count)
{
    write_as(vm->index, bytes, count);
}

void monitor_host_write(const char *bytes, size_t count)
{
    write_as(MONITOR, bytes, count);
}

/* ---- Who is in front ------------------------------------------------------------------------- */

/* Takes the front away from its holder, whose unfinished line is left as it stands. */
static void leave_front(unsigned next)
{
    struct console_line *line = &lines[front];

    if (line->style_length)
        text("\033[0m");
    if (line->started)
        text("\r\n");
    if (front == MONITOR)
        console_line_clear(line); /* monitor_enter() draws it anew */
    front = next;
    copied = false;
    if (front == MONITOR)
        console_line_clear(&lines[front]);
}

void console_front(struct vm *vm)
{
    take();
    if (vm && vm->index != front) {
        leave_front(vm->index);
        /* The message restores the line of who is now in front: its prompt shows. */
        lines[front].started = false;
        say("%s is in front (Ctrl-A m: the monitor, Ctrl-A ?: help)", vm->config->name);
    } else if (!vm && front != MONITOR) {
        leave_front(MONITOR);
    }
    release();
    if (!vm)
        monitor_enter();
}

void monitor_host_console(struct vm *vm)
{
    console_front(vm);
}

void console_vm_ended(struct vm *vm)
{
    bool was_front;

    take();
    was_front = front == vm->index;
    if (was_front) {
        leave_front(MONITOR);
        say("%s was in front; the monitor is now", vm->config->name);
    } else if (lines[vm->index].length) {
        print_behind(vm->index);
    }
    memset(&lines[vm->index], 0, sizeof(lines[0]));
    release();
    if (was_front)
        monitor_enter();
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static void bell(void)
{
    take();
    text("\a");
    release();
}

static void send_front(uint8_t key)
{
    take();
    unsigned to = front;
    release();

    if (to == MONITOR) {
        monitor_key(key);
        return;
    }
    struct vm *vm = &vms[to];
    enum vm_state state = atomic_load(&vm->state);
    if (state != VM_RUNNING && state != VM_PAUSED)
        bell();
    else if (!ns16550a_receive(&vm->uart, key))
        bell();
}

static void help(void)
{
    host_print("Ctrl-A and then: a VM's number or the first letters of its name: that VM");
    host_print("  m or 0: the monitor   Ctrl-A: sends Ctrl-A   ?: this help   Esc: nothing");
    take();
    for (unsigned i = 0; i < vm_count; i++) {
        say("  %2u %s: %s%s", i + 1, vms[i].config->name, vm_state_name(atomic_load(&vms[i].state)),
            i == front ? ", in front" : "");
    }
    release();
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool begins(const char *name, const char *prefix, unsigned length)
{
    for (unsigned i = 0; i < length; i++) {
        if (name[i] == 0 || lower(name[i]) != lower(prefix[i]))
            return false;
    }
    return true;
}

/* The letters so far: one VM fits and comes to the front, or several and they are shown. */
static void choose_by_name(bool done)
{
    char names[MESSAGE_MAX / 2];
    size_t used = 0;
    unsigned fits = 0;
    struct vm *first = NULL;

    names[0] = 0;
    for (unsigned i = 0; i < vm_count; i++) {
        const char *name = vms[i].config->name;
        if (!begins(name, chosen, chosen_length))
            continue;
        /* Enter after a whole name: that one, although a longer name begins the same. */
        if (done && strlen(name) == chosen_length)
            fits = 0;
        if (fits++ == 0)
            first = &vms[i];
        if (done && strlen(name) == chosen_length)
            break;
        int n = snprintf(names + used, sizeof(names) - used, " %s", name);
        if (n > 0 && (size_t)n < sizeof(names) - used)
            used += (size_t)n;
        else
            names[used] = 0; /* no room: the list stays shorter */
    }

    if (fits == 1 || (done && fits > 1)) {
        choosing = false;
        console_front(first);
    } else if (fits == 0) {
        choosing = false;
        host_print("no VM's name begins with '%.*s'", (int)chosen_length, chosen);
    } else {
        host_print("'%.*s':%s", (int)chosen_length, chosen, names);
    }
}

/* A key after Ctrl-A. */
static void choose(uint8_t key)
{
    if (chosen_length > 0) {
        if (key == '\r' || key == '\n') {
            choose_by_name(true);
            return;
        }
    } else if (key == KEY_LEAD) {
        choosing = false;
        send_front(key);
        return;
    } else if (key == 'm' || key == '0') {
        choosing = false;
        console_front(NULL);
        return;
    } else if (key == '?') {
        choosing = false;
        help();
        return;
    } else if (key >= '1' && key <= '9') {
        unsigned n = (unsigned)(key - '1');
        choosing = false;
        if (n < vm_count)
            console_front(&vms[n]);
        else
            host_print("there is no VM %u", n + 1);
        return;
    }

    if (key <= ' ' || key >= 0x7f || chosen_length == sizeof(chosen)) {
        choosing = false; /* any other key: changed their mind */
        return;
    }
    chosen[chosen_length++] = (char)key;
    choose_by_name(false);
}

void console_key(uint8_t key)
{
    if (!begun)
        return;
    if (choosing) {
        choose(key);
    } else if (key == KEY_LEAD) {
        choosing = true;
        chosen_length = 0;
    } else {
        send_front(key);
    }
}

bool console_poll(void)
{
    if (atomic_flag_test_and_set_explicit(&reading, memory_order_acquire))
        return false;
    for (unsigned i = 0; port && i < KEYS_PER_POLL; i++) {
        int byte = port->driver->get(port);
        if (byte < 0)
            break;
        console_key((uint8_t)byte);
    }
    atomic_flag_clear_explicit(&reading, memory_order_release);
    return true;
}

/* ---- Set-up ---------------------------------------------------------------------------------- */

void console_init(struct uart *uart)
{
    port = uart;
}

void console_colour(bool on)
{
    colour = on;
}

void console_begin(void)
{
    begun = true;
    for (unsigned i = 0; i < vm_count; i++) {
        if (vms[i].start_at_boot && atomic_load(&vms[i].state) != VM_REFUSED) {
            console_front(&vms[i]);
            return;
        }
    }
    console_front(NULL);
}

void console_panic_mode(void)
{
    panicking = true;
}
