/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/monitor/set.h"

#include <stdint.h>
#include <string.h>

#include "appliance/monitor/monitor.h"
#include "appliance/monitor/words.h"
#include "appliance/vm.h"
#include "host/host.h"

/* name=digits; false after saying what is wrong. */
static bool read_value(struct word word, const char *name, unsigned max, unsigned *value)
{
    unsigned at = (unsigned)strlen(name) + 1;
    uint64_t sum = 0;
    bool digits = word.length > at;
    for (; digits && at < word.length; at++) {
        char c = word.text[at];
        digits = c >= '0' && c <= '9' && sum <= max;
        sum = sum * 10 + (uint64_t)(c - '0');
    }
    if (!digits || sum > max) {
        host_error("set: '%.*s': a number up to %u is expected", (int)word.length, word.text, max);
        return false;
    }
    *value = (unsigned)sum;
    return true;
}

static bool named(struct word word, const char *name)
{
    size_t length = strlen(name);
    return word.length > length && !memcmp(word.text, name, length) && word.text[length] == '=';
}

static bool read_one(struct word word, struct monitor_share *share)
{
    if (named(word, "priority"))
        return read_value(word, "priority", PRIORITY_MAX, &share->priority);
    if (named(word, "budget-us"))
        return read_value(word, "budget-us", PERIOD_MAX_US, &share->budget_us);
    if (named(word, "period-us"))
        return read_value(word, "period-us", PERIOD_MAX_US, &share->period_us);
    host_error("set: '%.*s': priority=, budget-us= or period-us= is expected", (int)word.length,
               word.text);
    return false;
}

void set_run(const char *words)
{
    struct word word = word_next(&words);
    if (!word.length) {
        host_error("set: the name of a VM is missing; 'list' shows them");
        return;
    }
    struct vm *vm = word_vm(word);
    if (!vm)
        return;
    enum vm_state state = atomic_load(&vm->state);
    struct monitor_share share;
    if ((state != VM_RUNNING && state != VM_PAUSED) || !monitor_host_share(vm, &share)) {
        host_error("set: %s is %s, not a running VM that shares harts", vm->config->name,
                   state == VM_RUNNING ? "pinned" : vm_state_name(state));
        return;
    }
    word = word_next(&words);
    for (bool more = word.length; more; more = word.length) {
        if (!read_one(word, &share))
            return;
        word = word_next(&words);
    }
    if (share.budget_us && (share.budget_us < BUDGET_MIN_US || share.budget_us > share.period_us ||
                            share.period_us < PERIOD_MIN_US)) {
        host_error("set: budget-us from %u to period-us, and period-us from %u is expected; %u of "
                   "%u is not",
                   BUDGET_MIN_US, PERIOD_MIN_US, share.budget_us, share.period_us);
        return;
    }
    if (!monitor_host_change(vm, &share)) {
        host_error("set: a hart of %s has given away too much already to give it %u of %u us",
                   vm->config->name, share.budget_us, share.period_us);
        return;
    }
    if (share.budget_us)
        monitor_print("%s: priority %u, %u us of each %u us for each vCPU", vm->config->name,
                      share.priority, share.budget_us, share.period_us);
    else
        monitor_print("%s: priority %u, no budget", vm->config->name, share.priority);
}
