/* SPDX-License-Identifier: BSD-2-Clause */
/* The words of a command line. */
#ifndef APPLIANCE_MONITOR_WORDS_H
#define APPLIANCE_MONITOR_WORDS_H

#include <stdbool.h>

struct vm;

/* A part of the line; not terminated. */
struct word {
    const char *text;
    unsigned length;
};

/* The next word from `at`; moves `at` behind it. Length 0: there is none. */
struct word word_next(const char **at);

bool word_is(struct word word, const char *name);

/* Whether `name` begins with the word. */
bool word_begins(const char *name, struct word word);

/* A VM by its whole name, by letters that only it begins with, or by number. NULL after saying what
 * is wrong. */
struct vm *word_vm(struct word word);

#endif
