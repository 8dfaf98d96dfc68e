/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/monitor/monitor.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "core/monitor/line.h"
#include "core/monitor/show.h"
#include "core/vm.h"
#include "host/host.h"

enum arg { ARG_NONE, ARG_VM, ARG_MAYBE_VM };

struct command {
    const char *name;
    enum arg arg;
    const char *help;
    void (*run)(struct vm *vm); /* NULL where there is no VM among the words */
};

static struct line line = {.prompt = "caldarium> "};

/* A key or a command is being worked on; then its end shows the prompt. */
static atomic_flag busy = ATOMIC_FLAG_INIT;
static atomic_uint draw_again; /* monitor_enter() came meanwhile */

void monitor_print(const char *format, ...)
{
    char out[256 + 2];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(out, 256, format, args);
    va_end(args);
    if (length < 0)
        return;
    if (length > 255)
        length = 255;
    memcpy(out + length, "\r\n", 2);
    monitor_host_write(out, (size_t)length + 2);
}

/* ---- Commands -------------------------------------------------------------------------------- */

static bool alive(const struct vm *vm)
{
    enum vm_state state = atomic_load(&vm->state);
    return state == VM_RUNNING || state == VM_PAUSED;
}

static void not_possible(const struct vm *vm, const char *what, const char *hint)
{
    host_error("%s: %s is %s%s", what, vm->config->name, vm_state_name(atomic_load(&vm->state)),
               hint);
}

static void run_start(struct vm *vm)
{
    switch (atomic_load(&vm->state)) {
    case VM_REFUSED:
        host_error("start: %s is refused: %s", vm->config->name, vm->refused);
        break;
    case VM_RUNNING:
        not_possible(vm, "start", " already");
        break;
    case VM_PAUSED:
        not_possible(vm, "start", ": 'resume' lets it go on");
        break;
    default:
        monitor_host_start(vm); /* says itself what went wrong */
    }
}

static void run_stop(struct vm *vm)
{
    if (alive(vm))
        vm_request(vm, VM_WISH_STOP);
    else
        not_possible(vm, "stop", ": it doesn't run");
}

static void run_pause(struct vm *vm)
{
    if (atomic_load(&vm->state) == VM_RUNNING)
        vm_request(vm, VM_WISH_PAUSE);
    else
        not_possible(vm, "pause", ": it doesn't run");
}

static void run_resume(struct vm *vm)
{
    if (atomic_load(&vm->state) == VM_PAUSED)
        vm_request(vm, VM_WISH_RESUME);
    else
        not_possible(vm, "resume", ", not paused");
}

static void run_reset(struct vm *vm)
{
    if (alive(vm))
        vm_request(vm, VM_WISH_RESET);
    else
        not_possible(vm, "reset", ": 'start' starts it");
}

static void run_console(struct vm *vm)
{
    if (atomic_load(&vm->state) == VM_REFUSED)
        host_error("console: %s is refused: %s", vm->config->name, vm->refused);
    else
        monitor_host_console(vm);
}

static void run_harts(struct vm *vm)
{
    (void)vm;
    monitor_host_harts();
}

static void run_poweroff(struct vm *vm)
{
    (void)vm;
    monitor_host_poweroff();
}

static void run_help(struct vm *vm);

static const struct command commands[] = {
    {"help", ARG_NONE, "this table", run_help},
    {"list", ARG_NONE, "the VMs, their state, harts and memory", show_list},
    {"start", ARG_VM, "starts a VM that doesn't run", run_start},
    {"stop", ARG_VM, "ends a VM at once and takes its memory back", run_stop},
    {"pause", ARG_VM, "stops a VM where it is", run_pause},
    {"resume", ARG_VM, "lets a paused VM go on", run_resume},
    {"reset", ARG_VM, "starts a VM anew, as its reset button would", run_reset},
    {"console", ARG_VM, "puts the VM's console in front", run_console},
    {"stats", ARG_MAYBE_VM, "exits by reason, time in the guest and in Caldarium", show_stats},
    {"harts", ARG_NONE, "the machine's harts", run_harts},
    {"memory", ARG_NONE, "memory: all, free, and what each VM holds", show_memory},
    {"map", ARG_VM, "a VM's guest-physical address map", show_map},
    {"poweroff", ARG_NONE, "powers the machine off, VMs and all", run_poweroff},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void run_help(struct vm *vm)
{
    static const char *const args[] = {[ARG_NONE] = "", [ARG_VM] = "VM", [ARG_MAYBE_VM] = "[VM]"};

    (void)vm;
    for (unsigned i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        monitor_print("%-8s  %-4s  %s", c->name, args[c->arg], c->help);
    }
    monitor_print("VM: its name, the first letters of it, or its number in 'list'. Tab completes.");
    monitor_print("Ctrl-A and a VM's number or first letters: its console. Ctrl-A ?: more keys.");
}

/* ---- Words ----------------------------------------------------------------------------------- */

struct word {
    const char *text;
    unsigned length;
};

/* The next word from `at`; moves `at` behind it. Length 0: there is none. */
static struct word next_word(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
    struct word word = {*at, 0};
    while (**at && **at != ' ' && **at != '\t') {
        (*at)++;
        word.length++;
    }
    return word;
}

static bool is(struct word word, const char *name)
{
    return strlen(name) == word.length && memcmp(word.text, name, word.length) == 0;
}

static bool begins(const char *name, struct word word)
{
    return strncmp(name, word.text, word.length) == 0;
}

static const struct command *find_command(struct word word)
{
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (is(word, commands[i].name))
            return &commands[i];
    }
    return NULL;
}

