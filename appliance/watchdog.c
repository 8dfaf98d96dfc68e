/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kick is a store of the new deadline and nothing else; whoever looks (the host, by its timer)
 * finds out then whether the deadline that it waited for still holds.
 */
#include "appliance/watchdog.h"

#include "lib/common/print.h"
#include "lib/vcpu/report.h"
#include "host/host.h"

static uint64_t deadline_of(const struct cald_vm *vm)
{
    return host_time() + vm->config->watchdog_ms * (host_timebase() / 1000);
}

void watchdog_kick(struct cald_vm *vm)
{
    if (vm->config->watchdog_ms)
        atomic_store_explicit(&vm->watchdog, deadline_of(vm), memory_order_relaxed);
}

void watchdog_arm(struct cald_vm *vm)
{
    if (!vm->config->watchdog_ms)
        return;
    watchdog_kick(vm);
    host_watch();
}

uint64_t watchdog_check(uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (unsigned n = 0; n < vm_count; n++) {
        struct cald_vm *vm = &vms[n];
        if (!vm->config->watchdog_ms || atomic_load(&vm->state) != VM_RUNNING ||
            atomic_load(&vm->building) != VM_REQUEST_NONE)
            continue;
        uint64_t deadline = atomic_load(&vm->watchdog);
        if (deadline <= now) {
            vm_error(vm->config->name, "watchdog: not kicked for %u ms; the VM is reset",
                     vm->config->watchdog_ms);
            atomic_store(&vm->watchdog, UINT64_MAX); /* until it has started again */
            report_request(vm);
            vm_restart(vm);
        } else if (deadline < next) {
            next = deadline;
        }
    }
    return next;
}
