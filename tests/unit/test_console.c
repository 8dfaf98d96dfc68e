/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: host/bare/console.c, console_out.c, console_paint.c, console_ring.c and console_line.c.
 * The port, VMs and monitor are here. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appliance/monitor/monitor.h"
#include "host/bare/console.h"
#include "host/bare/console_line.h"
#include "lib/vm/vm.h"
#include "host/host.h"
#include "host/sim/sim.h"

static char out[1 << 20], in_vm[2][8192], in_monitor[64];
static size_t out_used;
static const char *typed = "";
#define BREAK '\036' /* typed: a break, and so it is shown in in_vm */
static bool vm_deaf;
static size_t vm_takes = SIZE_MAX; /* bytes that VMs take yet */

static struct vm_config configs[4];
static struct vm vm_table[4];
static struct cald_vm cald_table[4];
struct vm *vms = vm_table;
unsigned vm_count;

/* How many bytes the line takes before it has to be waited for. */
static size_t line_takes = SIZE_MAX;

static unsigned port_room(struct uart *uart)
{
    (void)uart;
    return line_takes > 16 ? 16 : (unsigned)line_takes;
}

static void port_send(struct uart *uart, uint8_t byte)
{
    (void)uart;
    assert_true(line_takes > 0);
    line_takes -= line_takes != SIZE_MAX;
    assert_true(out_used < sizeof(out) - 1);
    out[out_used++] = (char)byte;
    out[out_used] = 0;
}

static int port_get(struct uart *uart)
{
    (void)uart;
    if (*typed == BREAK)
        return typed++, UART_BREAK;
    return *typed ? (uint8_t)*typed++ : -1;
}

static bool empty_interrupt, receive_interrupt;

static bool port_interrupt(struct uart *uart, bool received, bool empty)
{
    (void)uart;
    receive_interrupt = received;
    empty_interrupt = empty;
    return true;
}

static const struct uart_driver port_driver = {
    .room = port_room, .send = port_send, .get = port_get, .interrupt = port_interrupt};
static struct uart port = {.driver = &port_driver};
static unsigned ready_vm;

void cald_vm_uart_ready(struct cald_vm *vm)
{
    if (!atomic_exchange(&vm->uart.full, 0))
        return;
    for (unsigned i = 0; i < 4; i++) {
        if (vm == vms[i].cald)
            ready_vm = i;
    }
}

static void append(char *to, size_t room, uint8_t key)
{
    size_t length = strlen(to);

    if (length < room - 1) {
        to[length] = (char)key;
        to[length + 1] = 0;
    }
}

bool cald_vm_uart_receive(struct cald_vm *vm, uint32_t byte)
{
    if (vm_deaf || !vm_takes)
        return false;
    vm_takes -= vm_takes != SIZE_MAX;
    for (unsigned i = 0; i < 2; i++) {
        if (vm == vms[i].cald)
            append(in_vm[i], sizeof(in_vm[i]), byte == NS16550A_BREAK ? BREAK : (uint8_t)byte);
    }
    return true;
}

void monitor_enter(void)
{
    monitor_host_write("\rcaldarium> \033[K", 15);
}

void monitor_key(uint8_t key)
{
    append(in_monitor, sizeof(in_monitor), key);
}

const char *vm_state_name(enum vm_state state)
{
    return state == VM_RUNNING ? "running" : "other";
}

static void add_vm(const char *name)
{
    snprintf(configs[vm_count].name, VM_NAME_MAX, "%s", name);
    vms[vm_count].config = &configs[vm_count];
    vms[vm_count].index = vm_count;
    vms[vm_count].cald = &cald_table[vm_count];
    cald_table[vm_count].owner = &vms[vm_count];
    vms[vm_count].state = VM_RUNNING;
    vms[vm_count].start_at_boot = true;
    vm_count++;
}

static void forget(void)
{
    out_used = 0;
    out[0] = 0;
    memset(in_vm, 0, sizeof(in_vm));
    memset(in_monitor, 0, sizeof(in_monitor));
}

