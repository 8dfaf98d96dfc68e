/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "appliance/monitor/monitor.h"
#include "host/bare/console_out.h"
#include "host/bare/hart.h"
#include "host/host.h"

#define KEY_LEAD 0x01 /* Ctrl-A */
#define KEYS_PER_POLL 256

/* A VM that takes no key although this many wait for it: reading the port ends, so that whoever
 * types or pastes is held up and nothing is lost. But not for longer than this. */
#define AHEAD 1024
#define PATIENCE_S 2

static struct uart *port;

/* Keys: only the hart that holds `reading` touches these. */
static atomic_flag reading = ATOMIC_FLAG_INIT;
static bool begun;
static bool choosing;
static uint16_t ahead[AHEAD]; /* read from the port, and not taken by the VM yet */
static unsigned ahead_first, ahead_count;
static struct vm *ahead_vm;  /* whose they are */
static uint64_t ahead_since; /* when it took one last, or they began to wait */
static bool deaf;            /* it took none for too long */
static bool shut;            /* the port does not interrupt for what it receives */
static unsigned ahead_lost;  /* dropped because of that */
static char chosen[VM_NAME_MAX];
static unsigned chosen_length;

/* The hart that acts on a key: its messages are the answer, and come between the monitor's bytes.
 */
static _Atomic uint64_t key_hart = UINT64_MAX;

/* ---- Messages -------------------------------------------------------------------------------- */

/* One line of Caldarium's own. Names in it come from a bundle: nothing in them moves a cursor. */
static void message(bool error, const char *format, va_list args)
{
    char line[OUT_MESSAGE_MAX];
    int length = vsnprintf(line, sizeof(line), format, args);

    if (length < 0)
        return;
    for (char *c = line; *c; c++) {
        if ((uint8_t)*c < ' ' || *c == 0x7f)
            *c = '?';
    }
    if ((size_t)length >= sizeof(line))
        strcpy(line + sizeof(line) - 4, "...");
    out_message(hart_this() == atomic_load(&key_hart), error, line);
}

void host_print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message(false, format, args);
    va_end(args);
}

void host_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    message(true, format, args);
    va_end(args);
}

/* ---- Writers --------------------------------------------------------------------------------- */

size_t host_console_write(struct cald_vm *vm, const char *bytes, size_t count)
{
    return out_write(vm_of(vm)->index, bytes, count);
}

size_t host_console_room(struct cald_vm *vm)
{
    return out_room(vm_of(vm)->index);
}

void host_console_flush(struct cald_vm *vm)
{
    (void)vm;
    out_pump();
}

void console_flush(void)
{
    out_pump();
}

void host_console_sent(struct cald_vm *vm)
{
    if (out_later(vm_of(vm)->index))
        hart_flush_soon();
    else
        out_pump();
}

bool host_console_hurry(struct cald_vm *vm, uint8_t byte)
{
    return out_hurry(vm_of(vm)->index, (char)byte);
}

/* Messages among them are marked by control characters, which the monitor has no use for. */
void monitor_host_write(const char *bytes, size_t count)
{
    char part[512]; /* a prompt with its line comes out in one piece */

    while (count > 0) {
        size_t n = count < sizeof(part) ? count : sizeof(part);
        for (size_t i = 0; i < n; i++)
            part[i] = (char)(bytes[i] > 0 && bytes[i] < '\a' ? '?' : bytes[i]);
        out_monitor(part, n);
        bytes += n;
        count -= n;
    }
}

/* ---- Who is in front ------------------------------------------------------------------------- */

void console_front(struct vm *vm)
{
    char said[OUT_MESSAGE_MAX];

    if (!vm) {
        out_set_front(OUT_MONITOR, NULL);
        monitor_enter();
        return;
    }
    snprintf(said, sizeof(said), "%s is in front (Ctrl-A m: the monitor, Ctrl-A ?: help)",
             vm->config->name);
    out_set_front(vm->index, said);
}

void monitor_host_console(struct vm *vm)
{
    console_front(vm);
}

