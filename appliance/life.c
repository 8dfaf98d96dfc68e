/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's life: what is asked of it, and what becomes of a guest that ends or goes wrong. */
#include "appliance/vm.h"
#include "appliance/print.h"
#include "host/host.h"

struct vm *vms;
unsigned vm_count;

const char *vm_state_name(enum vm_state state)
{
    static const char *const names[] = {"defined", "refused", "running", "paused", "ended"};
    return names[state];
}

enum vm_request vm_request(struct vm *vm, enum vm_request request)
{
    lock_take(&vm->life);
    enum vm_state state = atomic_load(&vm->state);
    bool alive = state == VM_RUNNING || state == VM_PAUSED;
    enum vm_request doing = alive ? atomic_load(&vm->request) : VM_REQUEST_STOP;
    if (request > doing) {
        doing = VM_REQUEST_NONE;
        atomic_store(&vm->asked, host_time());
        atomic_store(&vm->request, request);
        if (request == VM_REQUEST_RESUME)
            atomic_store(&vm->faulted, 0);
        for (unsigned n = 0; n < vm_vcpu_count(vm); n++)
            cald_vcpu_request(cald_vm_vcpu(vm->cald, n));
    }
    lock_release(&vm->life);
    if (doing == VM_REQUEST_NONE)
        host_watch(); /* whether it is answered */
    return doing;
}

bool vm_time_stop(struct vm *vm)
{
    if (vm->stopped_at || vm->config->pause_time_runs)
        return true;
    if (!cald_vm_time_can_stand(vm->cald))
        return false;
    vm->stopped_at = host_time();
    return true;
}

void vm_time_go(struct vm *vm)
{
    if (!vm->stopped_at)
        return;
    uint64_t ticks = host_time() - vm->stopped_at;
    vm->stopped_at = 0;
    cald_vm_time_stood(vm->cald, ticks);
}

enum vm_request vm_request_restore(struct vm *vm, struct vm *from)
{
    atomic_store(&vm->restore_from, from);
    enum vm_request doing = vm_request(vm, VM_REQUEST_RESTORE);
    if (doing != VM_REQUEST_NONE)
        atomic_store(&vm->restore_from, NULL);
    return doing;
}

/* Its last life but those that its restart-limit allows: it is stopped, with a line. */
static bool used_up(struct vm *vm)
{
    unsigned limit = vm->config->restart_limit;
    if (!limit || vm->restarts < limit)
        return false;
    vm_error(vm->config->name, "restarted %u times, its restart-limit; it is stopped",
             vm->restarts);
    vm_request(vm, VM_REQUEST_STOP);
    return true;
}

void vm_restart(struct vm *vm)
{
    if (!used_up(vm))
        vm_request(vm, VM_REQUEST_RESET);
}

static void roll_back(struct vm *vm)
{
    if (used_up(vm))
        return;
    if (!saved_bytes(vm)) {
        vm_error(vm->config->name, "nothing was saved that it could go back to; it is stopped");
        vm_request(vm, VM_REQUEST_STOP);
        return;
    }
    vm->rolls_back = true;
    vm_request(vm, VM_REQUEST_RESTORE);
}

void vm_hurry(struct vm *vm)
{
    atomic_store(&vm->hurried, true);
    host_wake(cald_vm_vcpu(vm->cald, 0));
}

static void follow(struct vm *vm, enum config_on what)
{
    if (what == ON_RESTART)
        vm_restart(vm);
    else if (what == ON_ROLLBACK)
        roll_back(vm);
    else
        vm_request(vm, what == ON_PAUSE ? VM_REQUEST_PAUSE : VM_REQUEST_STOP);
}

void vm_guest_off(struct vm *vm)
{
    vm_info(vm->config->name, "powered off");
    vm_request(vm, VM_REQUEST_STOP);
}

void vm_guest_reset(struct vm *vm)
{
    vm_info(vm->config->name, "asked for a reset");
    follow(vm, vm->config->on_reset);
}

void vm_guest_fault(struct cald_vcpu *vcpu, const char *text)
{
    struct vm *vm = vm_of_vcpu(vcpu);
    if (atomic_exchange(&vm->faulted, 1))
        return; /* another vCPU was first */
    vm_error(vm->config->name, "vCPU %u at pc %#lx: %s", cald_vcpu_id(vcpu), cald_vcpu_pc(vcpu),
             text);
    cald_vcpu_report(vcpu);
    vm->ended_by_fault = true;
    follow(vm, vm->config->on_fault);
}

void vm_report(struct vm *vm)
{
    bool paused = atomic_load(&vm->state) == VM_PAUSED;
    for (unsigned n = 0; n < (paused ? 1 : vm_vcpu_count(vm)); n++) {
        atomic_fetch_or(&vm->reports, 1ULL << n);
        cald_vcpu_request(cald_vm_vcpu(vm->cald, n));
    }
}

/* One that has left the guest may be taken down any time, but by its leader, who can't be doing so
 * while it looks at its mail: the leader speaks for all. */
void vm_report_answer(struct cald_vcpu *vcpu, bool out)
{
    struct vm *vm = vm_of_vcpu(vcpu);
    struct cald_vm *cald = cald_vcpu_vm(vcpu);
    if (!out) {
        cald_vcpu_report(vcpu);
        return;
    }
    if (cald_vcpu_id(vcpu) || !vm->taken || atomic_load(&vm->vcpus_out) != vm_vcpu_count(vm))
        return;
    for (unsigned n = 0; n < vm_vcpu_count(vm); n++)
        cald_vcpu_report(cald_vm_vcpu(cald, n));
}