/* Until nothing is left: when the port asks for more, or when the hart wanted to be called again.
 */
static void serve_all(void)
{
    while (console_serve() < host_timebase() || empty_interrupt) {
    }
}

static void type(const char *keys)
{
    typed = keys;
    console_serve();
    assert_int_equal(*typed, 0);
}

static void say(unsigned vm, const char *text)
{
    host_console_write(vms[vm].cald, text, strlen(text));
    host_console_flush(vms[vm].cald);
}

static bool defined; /* once, as at boot */

/* Everything back to: "one" in front, nothing unfinished anywhere. */
static int setup(void **state)
{
    (void)state;
    out_used = 0;
    memset(vm_table, 0, sizeof(vm_table));
    vm_count = 0;
    add_vm("one");
    add_vm("two");
    add_vm("onward");
    add_vm("mail");
    vm_deaf = false;
    line_takes = vm_takes = SIZE_MAX;
    typed = "";
    console_init(&port);
    if (!defined)
        console_define(vm_count);
    defined = true;
    serve_all(); /* what the test before has left */
    console_interrupts();
    console_colour(false);
    for (unsigned i = 0; i < vm_count; i++)
        console_vm_ended(&vms[i]);
    console_begin();
    forget();
    return 0;
}

static void front_goes_straight_through(void **state)
{
    (void)state;
    say(0, "hello\r\n\033[1mbold\033[0m \033]0;a title that is longer than what is held\a$ ");
    assert_string_equal(out, "hello\r\n\033[1mbold\033[0m "
                             "\033]0;a title that is longer than what is held\a$ ");
}

static void behind_by_whole_lines(void **state)
{
    (void)state;
    say(1, "half");
    assert_string_equal(out, "");
    say(1, " a line\r\nnext");
    assert_string_equal(out, "[two] half a line\r\n");
    forget();
    say(1, "\r\033[31mover\033[2K\033[0m\r\033[Ba\033[5;1Hb\bc\a\r\n");
    assert_string_equal(out, "[two] c\r\n");
}

/* Control characters beyond 0x7f do on a terminal what escape sequences do; text passes. */
static void control_characters_of_8_bits(void **state)
{
    (void)state;
    say(1, "a\302\233"
           "31mb\302\2350;title\a\302\205c\n");
    assert_string_equal(out, "[two] a31mb0;titlec\r\n");
    forget();
    say(1, "\233"
           "2J\235x\237\205\n"); /* the same as bytes */
    assert_string_equal(out, "[two] ?2J?x??\r\n");
    forget();
    say(1, "na\303"); /* a character in two writes */
    say(1, "\257ve \302\240\342\202\254 \360\237\224\245 \304\200\304\233\n");
    assert_string_equal(
        out, "[two] na\303\257ve \302\240\342\202\254 \360\237\224\245 \304\200\304\233\r\n");
    forget();
    say(1, "\302"); /* torn apart, the halves make nothing */
    say(1, "\n\233x\302\033[m\233y\342\202z\355\240\200\300\233\302\b\233\n");
    assert_string_equal(out, "[two] \r\n[two] ?x?yz????\r\n");
    forget();
    say(0, "caf\302"); /* the front's own line comes back whole */
    say(1, "news\n");
    say(0, "\251\n");
    assert_string_equal(out, "caf\302\r\n[two] news\r\ncaf\302\251\n");
}

static void front_line_comes_back(void **state)
{
    (void)state;
    say(0, "~ # lss\b");
    forget();
    say(1, "news\n");
    assert_string_equal(out, "\r\n[two] news\r\n~ # lss\b");
    forget();
    say(1, "more\n"); /* what stands there is a copy: taken away, not left behind */
    assert_string_equal(out, "\r\033[K[two] more\r\n~ # lss\b");
    say(0, "\033[K -l");
    forget();
    host_print("vm %s: %d", "two", 7);
    assert_string_equal(out, "\r\ncaldarium: vm two: 7\r\n~ # ls -l");
    say(0, "\r\n");
    forget();
    host_error("bad\033[2J");
    assert_string_equal(out, "caldarium: bad?[2J\r\n");
}