void console_vm_ended(struct vm *vm)
{
    char said[OUT_MESSAGE_MAX];

    snprintf(said, sizeof(said), "%s was in front; the monitor is now", vm->config->name);
    if (out_vm_ended(vm->index, said))
        monitor_enter();
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static bool takes_keys(struct vm *vm)
{
    enum vm_state state = atomic_load(&vm->state);

    return (state == VM_RUNNING || state == VM_PAUSED) && vm->config->console != CONSOLE_NONE;
}

static bool receive(const struct vm *vm, uint16_t key)
{
    return vm->console ? virtio_console_receive(vm->console, key)
                       : cald_vm_uart_receive(vm->cald, key);
}

static void drop_ahead(void)
{
    ahead_lost += ahead_count;
    ahead_count = 0;
}

static void tell_lost(void)
{
    if (ahead_lost)
        host_print("vm %s takes no input: %u byte%s of what was typed %s dropped",
                   ahead_vm->config->name, ahead_lost, ahead_lost == 1 ? "" : "s",
                   ahead_lost == 1 ? "is" : "are");
    ahead_lost = 0;
}

/* Hands on what has been read, as far as the VM takes it. */
static void send_ahead(void)
{
    uint64_t now = host_time();

    while (ahead_count && receive(ahead_vm, ahead[ahead_first])) {
        ahead_first = (ahead_first + 1) % AHEAD;
        ahead_count--;
        ahead_since = now;
        deaf = false;
    }
    if (ahead_count && !takes_keys(ahead_vm))
        drop_ahead();
    if (ahead_count == AHEAD && now - ahead_since >= PATIENCE_S * host_timebase()) {
        deaf = true;
        drop_ahead();
    }
}

static void keep_ahead(struct vm *vm, uint16_t key)
{
    if (vm != ahead_vm) {
        drop_ahead();
        tell_lost();
        deaf = false;
        ahead_vm = vm;
    }
    if (deaf || ahead_count == AHEAD) {
        ahead_lost++;
        return;
    }
    if (!ahead_count)
        ahead_since = host_time();
    ahead[(ahead_first + ahead_count++) % AHEAD] = key;
}

/* Until the VM in front takes something the port keeps what comes: that holds the sender up, where
 * there is flow control. */
static bool holds(void)
{
    return ahead_count == AHEAD && out_front() == ahead_vm->index;
}

/* A key, or a break: that is for VMs alone. */
static void send_front(uint16_t key)
{
    unsigned to = out_front();

    if (to == OUT_MONITOR) {
        if (key != CALD_UART_BREAK)
            monitor_key((uint8_t)key);
        return;
    }
    struct vm *vm = &vms[to];
    bool waits = ahead_count && vm == ahead_vm; /* those before it come first */
    if (!takes_keys(vm))
        out_bell();
    else if (waits || !receive(vm, key))
        keep_ahead(vm, key);
    else if (vm == ahead_vm)
        deaf = false;
}

static void help(void)
{
    host_print("Ctrl-A and then: a VM's number or the first letters of its name: that VM");
    host_print("  m or 0: the monitor   Ctrl-A: sends Ctrl-A   ?: this help   Esc: nothing");
    for (unsigned i = 0; i < vm_count; i++) {
        host_print("  %2u %s: %s%s", i + 1, vms[i].config->name,
                   vm_state_name(atomic_load(&vms[i].state)), i == out_front() ? ", in front" : "");
    }
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
    char names[OUT_MESSAGE_MAX / 2];
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

void console_key(uint16_t key)
{
    if (!begun)
        return;
    atomic_store(&key_hart, hart_this());
    if (key == CALD_UART_BREAK) {
        send_front(key); /* no choice, even after Ctrl-A */
    } else if (choosing) {
        choose((uint8_t)key);
    } else if (key == KEY_LEAD) {
        choosing = true;
        chosen_length = 0;
    } else {
        send_front(key);
    }
    atomic_store(&key_hart, UINT64_MAX);
}

/* Ticks until a VM has been waited for long enough; UINT64_MAX: none is. */
static uint64_t read_keys(void)
{
    int byte = 0;

    send_ahead();
    for (unsigned i = 0; i < KEYS_PER_POLL && byte >= 0 && !holds(); i++) {
        byte = port->driver->get(port);
        if (byte >= 0)
            console_key(byte == UART_BREAK ? CALD_UART_BREAK : (uint8_t)byte);
    }
    if (byte < 0)
        tell_lost();
    if (shut != holds()) {
        shut = !shut;
        out_receive_interrupt(!shut);
    }
    return holds() ? PATIENCE_S * host_timebase() : UINT64_MAX;
}

uint64_t console_serve(void)
{
    uint64_t patience = UINT64_MAX;

    if (port && !atomic_flag_test_and_set_explicit(&reading, memory_order_acquire)) {
        patience = read_keys();
        atomic_flag_clear_explicit(&reading, memory_order_release);
    }
    uint64_t line = out_serve();
    return line < patience ? line : patience;
}

void host_console_taken(struct cald_vm *vm)
{
    (void)vm;
    hart_serve_console_soon();
}

/* ---- Set-up ---------------------------------------------------------------------------------- */

void console_init(struct uart *uart)
{
    port = uart;
    out_init(uart);
}

void console_colour(bool on)
{
    out_colour(on);
}

void console_define(unsigned count)
{
    if (!out_define(count))
        host_error("no memory for the consoles of %u VMs: what they print is lost", count);
}

void console_begin(void)
{
    begun = true;
    out_begin();
    for (unsigned i = 0; i < vm_count; i++) {
        if (vms[i].start_at_boot && atomic_load(&vms[i].state) != VM_REFUSED) {
            console_front(&vms[i]);
            return;
        }
    }
    console_front(NULL);
}

bool console_interrupts(void)
{
    port->interrupts = port->driver->interrupt(port, false, false);
    out_receive_interrupt(true);
    return port->interrupts;
}

void console_close(bool closed)
{
    out_close(closed);
}

void console_panic_mode(void)
{
    out_panic();
}
