/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor's commands: a table, and one function each. monitor_run() finds and calls them. */
#ifndef APPLIANCE_MONITOR_COMMANDS_H
#define APPLIANCE_MONITOR_COMMANDS_H

#include "appliance/monitor/words.h"

/* What stands behind the command's name. ARG_WORDS: it reads its words itself. */
enum command_arg { ARG_NONE, ARG_VM, ARG_MAYBE_VM, ARG_WORDS };

struct command {
    const char *name;
    enum command_arg arg;
    const char *help;
    void (*run)(struct vm *vm); /* NULL where there is no VM among the words */
    void (*run_words)(const char *words);
};

/* NULL, if there is none. */
const struct command *command_find(struct word word);

/* The name of the n-th, in the table's order; NULL beyond the last. */
const char *command_name(unsigned n);

#endif