static void sequence_is_not_torn(void **state)
{
    (void)state;
    say(0, "\033[3");
    say(1, "x\n");
    say(0, "1mred");
    assert_string_equal(out, "[two] x\r\n\033[31mred");
    forget();
    say(1, "y\n");
    assert_string_equal(out, "\033[0m\r\n[two] y\r\n\033[31mred");
}

static void long_lines(void **state)
{
    char text[301];

    (void)state;
    memset(text, 'a', 300);
    text[300] = 0;
    say(1, text);
    assert_int_equal(out_used, strlen("[two] ") + CONSOLE_LINE + 2);
    say(1, "\n");
    assert_int_equal(out_used, 2 * strlen("[two] ") + 300 + 4);
    forget();
    text[CONSOLE_LINE] = 0;
    say(1, text);
    say(1, "\r\n"); /* exactly full: one line, not an empty one after it */
    assert_int_equal(out_used, strlen("[two] ") + CONSOLE_LINE + 2);
}

static void choosing(void **state)
{
    (void)state;
    type("\0012");
    assert_non_null(strstr(out, "two is in front"));
    type("ab\001\001");
    assert_string_equal(in_vm[1], "ab\001");
    type("\001o");
    assert_non_null(strstr(out, "caldarium: 'o': one onward\r\n"));
    type("ne");
    type("\001onex"); /* "one" in full fits one alone */
    assert_non_null(strstr(in_vm[0], "x"));
    forget();
    type("\001zq");
    assert_non_null(strstr(out, "no VM's name begins with 'z'"));
    assert_string_equal(in_vm[0], "q");
    forget();
    type("\001mlist\r");
    assert_string_equal(in_monitor, "list\r");
    assert_non_null(strstr(out, "caldarium> "));
    type("\001M"); /* a capital: not the monitor's m */
    assert_non_null(strstr(out, "mail is in front"));
    type("\0019\001?");
    assert_non_null(strstr(out, "there is no VM 9"));
    assert_non_null(strstr(out, "4 mail: running, in front"));
    forget();
    type("\001\0331");
    type("\001o\033");
    assert_null(strstr(out, "is in front"));
}

static void whole_name_and_enter(void **state)
{
    (void)state;
    snprintf(configs[2].name, VM_NAME_MAX, "twotwo");
    type("\001two");
    assert_null(strstr(out, "is in front"));
    type("\r");
    assert_non_null(strstr(out, "caldarium: two is in front"));
    type("k");
    assert_string_equal(in_vm[1], "k");
}

static void prompt_shows_on_switching(void **state)
{
    (void)state;
    say(1, "boot\r\nlogin: ");
    say(0, "$ ");
    forget();
    type("\0012");
    assert_string_equal(
        out, "\r\ncaldarium: two is in front (Ctrl-A m: the monitor, Ctrl-A ?: help)\r\nlogin: ");
    forget();
    say(0, "ps\r\n");
    assert_string_equal(out, "\r\033[K[one] $ ps\r\nlogin: ");
}

/* ---- A slow line: it takes what the test lets it take ---- */

/* The line moves on, by that many bytes at least, as the port's interrupt would have it. */
static void line_moves(size_t bytes)
{
    while (bytes > 0 && empty_interrupt) {
        size_t now = bytes < 16 ? bytes : 16;
        line_takes = now;
        console_serve();
        bytes -= now;
    }
    line_takes = 0;
}

static size_t flood(unsigned vm, size_t bytes)
{
    char newlines[256];
    size_t done = 0;

    memset(newlines, '\n', sizeof(newlines));
    while (done < bytes) {
        size_t n = host_console_write(vms[vm].cald, newlines, sizeof(newlines));
        host_console_flush(vms[vm].cald);
        done += n;
        if (n < sizeof(newlines))
            break;
    }
    return done;
}

