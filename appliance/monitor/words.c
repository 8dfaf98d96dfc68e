/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/monitor/words.h"

#include <string.h>

#include "appliance/vm.h"
#include "host/host.h"

struct word word_next(const char **at)
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

bool word_is(struct word word, const char *name)
{
    return strlen(name) == word.length && memcmp(word.text, name, word.length) == 0;
}

bool word_begins(const char *name, struct word word)
{
    return strncmp(name, word.text, word.length) == 0;
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

struct vm *word_vm(struct word word)
{
    struct vm *found = NULL;
    unsigned fits = 0;

    for (unsigned i = 0; i < vm_count; i++) {
        if (word_is(word, vms[i].config->name))
            return &vms[i];
        if (word_begins(vms[i].config->name, word)) {
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
