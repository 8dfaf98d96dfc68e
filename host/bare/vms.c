/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Placing VMs and carrying out wishes. Each vCPU has a hart of its own here; vCPU 0's is the VM's
 * keeper: when all vCPUs are out of the guest, it alone does what was wished.
 */
#include "host/bare/vms.h"

#include <stdio.h>
#include <string.h>

#include "core/bundle/bundle.h"
#include "core/print.h"
#include "core/sbi/sbi.h"
#include "engine/h/h.h"
#include "host/bare/console.h"
#include "host/bare/hart.h"
#include "host/bare/machine.h"
#include "host/host.h"

static struct vm_config *configs;
static struct lock placement;
static bool poweroff_when_done;

static bool define(struct vm *vm, unsigned index)
{
    const struct vm_config *config = &configs[index];
    vm->index = index;
    vm->config = config;
    vm->eng.ops = machine_engine;
    atomic_store(&vm->state, config->refused ? VM_REFUSED : VM_DEFINED);
    snprintf(vm->refused, sizeof(vm->refused), "%s", config->reason);
    if (config->refused)
        return true;
    vm->start_at_boot = config->autostart;
    vm->vcpu_count = config->vcpus;
    vm->vcpus = host_pages_alloc(sizeof(struct vcpu) * config->vcpus, HOST_PAGE_SIZE);
    if (!vm->vcpus)
        return false;
    for (unsigned n = 0; n < config->vcpus; n++) {
        vm->vcpus[n].vm = vm;
        vm->vcpus[n].id = n;
        atomic_store(&vm->vcpus[n].hsm, SBI_HSM_STOPPED);
        atomic_store(&vm->vcpus[n].out, true);
        if (h_features.vector)
            vm->vcpus[n].eng.h.vector = host_pages_alloc(32 * h_features.vlenb, HOST_PAGE_SIZE);
        if (h_features.vector && !vm->vcpus[n].eng.h.vector)
            return false;
    }
    return true;
}

void vms_define(const void *blob, size_t bytes)
{
    char option[16];
    poweroff_when_done = board_option("when-done", option, sizeof(option)) && !strcmp(option, "poweroff");
    if (!bytes) {
        host_error("no bundle: /chosen/linux,initrd-start of the board's tree names none; give one "
                   "as the initrd (qemu: -initrd bundle.dtb)");
        return;
    }
    configs = host_pages_alloc(VM_MAX * sizeof(*configs), HOST_PAGE_SIZE);
    int count = configs ? bundle_read(blob, bytes, configs) : -1;
    if (count <= 0)
        return;
    vms = host_pages_alloc((unsigned)count * sizeof(*vms), HOST_PAGE_SIZE);
    if (!vms) {
        host_error("no memory to define %d VMs", count);
        return;
    }
    for (int n = 0; n < count; n++) {
        if (!define(&vms[n], (unsigned)n)) {
            vm_error(configs[n].name, "no memory for its %u vCPUs", configs[n].vcpus);
            atomic_store(&vms[n].state, VM_REFUSED);
            vms[n].start_at_boot = false;
            snprintf(vms[n].refused, sizeof(vms[n].refused), "no memory for its vCPUs");
        }
        vm_count++;
    }
}

/* The hart that has this id, or NULL. */
static struct hart *hart_by_id(uint64_t id)
{
    for (unsigned n = 0; n < hart_count; n++) {
        if (harts[n].board->id == id)
            return &harts[n];
    }
    return NULL;
}

/* Chooses a free hart for each vCPU: the n-th of `harts` if pinned, else any of them. */
static bool choose(const struct vm *vm, struct hart *chosen[])
{
    const struct vm_config *config = vm->config;
    unsigned found = 0, free = 0;
    if (config->vcpus > hart_count) {
        vm_error(config->name, "property vcpus: %u, each wants a hart of its own; the machine has %u",
                 config->vcpus, hart_count);
        return false;
    }
    for (unsigned n = 0; n < config->hart_count; n++) {
        struct hart *hart = hart_by_id(config->harts[n]);
        if (!hart) {
            vm_error(config->name, "property harts: the machine has no usable hart %lu",
                     config->harts[n]);
            return false;
        }
        if (config->schedule == SCHEDULE_PINNED && n < config->vcpus && atomic_load(&hart->vcpu)) {
            vm_error(config->name, "property harts: hart %lu is taken by VM %s", config->harts[n],
                     atomic_load(&hart->vcpu)->vm->config->name);
            return false;
        }
        if (!atomic_load(&hart->vcpu)) {
            free++;
            if (found < config->vcpus)
                chosen[found++] = hart;
        }
    }
    for (unsigned n = 0; !config->hart_count && n < hart_count; n++) {
        if (!atomic_load(&harts[n].vcpu)) {
            free++;
            if (found < config->vcpus)
                chosen[found++] = &harts[n];
        }
    }
    if (found < config->vcpus)
        vm_error(config->name, "property vcpus: %u, each wants a hart of its own; %u %s free",
                 config->vcpus, free, free == 1 ? "is" : "are");
    return found == config->vcpus;
}