/* Bytes on the line before this text is whole. */
static size_t bytes_before(const char *text)
{
    const char *at;

    for (unsigned n = 0; !(at = strstr(out, text)); n++) {
        assert_true(n < 4000);
        line_moves(16);
    }
    return (size_t)(at - out);
}

/* One VM floods: others have their share of the line, and nobody waits for it. */
static void a_flood_delays_nobody(void **state)
{
    (void)state;
    line_takes = 0;
    assert_true(flood(1, 100000) >= 100000); /* taken or dropped, and it goes on */
    assert_true(empty_interrupt);            /* it is the port that asks for more */
    assert_int_equal(out_used, 0);
    say(3, "a line of a VM that minds its own\n");
    assert_true(bytes_before("[mail] a line of a VM that minds its own\r\n") < 300);
    say(0, "~ # ");
    assert_true(bytes_before("~ # ") < 600);
    for (unsigned n = 0; n < 20; n++) { /* line by line, also while it goes on */
        char text[32];
        snprintf(text, sizeof(text), "line %u\n", n);
        forget();
        flood(1, 4096);
        say(3, text);
        snprintf(text, sizeof(text), "[mail] line %u\r\n", n);
        assert_true(bytes_before(text) < 300);
    }
}

/* What a person types is answered before all of it. */
static void keys_come_first(void **state)
{
    (void)state;
    type("\001m");
    forget();
    line_takes = 0;
    flood(1, 100000);
    flood(2, 100000);
    host_print("a message");
    line_moves(64);
    forget();
    monitor_host_write("stop two", 8);
    assert_true(bytes_before("stop two") < 200);
}

/* A line that takes whatever there is: what one call moves is little, and behind it the hart is its
 * guest's for a while, without an interrupt. */
static void a_fast_line_leaves_the_hart(void **state)
{
    (void)state;
    line_takes = 0;
    flood(1, 4096);
    line_takes = SIZE_MAX;
    uint64_t pause = console_serve();
    assert_true(out_used > 0 && out_used < 400);
    assert_false(empty_interrupt);
    assert_true(pause < host_timebase());
    say(3, "hello\n"); /* somebody else's output, from another hart */
    assert_false(empty_interrupt);
    serve_all();
    assert_non_null(strstr(out, "[mail] hello\r\n"));
}

static void what_is_over_is_counted(void **state)
{
    (void)state;
    line_takes = 0;
    flood(1, 35300); /* 4,095 fit; one was on its way */
    line_takes = SIZE_MAX;
    serve_all();
    assert_non_null(strstr(out, "[two] \r\n[two] 31,"));
    assert_non_null(strstr(out, " lines dropped\r\n"));
    unsigned lines = 0, thousands = 0, rest = 0;
    for (const char *at = out; (at = strstr(at, "[two] \r\n")); at++)
        lines++;
    assert_int_equal(
        sscanf(strstr(out, "[two] 31,"), "[two] %u,%u lines dropped", &thousands, &rest), 2);
    assert_int_equal(lines + thousands * 1000 + rest, 35328); /* whole writes of 256 */
    forget();
    say(1, "calm\n"); /* and it is heard again */
    assert_string_equal(out, "[two] calm\r\n");
}