/* The n of "3", as in the list's first column; 0 for anything else. */
static unsigned number(struct word word)
{
    unsigned value = 0;

    if (word.length > 2)
        return 0;
    for (unsigned i = 0; i < word.length; i++) {
        if (word.text[i] < '0' || word.text[i] > '9')
            return 0;
        value = value * 10 + (unsigned)(word.text[i] - '0');
    }
    return value;
}

/* A VM by its whole name, by letters that only it begins with, or by number. Says what is wrong. */
static struct vm *find_vm(struct word word)
{
    struct vm *found = NULL;
    unsigned fits = 0;

    for (unsigned i = 0; i < vm_count; i++) {
        if (is(word, vms[i].config->name))
            return &vms[i];
        if (begins(vms[i].config->name, word)) {
            found = &vms[i];
            fits++;
        }
    }
    if (fits == 1)
        return found;
    if (fits > 1) {
        host_error("'%.*s' begins the names of %u VMs; 'list' shows them", (int)word.length,
                   word.text, fits);
        return NULL;
    }
    unsigned n = number(word);
    if (n >= 1 && n <= vm_count)
        return &vms[n - 1];
    host_error("there is no VM '%.*s'; 'list' shows them", (int)word.length, word.text);
    return NULL;
}

void monitor_run(const char *text)
{
    const char *at = text;
    struct word first = next_word(&at);
    if (first.length == 0)
        return;
    struct word second = next_word(&at);
    struct word third = next_word(&at);

    const struct command *command = find_command(first);
    if (!command) {
        host_error("there is no command '%.*s'; 'help' lists them", (int)first.length, first.text);
        return;
    }
    struct word extra = command->arg == ARG_NONE ? second : third;
    if (extra.length > 0) {
        host_error("%s: '%.*s' is one word too many; see 'help'", command->name, (int)extra.length,
                   extra.text);
        return;
    }
    struct vm *vm = NULL;
    if (command->arg != ARG_NONE && second.length > 0) {
        vm = find_vm(second);
        if (!vm)
            return;
    } else if (command->arg == ARG_VM) {
        host_error("%s: the name of a VM is missing; 'list' shows them", command->name);
        return;
    }
    command->run(vm);
}

/* ---- Completion ------------------------------------------------------------------------------ */

/* The n-th name that could stand where `vm_names` says; NULL beyond the last. */
static const char *candidate(bool vm_names, unsigned n)
{
    if (vm_names)
        return n < vm_count ? vms[n].config->name : NULL;
    return n < COMMANDS ? commands[n].name : NULL;
}

static void show_candidates(bool vm_names, struct word word)
{
    char out[200];
    size_t used = 0;

    for (unsigned n = 0; candidate(vm_names, n); n++) {
        const char *name = candidate(vm_names, n);
        size_t length = strlen(name);
        if (!begins(name, word))
            continue;
        if (used + length + 2 >= sizeof(out))
            break;
        memcpy(out + used, name, length);
        memcpy(out + used + length, "  ", 2);
        used += length + 2;
    }
    out[used] = 0;
    monitor_host_write("\r\n", 2);
    monitor_print("%s", out);
    line_draw(&line);
}

static void complete(void)
{
    char before[LINE_SIZE];
    const char *at = before;

    /* What is behind the cursor has no say. */
    memcpy(before, line.text, line.cursor);
    before[line.cursor] = 0;
    struct word word = next_word(&at);
    bool vm_names = *at != 0; /* the first word has ended: it is a VM that is being typed */
    if (vm_names) {
        const struct command *command = find_command(word);
        word = next_word(&at);
        if (!command || command->arg == ARG_NONE || *at != 0) {
            monitor_host_write("\a", 1);
            return;
        }
    }

    const char *first = NULL;
    size_t common = 0;
    unsigned fits = 0;
    for (unsigned n = 0; candidate(vm_names, n); n++) {
        const char *name = candidate(vm_names, n);
        if (!begins(name, word))
            continue;
        if (fits++ == 0) {
            first = name;
            common = strlen(name);
        }
        while (strncmp(first, name, common) != 0)
            common--;
    }
    if (fits == 0) {
        monitor_host_write("\a", 1);
        return;
    }
    bool longer = common > word.length;
    if (longer)
        line_insert(&line, first + word.length, (unsigned)(common - word.length));
    if (fits == 1)
        line_insert(&line, " ", 1);
    else if (!longer)
        show_candidates(vm_names, word);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

void monitor_enter(void)
{
    if (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) {
        atomic_store(&draw_again, true);
        return;
    }
    line_draw(&line);
    atomic_flag_clear_explicit(&busy, memory_order_release);
}

void monitor_key(uint8_t key)
{
    if (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
        return; /* monitor_enter() is drawing on another hart: the key came before its prompt */
    switch (line_key(&line, key)) {
    case LINE_ENTERED:
        monitor_run(line.text);
        line_clear(&line);
        line_draw(&line);
        break;
    case LINE_COMPLETE:
        complete();
        break;
    case LINE_NOTHING:
        break;
    }
    atomic_flag_clear_explicit(&busy, memory_order_release);
    if (atomic_exchange(&draw_again, false))
        monitor_enter();
}
