/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kick is a store of the new deadline and nothing else; whoever looks (the host, by its timer)
 * finds out then whether the deadline that it waited for still holds.
 */
#include "appliance/watchdog.h"

#include "appliance/print.h"
#include "host/host.h"
#include "riscv/sbi.h"

static uint64_t deadline_of(const struct vm *vm)
{
    return host_time() + vm->config->watchdog_ms * (host_timebase() / 1000);
}

void watchdog_kick(struct vm *vm)
{
    if (vm->config->watchdog_ms)
        atomic_store_explicit(&vm->watchdog, deadline_of(vm), memory_order_relaxed);
}

uint64_t watchdog_check(uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (unsigned n = 0; n < vm_count; n++) {
        struct vm *vm = &vms[n];
        if (!vm->config->watchdog_ms || atomic_load(&vm->state) != VM_RUNNING ||
            atomic_load(&vm->request) != VM_REQUEST_NONE ||
            atomic_load(&vm->building) != VM_REQUEST_NONE)
            continue;
        uint64_t deadline = atomic_load(&vm->watchdog);
        if (deadline <= now) {
            vm_error(vm->config->name, "watchdog: not kicked for %u ms; the VM is reset",
                     vm->config->watchdog_ms);
            atomic_store(&vm->watchdog, UINT64_MAX); /* until it has started again */
            vm_report(vm);
            vm_restart(vm);
        } else if (deadline < next) {
            next = deadline;
        }
    }
    return next;
}

/* In the space that the SBI keeps for a firmware of our implementation id (2.0, chapter 3). */
enum { WATCHDOG_KICK, WATCHDOG_TIMEOUT };

void watchdog_call(struct vm *vm, struct cald_vcpu *vcpu, const struct cald_exit *exit)
{
    uint64_t timeout = vm->config->watchdog_ms;
    if (exit->extension != SBI_EXT_CALDARIUM || exit->function > WATCHDOG_TIMEOUT) {
        cald_vcpu_complete(vcpu, SBI_ERR_NOT_SUPPORTED, 0);
    } else if (exit->function == WATCHDOG_TIMEOUT) {
        cald_vcpu_complete(vcpu, SBI_SUCCESS, timeout);
    } else if (!timeout) {
        cald_vcpu_complete(vcpu, SBI_ERR_DENIED, 0);
    } else {
        watchdog_kick(vm);
        cald_vcpu_complete(vcpu, SBI_SUCCESS, 0);
    }
}