/* The VM in front waits for the line, and loses nothing. */
static void front_waits(void **state)
{
    char text[8192];

    (void)state;
    for (unsigned i = 0; i < sizeof(text); i++)
        text[i] = (char)(i % 64 == 63 ? '\n' : 'a' + i / 64 % 26);
    line_takes = 0;
    size_t done = host_console_write(vms[0].cald, text, sizeof(text));
    host_console_flush(vms[0].cald);
    assert_true(done > 1000 && done < sizeof(text));
    atomic_store(&vms[0].cald->uart.full, 1);
    ready_vm = 9;
    say(1, "news\n");
    for (unsigned n = 0; n < 4000 && (done < sizeof(text) || empty_interrupt); n++) {
        line_moves(16);
        done += host_console_write(vms[0].cald, text + done, sizeof(text) - done);
        host_console_flush(vms[0].cald);
    }
    assert_int_equal(ready_vm, 0); /* it was told */
    const char *news = strstr(out, "[two] news\r\n");
    assert_non_null(news);
    assert_int_equal(out_used, sizeof(text) + strlen("[two] news\r\n"));
    size_t first = (size_t)(news - out);
    assert_int_equal(first % 64, 0); /* between two lines */
    assert_memory_equal(out, text, first);
    assert_memory_equal(news + strlen("[two] news\r\n"), text + first, sizeof(text) - first);
}

/* Nobody at the other end: after two seconds nobody waits for them. */
static void a_dead_line_holds_nobody(void **state)
{
    (void)state;
    line_takes = 0;
    assert_true(flood(0, 100000) < 100000);
    sim_time += 3 * sim_timebase;
    assert_int_equal(flood(0, 4096), 4096);
    line_takes = SIZE_MAX;
    serve_all();
    forget();
    say(0, "back\n");
    assert_string_equal(out, "back\n");
}

static void the_end_waits_for_the_line(void **state)
{
    (void)state;
    line_takes = 0;
    say(1, "last words\n");
    host_print("the machine is powered off");
    assert_int_equal(out_used, 0);
    line_takes = SIZE_MAX;
    empty_interrupt = false; /* nobody comes any more */
    console_close(true);
    assert_non_null(strstr(out, "[two] last words\r\n"));
    assert_non_null(strstr(out, "caldarium: the machine is powered off\r\n"));
    say(1, "more\n");
    console_close(false);
    assert_null(strstr(out, "more"));
}

static void the_end_leaves_no_prompt(void **state)
{
    (void)state;
    say(0, "# ");
    host_print("the machine is powered off");
    console_close(true);
    assert_string_equal(out, "# \r\ncaldarium: the machine is powered off\r\n# \r\033[K");
    console_close(false);
    forget();
    host_error("it goes on");
    assert_string_equal(out, "caldarium: it goes on\r\n# ");
}

/* Byte by byte: sent when a line ends, when it is much, or when the hart's timer says so. */
static void bytes_are_put_off(void **state)
{
    (void)state;
    assert_false(host_console_hurry(vms[0].cald, 'a')); /* nobody would come for it */
    host_console_write(vms[0].cald, "a", 1);
    host_console_sent(vms[0].cald);
    assert_true(host_console_hurry(vms[0].cald, 'b'));
    assert_true(host_console_hurry(vms[0].cald, 'c'));
    assert_string_equal(out, "");
    console_flush();
    assert_string_equal(out, "abc");
    assert_false(host_console_hurry(vms[0].cald, 'd'));
    host_console_write(vms[0].cald, "d", 1);
    host_console_sent(vms[0].cald);
    host_print("a message"); /* comes after what was written before it */
    assert_string_equal(out, "abcd\r\ncaldarium: a message\r\nabcd");
    host_console_write(vms[0].cald, "\n", 1);
    host_console_sent(vms[0].cald);
    forget();
    unsigned much = 0;
    host_console_write(vms[1].cald, "x", 1);
    host_console_sent(vms[1].cald);
    while (host_console_hurry(vms[1].cald, 'x'))
        assert_true(++much < 1000);
    assert_true(much > 100);
    host_console_write(vms[1].cald, "x", 1);
    host_console_sent(vms[1].cald);
    assert_true(out_used > 256);
}

/* The port's own turn empties the ring before the hart's timer comes: the timer still looks. */
static void bytes_put_off_across_a_turn(void **state)
{
    (void)state;
    host_console_write(vms[0].cald, "m", 1);
    host_console_sent(vms[0].cald);
    console_serve();
    assert_string_equal(out, "m");
    assert_true(host_console_hurry(vms[0].cald, 'i'));
    console_flush();
    assert_string_equal(out, "mi");
}

