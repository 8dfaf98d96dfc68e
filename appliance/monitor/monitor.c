/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/monitor/monitor.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "appliance/monitor/commands.h"
#include "appliance/monitor/line.h"
#include "appliance/monitor/top.h"
#include "appliance/vm.h"
#include "host/host.h"

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

/* ---- Completion ------------------------------------------------------------------------------ */

/* The n-th name that could stand where `vm_names` says; NULL beyond the last. */
static const char *candidate(bool vm_names, unsigned n)
{
    if (vm_names)
        return n < vm_count ? vms[n].config->name : NULL;
    return command_name(n);
}

static void show_candidates(bool vm_names, struct word word)
{
    char out[200];
    size_t used = 0;

    for (unsigned n = 0; candidate(vm_names, n); n++) {
        const char *name = candidate(vm_names, n);
        size_t length = strlen(name);
        if (!word_begins(name, word))
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
    struct word word = word_next(&at);
    bool vm_names = *at != 0; /* the first word has ended: it is a VM that is being typed */
    if (vm_names) {
        const struct command *command = command_find(word);
        word = word_next(&at);
        while (command && command->arg == ARG_WORDS && *at)
            word = word_next(&at); /* the VM is one of them */
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
        if (!word_begins(name, word))
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
    if (top_end()) { /* this key was for ending it */
        line_draw(&line);
        atomic_flag_clear_explicit(&busy, memory_order_release);
        return;
    }
    switch (line_key(&line, key)) {
    case LINE_ENTERED:
        monitor_run(line.text);
        line_clear(&line);
        if (!top_runs())
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