int vms_start(struct vm *vm)
{
    struct hart *chosen[VM_MAX_VCPUS];
    enum vm_state state = atomic_load(&vm->state);
    if (state != VM_DEFINED && state != VM_ENDED) {
        vm_error(vm->config->name, "it is %s and can't be started%s%s", vm_state_name(state),
                 state == VM_REFUSED ? ": " : "", state == VM_REFUSED ? vm->refused : "");
        return -1;
    }
    lock_take(&placement);
    bool placed = choose(vm, chosen);
    if (placed) {
        vm->restarts = 0;
        vm->ended_by_fault = false;
        atomic_store(&vm->vcpus_out, vm->vcpu_count);
        atomic_store(&vm->wish, VM_WISH_RESET);
        atomic_store(&vm->state, VM_RUNNING);
        for (unsigned n = 0; n < vm->vcpu_count; n++) {
            vm->vcpus[n].hart = chosen[n]->index;
            atomic_store(&chosen[n]->vcpu, &vm->vcpus[n]);
        }
        host_kick(&vm->vcpus[0]);
    }
    lock_release(&placement);
    return placed ? 0 : -1;
}

static bool all_done(void)
{
    for (unsigned n = 0; n < vm_count; n++) {
        enum vm_state state = atomic_load(&vms[n].state);
        if (vms[n].start_at_boot && (state == VM_RUNNING || state == VM_PAUSED))
            return false;
    }
    return true;
}

void vms_autostart(void)
{
    for (unsigned n = 0; n < vm_count; n++) {
        if (vms[n].start_at_boot)
            vms[n].start_at_boot = vms_start(&vms[n]) == 0;
    }
    if (poweroff_when_done && all_done())
        machine_poweroff();
}

/* The VM is over: its harts are free. */
static void end(struct vm *vm)
{
    lock_take(&placement);
    lock_take(&vm->life);
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        atomic_store(&harts[vm->vcpus[n].hart].vcpu, NULL);
    atomic_store(&vm->wish, VM_WISH_NONE);
    atomic_store(&vm->state, VM_ENDED);
    lock_release(&vm->life);
    lock_release(&placement);
    console_vm_ended(vm);
    if (poweroff_when_done && vm->start_at_boot && all_done())
        machine_poweroff();
}

/* Lets every vCPU back in. `wish` is done, unless a stronger one has come. */
static void let_in(struct vm *vm, enum vm_wish wish)
{
    if (!atomic_compare_exchange_strong(&vm->wish, &wish, VM_WISH_NONE))
        return;
    atomic_store(&vm->vcpus_out, 0);
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        atomic_store(&vm->vcpus[n].out, false);
        host_kick(&vm->vcpus[n]);
    }
}

/* On the keeper, with every vCPU out. */
static void carry_out(struct vm *vm)
{
    enum vm_wish wish = atomic_load(&vm->wish), done = wish;
    switch (wish) {
    case VM_WISH_NONE:
        break;
    case VM_WISH_PAUSE:
        atomic_store(&vm->state, VM_PAUSED);
        vm_info(vm->config->name, "paused");
        atomic_compare_exchange_strong(&vm->wish, &done, VM_WISH_NONE);
        break;
    case VM_WISH_RESUME:
        atomic_store(&vm->state, VM_RUNNING);
        vm_info(vm->config->name, "goes on");
        let_in(vm, wish);
        break;
    case VM_WISH_RESET:
        if (vm->taken) {
            vm->restarts++;
            vm_destroy(vm);
            vm_info(vm->config->name, "starts again");
        }
        if (vm_create(vm) < 0) {
            end(vm);
            break;
        }
        atomic_store(&vm->state, VM_RUNNING);
        vm_info(vm->config->name, "started: %lu MiB of RAM, %lu KiB of page tables",
                (vm->taken - vm->table_bytes) >> 20, vm->table_bytes >> 10);
        let_in(vm, wish);
        break;
    case VM_WISH_STOP:
        if (vm->taken)
            vm_destroy(vm);
        vm_info(vm->config->name, "stopped; its memory and harts are free");
        end(vm);
        break;
    }
}

bool vms_leave(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    enum vm_wish wish = atomic_load(&vm->wish);
    if (!atomic_load(&vcpu->out)) {
        if (wish == VM_WISH_NONE)
            return false;
        vcpu_enter_mode(vcpu, VCPU_AWAY);
        if (vcpu->eng.loaded)
            vcpu->eng.ops->put(&vcpu->eng);
        atomic_store(&vcpu->out, true);
        if (atomic_fetch_add(&vm->vcpus_out, 1) + 1 == vm->vcpu_count && vcpu->id)
            host_kick(&vm->vcpus[0]);
    }
    if (!vcpu->id && atomic_load(&vm->vcpus_out) == vm->vcpu_count && wish != VM_WISH_NONE) {
        carry_out(vm);
        /* There may be more to do: look again before waiting. */
        host_kick(vcpu);
    }
    return true;
}