static void ending_on_a_slow_line(void **state)
{
    (void)state;
    say(0, "begun ");
    line_takes = 0;
    say(0, "one "); /* on its way; what follows is not */
    say(0, "half");
    say(1, "other half");
    console_vm_ended(&vms[0]);
    console_vm_ended(&vms[1]);
    line_moves(1000);
    assert_null(strstr(out, "[one] begun"));
    assert_non_null(
        strstr(out, "begun one \r\ncaldarium: one was in front; the monitor is now\r\n"));
    assert_non_null(strstr(out, "[one] half\r\n"));
    assert_non_null(strstr(out, "[two] other half\r\n"));
}

static void ending(void **state)
{
    (void)state;
    say(1, "last words");
    console_vm_ended(&vms[1]);
    assert_string_equal(out, "[two] last words\r\n");
    forget();
    say(0, "bye");
    console_vm_ended(&vms[0]);
    assert_string_equal(out, "bye\r\ncaldarium: one was in front; the monitor is now\r\n"
                             "\rcaldarium> \033[K");
    type("x");
    assert_string_equal(in_monitor, "x");
}

static void bell_when_nobody_listens(void **state)
{
    (void)state;
    vms[0].state = VM_ENDED;
    type("b");
    assert_string_equal(out, "\a");
    vms[0].state = VM_RUNNING;
    configs[0].console = CONSOLE_NONE;
    type("c");
    configs[0].console = CONSOLE_UART;
    assert_string_equal(out, "\a\a");
    assert_string_equal(in_vm[0], "");
}

static const char *paste(void)
{
    static char text[6001];

    for (unsigned i = 0; i < sizeof(text) - 1; i++)
        text[i] = (char)(i % 43 == 42 ? '\r' : 'a' + i % 26);
    return text;
}

/* The VM takes nothing for now: the port is left alone, and nothing is lost. */
static void a_paste_waits_for_the_vm(void **state)
{
    const char *text = paste();

    (void)state;
    vm_takes = 100;
    typed = text;
    for (unsigned n = 0; n < 100; n++)
        console_serve();
    size_t left = strlen(typed);
    assert_true(left > 3000); /* in the port, or still with who pastes */
    assert_false(receive_interrupt);
    assert_int_equal(strlen(in_vm[0]), 100);
    while (*typed) {
        vm_takes = 500;
        console_serve();
    }
    assert_true(receive_interrupt);
    vm_takes = SIZE_MAX;
    console_serve();
    assert_string_equal(in_vm[0], text);
    assert_int_equal(out_used, 0);
}

/* Ctrl-A counts at once although what was typed before it waits; that arrives later. */
static void leaving_a_vm_that_takes_nothing(void **state)
{
    (void)state;
    vm_takes = 0;
    type("first\001\001\001mlist\r");
    assert_string_equal(in_monitor, "list\r");
    assert_string_equal(in_vm[0], "");
    vm_takes = SIZE_MAX;
    console_serve();
    assert_string_equal(in_vm[0], "first\001");
    type("\0011"); /* and one that is full is left, too */
    vm_takes = 0;
    typed = paste();
    for (unsigned n = 0; n < 100; n++)
        console_serve();
    console_front(&vms[1]);
    vm_takes = SIZE_MAX;
    forget();
    type("");
    typed = "x";
    console_serve();
    assert_string_equal(in_vm[1] + strlen(in_vm[1]) - 1, "x");
}

/* In its place among the bytes, also where they wait; the monitor has no use for one, and
 * Ctrl-A's choice goes on. */
