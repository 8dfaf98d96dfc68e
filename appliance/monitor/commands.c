/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/monitor/commands.h"

#include <stdatomic.h>
#include <stddef.h>

#include "appliance/monitor/monitor.h"
#include "appliance/monitor/set.h"
#include "appliance/monitor/show.h"
#include "appliance/monitor/top.h"
#include "appliance/vm.h"
#include "host/host.h"

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

static void busy(const struct vm *vm, const char *what, enum vm_request doing)
{
    static const char *const names[] = {
        [VM_REQUEST_RESUME] = "go on", [VM_REQUEST_SAVE] = "be saved",
        [VM_REQUEST_PAUSE] = "pause",  [VM_REQUEST_RESTORE] = "be restored",
        [VM_REQUEST_RESET] = "start",  [VM_REQUEST_STOP] = "stop"};
    host_error("%s: %s is about to %s already", what, vm->config->name, names[doing]);
}

static void ask(struct vm *vm, const char *what, enum vm_request request)
{
    enum vm_request doing = vm_request(vm, request);
    if (doing != VM_REQUEST_NONE)
        busy(vm, what, doing);
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

static void ask_to_stop(struct vm *vm)
{
    ask(vm, "stop", VM_REQUEST_STOP);
    vm_hurry(vm);
}

static void run_stop(struct vm *vm)
{
    if (alive(vm))
        ask_to_stop(vm);
    else
        not_possible(vm, "stop", ": it doesn't run");
}

static void run_pause(struct vm *vm)
{
    if (atomic_load(&vm->state) == VM_RUNNING)
        ask(vm, "pause", VM_REQUEST_PAUSE);
    else
        not_possible(vm, "pause", ": it doesn't run");
}

static void run_resume(struct vm *vm)
{
    if (atomic_load(&vm->state) == VM_PAUSED)
        ask(vm, "resume", VM_REQUEST_RESUME);
    else
        not_possible(vm, "resume", ", not paused");
}

static void run_reset(struct vm *vm)
{
    if (alive(vm))
        ask(vm, "reset", VM_REQUEST_RESET);
    else
        not_possible(vm, "reset", ": 'start' starts it");
}

static void run_save(struct vm *vm)
{
    const char *hindrance = saved_hindrance(vm);
    if (!alive(vm))
        not_possible(vm, "save", ": it has no state");
    else if (hindrance)
        host_error("save: %s: %s", vm->config->name, hindrance);
    else
        ask(vm, "save", VM_REQUEST_SAVE);
}

static void run_drop(struct vm *vm)
{
    uint64_t bytes = saved_bytes(vm);
    char size[MONITOR_SIZE_TEXT];
    if (!bytes)
        host_error("drop: nothing is saved of %s", vm->config->name);
    else if (!saved_drop(vm))
        host_error("drop: what is saved of %s is in use", vm->config->name);
    else
        monitor_print("%s: what was saved is gone, %s are free", vm->config->name,
                      monitor_size(size, bytes));
}

static void restore(struct vm *vm, struct vm *from)
{
    const char *hindrance = saved_hindrance(vm);
    enum vm_request doing = VM_REQUEST_NONE;
    if (atomic_load(&vm->state) == VM_REFUSED)
        host_error("restore: %s is refused: %s", vm->config->name, vm->refused);
    else if (hindrance)
        host_error("restore: %s: %s", vm->config->name, hindrance);
    else if (!saved_bytes(from))
        host_error("restore: nothing is saved of %s", from->config->name);
    else if (!alive(vm))
        monitor_host_start_from(vm, from);
    else
        doing = vm_request_restore(vm, from);
    if (doing != VM_REQUEST_NONE)
        busy(vm, "restore", doing);
}

/* restore VM [from OTHER] */
static void run_restore(const char *words)
{
    struct word name = word_next(&words), from = word_next(&words), other = word_next(&words);
    struct vm *vm, *source;
    if (!name.length) {
        host_error("restore: the name of a VM is missing; 'list' shows them");
        return;
    }
    if ((from.length && !word_is(from, "from")) || (from.length && !other.length) ||
        word_next(&words).length) {
        host_error("restore: VM, or VM from OTHER is expected");
        return;
    }
    vm = word_vm(name);
    source = vm && other.length ? word_vm(other) : vm;
    if (source)
        restore(vm, source);
}

static void run_console(struct vm *vm)
{
    if (atomic_load(&vm->state) == VM_REFUSED)
        host_error("console: %s is refused: %s", vm->config->name, vm->refused);
    else
        monitor_host_console(vm);
}

static void run_dump(struct vm *vm)
{
    if (alive(vm))
        vm_report(vm);
    else
        not_possible(vm, "dump", ": it has no state");
}

static void run_top(struct vm *vm)
{
    (void)vm;
    top_begin();
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
    {"help", ARG_NONE, "this table", .run = run_help},
    {"list", ARG_NONE, "the VMs, their state, harts and memory", .run = show_list},
    {"start", ARG_VM, "starts a VM that doesn't run", .run = run_start},
    {"stop", ARG_VM, "ends a VM at once and takes its memory back", .run = run_stop},
    {"pause", ARG_VM, "stops a VM where it is", .run = run_pause},
    {"resume", ARG_VM, "lets a paused VM go on", .run = run_resume},
    {"reset", ARG_VM, "starts a VM anew, as its reset button would", .run = run_reset},
    {"save", ARG_VM, "keeps a VM's state and memory in free RAM; the VM goes on", .run = run_save},
    {"restore", ARG_WORDS, "VM [from OTHER]: goes on from what was saved of it, or of OTHER",
     .run_words = run_restore},
    {"drop", ARG_VM, "forgets what was saved of a VM", .run = run_drop},
    {"console", ARG_VM, "puts the VM's console in front", .run = run_console},
    {"stats", ARG_MAYBE_VM, "exits by reason, time in the guest and in Caldarium",
     .run = show_stats},
    {"harts", ARG_NONE, "the machine's harts", .run = run_harts},
    {"memory", ARG_NONE, "memory: all, free, and what each VM holds", .run = show_memory},
    {"networks", ARG_NONE, "the networks' ports, and what they have carried", .run = show_networks},
    {"top", ARG_NONE, "what harts and VMs do, each second anew until a key ends it",
     .run = run_top},
    {"dump", ARG_VM, "registers and callers of each vCPU; the VM goes on", .run = run_dump},
    {"trace", ARG_WORDS, "on VM, off VM: notes its exits; VM: shows the last ones",
     .run_words = show_trace},
    {"set", ARG_WORDS, "VM priority=.. budget-us=.. period-us=..: its share, from now on",
     .run_words = set_run},
    {"map", ARG_VM, "a VM's guest-physical address map", .run = show_map},
    {"poweroff", ARG_NONE, "powers the machine off, VMs and all", .run = run_poweroff},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void run_help(struct vm *vm)
{
    static const char *const args[] = {
        [ARG_NONE] = "", [ARG_VM] = "VM", [ARG_MAYBE_VM] = "[VM]", [ARG_WORDS] = "..."};

    (void)vm;
    for (unsigned i = 0; i < COMMANDS; i++) {
        const struct command *c = &commands[i];
        monitor_print("%-8s  %-4s  %s", c->name, args[c->arg], c->help);
    }
    monitor_print("VM: its name, the first letters of it, or its number in 'list'. Tab completes.");
    monitor_print("Ctrl-A and a VM's number or first letters: its console. Ctrl-A ?: more keys.");
}

const struct command *command_find(struct word word)
{
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (word_is(word, commands[i].name))
            return &commands[i];
    }
    return NULL;
}

const char *command_name(unsigned n)
{
    return n < COMMANDS ? commands[n].name : NULL;
}

void monitor_run(const char *text)
{
    const char *at = text;
    struct word first = word_next(&at);
    if (first.length == 0)
        return;
    const char *words = at;
    struct word second = word_next(&at);
    struct word third = word_next(&at);

    const struct command *command = command_find(first);
    if (!command) {
        host_error("there is no command '%.*s'; 'help' lists them", (int)first.length, first.text);
        return;
    }
    if (command->arg == ARG_WORDS) {
        command->run_words(words);
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
        vm = word_vm(second);
        if (!vm)
            return;
    } else if (command->arg == ARG_VM) {
        host_error("%s: the name of a VM is missing; 'list' shows them", command->name);
        return;
    }
    command->run(vm);
}