static void a_break(void **state)
{
    (void)state;
    type("a\036b");
    assert_string_equal(in_vm[0], "a\036b");
    vm_takes = 1;
    type("c\036d");
    assert_string_equal(in_vm[0], "a\036bc");
    vm_takes = SIZE_MAX;
    type("\036e\001\036mli\036st\r");
    assert_string_equal(in_monitor, "list\r");
    assert_string_equal(in_vm[0], "a\036bc\036d\036e\036");
}

/* It takes nothing for two seconds: then nobody is held up any more, and what is lost is counted.
 */
static void a_vm_that_never_reads(void **state)
{
    static char text[6100];

    (void)state;
    snprintf(text, sizeof(text), "%s\001mhelp\r", paste());
    vm_takes = 0;
    typed = text;
    for (unsigned n = 0; n < 100; n++)
        console_serve();
    assert_string_equal(in_monitor, "");
    assert_int_equal(out_used, 0);
    sim_time += 2 * sim_timebase;
    for (unsigned n = 0; n < 100; n++)
        console_serve();
    assert_string_equal(in_monitor, "help\r");
    assert_non_null(strstr(out, "vm one takes no input: 6000 bytes of what was typed are dropped"));
    assert_true(receive_interrupt);
    vm_takes = SIZE_MAX;
    type("\0011y");
    assert_string_equal(in_vm[0], "y");
}

static void colours(void **state)
{
    (void)state;
    console_colour(true);
    say(1, "x\n");
    host_error("no");
    assert_string_equal(out, "\033[33m[two]\033[0m x\r\n\033[31mcaldarium: no\033[0m\r\n");
    console_colour(false);
}

static void any_bytes(void **state)
{
    static const char likely[] = "\033[[];0123456789CDGHJKPm@\b\r\n\a\302\244abc ";

    (void)state;
    srand(1);
    for (int i = 0; i < 500000; i++) {
        int r = rand();
        char c = r % 8 ? likely[(r >> 8) % (int)(sizeof(likely) - 1)] : (char)(r >> 8);
        forget();
        host_console_write(vms[(r >> 4) & 1].cald, &c, 1);
        host_console_flush(vms[(r >> 4) & 1].cald);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(front_goes_straight_through, setup),
        cmocka_unit_test_setup(behind_by_whole_lines, setup),
        cmocka_unit_test_setup(control_characters_of_8_bits, setup),
        cmocka_unit_test_setup(front_line_comes_back, setup),
        cmocka_unit_test_setup(sequence_is_not_torn, setup),
        cmocka_unit_test_setup(long_lines, setup),
        cmocka_unit_test_setup(choosing, setup),
        cmocka_unit_test_setup(whole_name_and_enter, setup),
        cmocka_unit_test_setup(prompt_shows_on_switching, setup),
        cmocka_unit_test_setup(a_flood_delays_nobody, setup),
        cmocka_unit_test_setup(keys_come_first, setup),
        cmocka_unit_test_setup(a_fast_line_leaves_the_hart, setup),
        cmocka_unit_test_setup(what_is_over_is_counted, setup),
        cmocka_unit_test_setup(front_waits, setup),
        cmocka_unit_test_setup(a_dead_line_holds_nobody, setup),
        cmocka_unit_test_setup(the_end_waits_for_the_line, setup),
        cmocka_unit_test_setup(the_end_leaves_no_prompt, setup),
        cmocka_unit_test_setup(ending_on_a_slow_line, setup),
        cmocka_unit_test_setup(a_paste_waits_for_the_vm, setup),
        cmocka_unit_test_setup(leaving_a_vm_that_takes_nothing, setup),
        cmocka_unit_test_setup(a_break, setup),
        cmocka_unit_test_setup(a_vm_that_never_reads, setup),
        cmocka_unit_test_setup(bytes_are_put_off, setup),
        cmocka_unit_test_setup(bytes_put_off_across_a_turn, setup),
        cmocka_unit_test_setup(ending, setup),
        cmocka_unit_test_setup(bell_when_nobody_listens, setup),
        cmocka_unit_test_setup(colours, setup),
        cmocka_unit_test_setup(any_bytes, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
