/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMs' lives and carrying out requests. vCPU 0 is its VM's leader: when all vCPUs are out of the
 * guest and asleep, it alone, in its turn on some hart, does what was requested.
 */
#include "host/bare/vms.h"

#include <stdio.h>
#include <string.h>

#include "appliance/bundle/bundle.h"
#include "appliance/memory.h"
#include "appliance/print.h"
#include "appliance/watchdog.h"
#include "host/bare/builder.h"
#include "host/bare/console.h"
#include "host/bare/hart.h"
#include "host/bare/machine.h"
#include "host/bare/sched.h"
#include "host/host.h"

static struct vm_config *configs;
static struct lock placement;
static bool poweroff_when_done;

/* What was made of a VM that is refused goes in the reverse order, and so from where each thing was
 * added last: all of this is at boot, on one hart. */
static void give_back(struct vm *vm)
{
    if (vm->cald)
        cald_vm_destroy(vm->cald);
    vm->cald = NULL;
    virtio_unmake(vm);
    shared_memory_unresolve(vm);
    memory_put_back(vm);
    vm->device_count = 0;
}

static void refuse(struct vm *vm, const char *why)
{
    give_back(vm);
    atomic_store(&vm->state, VM_REFUSED);
    vm->start_at_boot = false;
    snprintf(vm->refused, sizeof(vm->refused), "%s", why);
}

static bool define(struct vm *vm, unsigned count)
{
    const struct vm_config *config = vm->config;
    unsigned index = vm->index;
    if (!config->refused)
        machine_choose_engine(&configs[index]);
    if (!config->refused)
        machine_choose_irqchip(&configs[index]);
    atomic_store(&vm->state, config->refused ? VM_REFUSED : VM_DEFINED);
    snprintf(vm->refused, sizeof(vm->refused), "%s", config->reason);
    if (config->refused)
        return true;
    passthrough_resolve(vm, &configs[index]);
    if (!config->refused)
        memory_set_aside(vm, &configs[index]);
    if (!config->refused)
        shared_memory_resolve(vm, &configs[index]);
    if (!config->refused && config->serves)
        driver_vm_resolve(vm, &configs[index], count);
    if (!config->refused)
        virtio_resolve(vm, &configs[index]);
    if (!config->refused)
        machine_check_addresses(vm, &configs[index]);
    if (config->refused) {
        refuse(vm, config->reason);
        return true;
    }
    vm->start_at_boot = config->autostart;
    if (vm_define(vm)) {
        refuse(vm, "the library has no such VM; the lines at boot say why");
        return true;
    }
    uint64_t bytes = sizeof(struct sched_entity) * config->vcpus;
    struct sched_entity *entities = host_pages_alloc(bytes, HOST_PAGE_SIZE);
    if (!entities)
        return false;
    if (!builder_define(vm)) {
        host_pages_free(entities, bytes);
        return false;
    }
    for (unsigned n = 0; n < config->vcpus; n++) {
        struct cald_vcpu *vcpu = cald_vm_vcpu(vm->cald, n);
        entities[n].vcpu = vcpu;
        cald_vcpu_set_owner(vcpu, &entities[n]);
    }
    return true;
}

void vms_define(const void *blob, size_t bytes)
{
    char option[16];
    poweroff_when_done =
        board_option("when-done", option, sizeof(option)) && !strcmp(option, "poweroff");
    if (!bytes) {
        host_error("no bundle: /chosen/linux,initrd-start of the board's tree names none; give one "
                   "as the initrd (qemu: -initrd bundle.dtb)");
        return;
    }
    configs = host_pages_alloc(VM_MAX * sizeof(*configs), HOST_PAGE_SIZE);
    if (!configs) {
        host_error("no memory to read the bundle; no VM is defined");
        return;
    }
    int count = bundle_read(blob, bytes, configs);
    if (count > 0)
        vms = host_pages_alloc((unsigned)count * sizeof(*vms), HOST_PAGE_SIZE);
    if (count > 0 && !vms)
        host_error("no memory to define %d VMs", count);
    if (!vms) {
        host_pages_free(configs, VM_MAX * sizeof(*configs));
        return;
    }
    console_define((unsigned)count);
    for (int n = 0; n < count; n++) {
        vms[n].config = &configs[n];
        vms[n].index = (unsigned)n;
    }
    for (int n = 0; n < count; n++) {
        if (!define(&vms[n], (unsigned)count)) {
            vm_error(configs[n].name, "no memory for its %u vCPUs", configs[n].vcpus);
            refuse(&vms[n], "no memory for its vCPUs");
        }
        vm_count++;
    }
}

static int start(struct vm *vm, enum vm_request request)
{
    enum vm_state state = atomic_load(&vm->state);
    if (state != VM_DEFINED && state != VM_ENDED) {
        vm_error(vm->config->name, "it is %s and can't be started%s%s", vm_state_name(state),
                 state == VM_REFUSED ? ": " : "", state == VM_REFUSED ? vm->refused : "");
        return -1;
    }
    lock_take(&placement);
    bool placed = sched_place(vm);
    if (placed) {
        vm->restarts = 0;
        atomic_store(&vm->hurried, false);
        vm->ended_by_fault = false;
        atomic_store(&vm->out, UINT64_MAX);
        atomic_store(&vm->vcpus_out, vm_vcpu_count(vm));
        atomic_store(&vm->asked, host_time());
        atomic_store(&vm->request, request);
        atomic_store(&vm->state, VM_RUNNING);
        host_wake(cald_vm_vcpu(vm->cald, 0));
    }
    lock_release(&placement);
    if (placed)
        host_watch(); /* whether its hart answers */
    return placed ? 0 : -1;
}

int vms_start(struct vm *vm)
{
    return start(vm, VM_REQUEST_RESET);
}

int vms_start_from(struct vm *vm, struct vm *from)
{
    atomic_store(&vm->restore_from, from);
    return start(vm, VM_REQUEST_RESTORE);
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

/* The VM is over: its harts are free. What tells of it comes after it is so, and before the VM can
 * start again, perhaps on other harts. */
static void end(struct vm *vm, const char *said)
{
    lock_take(&placement);
    lock_take(&vm->life);
    sched_remove(vm);
    vm->waits = false;
    atomic_store(&vm->request, VM_REQUEST_NONE);
    atomic_store(&vm->state, VM_ENDED);
    lock_release(&vm->life);
    if (said)
        vm_info(vm->config->name, "%s", said);
    console_vm_ended(vm);
    lock_release(&placement);
    host_watch(); /* as in finish() */
    if (poweroff_when_done && vm->start_at_boot && all_done())
        machine_poweroff();
}

/* The request is done; false: a stronger one has come. The line that tells of it comes after this:
 * whoever reads it may request for something else, and must not find this one still under way. */
static bool finish(struct vm *vm, enum vm_request request)
{
    watchdog_kick(vm); /* which is looked at again from here on */
    bool done = atomic_compare_exchange_strong(&vm->request, &request, VM_REQUEST_NONE);
    if (done)
        host_watch(); /* nor is its answer waited for, which costs the console's hart a deadline */
    return done;
}

/* Lets every vCPU back in. One that is about to sleep looks at `out` while it holds the lock that
 * host_wake() takes. */
static void admit(struct vm *vm)
{
    atomic_store(&vm->vcpus_out, 0);
    atomic_store(&vm->out, 0);
    for (unsigned n = 0; n < vm_vcpu_count(vm); n++) {
        host_wake(cald_vm_vcpu(vm->cald, n));
    }
}

static void make_again(struct vm *vm)
{
    if (vm->taken) {
        vm->restarts++;
        vm_destroy(vm);
        vm_info(vm->config->name, "starts again");
    }
    vm->waits = virtio_waits(vm, true);
    if (!vm->waits)
        vm_create(vm); /* or nothing is taken */
}

/* It begins a life once those that serve it devices are there: virtio_vhost_there() wakes it. */
static bool waits(const struct vm *vm)
{
    return vm->waits && atomic_load(&vm->request) == VM_REQUEST_RESET && virtio_waits(vm, false);
}

static void save(struct vm *vm)
{
    vm->outcome = saved_take(vm);
}

/* One that did not run is made first. */
static void restore(struct vm *vm)
{
    struct vm *from = atomic_exchange(&vm->restore_from, NULL);
    if (!vm->taken)
        vm_create(vm);
    if (!vm->taken)
        return;
    vm->restarts += vm->rolls_back;
    vm->rolls_back = false;
    vm->outcome = saved_restore(vm, from ? from : vm);
}

static void unmake(struct vm *vm)
{
    if (vm->taken)
        vm_destroy(vm);
}

/*
 * The long part of a request, in as many turns as it takes; true: it is done. The first turn is an
 * urgent one, so it only says that those to come are not.
 */
static bool build(struct vm *vm, enum vm_request request)
{
    static void (*const work[])(struct vm *) = {[VM_REQUEST_SAVE] = save,
                                                [VM_REQUEST_RESTORE] = restore,
                                                [VM_REQUEST_RESET] = make_again,
                                                [VM_REQUEST_STOP] = unmake};
    if (atomic_load(&vm->building) == VM_REQUEST_NONE) {
        atomic_store(&vm->building, request);
        return false;
    }
    if (!builder_run(vm, work[request]))
        return false;
    atomic_store(&vm->building, VM_REQUEST_NONE);
    return true;
}

/* A save or a restore is over: what came of it is told, and the VM goes on, if it was not paused.
 */
static void go_on(struct vm *vm, enum vm_request request)
{
    bool done = finish(vm, request);
    if (vm->outcome == SAVED_DONE)
        vm_info(vm->config->name, "%s", vm->saved.said);
    else
        vm_error(vm->config->name, "%s", vm->saved.said);
    if (vm->outcome == SAVED_BROKEN)
        vm_request(vm, VM_REQUEST_STOP);
    else if (done && atomic_load(&vm->state) == VM_RUNNING)
        admit(vm);
}

/* On the leader, with every vCPU out. What was begun comes to its end before a stronger request is
 * looked at. */
static void carry_out(struct vm *vm)
{
    enum vm_request request = atomic_load(&vm->building);
    bool done;
    if (request == VM_REQUEST_NONE)
        request = atomic_load(&vm->request);
    switch (request) {
    case VM_REQUEST_NONE:
        break;
    case VM_REQUEST_PAUSE:
        done = vm_time_stop(vm);
        atomic_store(&vm->state, VM_PAUSED);
        finish(vm, request);
        vm_info(vm->config->name, "paused%s",
                done ? "" : "; its time runs on: firmware answers its reads of it");
        break;
    case VM_REQUEST_SAVE:
        if (build(vm, request))
            go_on(vm, request);
        break;
    case VM_REQUEST_RESTORE:
        if (!build(vm, request))
            break;
        if (vm->taken)
            go_on(vm, request);
        else
            end(vm, NULL);
        break;
    case VM_REQUEST_RESUME:
        vm_time_go(vm);
        atomic_store(&vm->state, VM_RUNNING);
        done = finish(vm, request);
        vm_info(vm->config->name, "goes on");
        if (done)
            admit(vm);
        break;
    case VM_REQUEST_RESET:
        if (!build(vm, request) || vm->waits)
            break;
        if (!vm->taken) {
            end(vm, NULL);
            break;
        }
        atomic_store(&vm->state, VM_RUNNING);
        done = finish(vm, request);
        vm_info(vm->config->name, "started: %lu MiB of RAM, %lu KiB of page tables",
                (vm->taken - vm->table_bytes) >> 20, vm->table_bytes >> 10);
        if (done)
            admit(vm);
        break;
    case VM_REQUEST_STOP:
        if (!build(vm, request))
            break;
        end(vm, "stopped; its memory and harts are free");
        break;
    }
}

/* ---- Harts that don't answer ---------------------------------------------------------------- */

#define ANSWER_S 10 /* a hart takes so long for a request at most, */
#define NUDGED_S 1  /* and so long to look at its queue when it is asked to */

static bool is_out(const struct cald_vcpu *vcpu);

/* Those that a request of the VM waits for: asked once more to look at their queues, which any hart
 * does soon; or, if they were and haven't, told of. */
static void look_at_harts(struct vm *vm, bool asked)
{
    for (unsigned n = 0; n < vm_vcpu_count(vm); n++) {
        struct cald_vcpu *vcpu = cald_vm_vcpu(vm->cald, n);
        struct hart *hart = &harts[atomic_load(&sched_entity(vcpu)->home)];
        if (n && is_out(vcpu))
            continue; /* the first one's hart carries the request out */
        if (!asked)
            sched_nudge(hart);
        else if (atomic_load(&hart->resched))
            vm_error(vm->config->name,
                     "hart %lu has not answered for %u s: vCPU %u is on it, and what was requested "
                     "of the VM waits",
                     hart->board->id, ANSWER_S, n);
    }
}

/* One VM; 0: nothing is to be looked for. */
static uint64_t watch_one(struct vm *vm, uint64_t now)
{
    static struct {
        uint64_t asked, nudged;
        bool told;
    } state[VM_MAX];
    enum vm_state life = atomic_load(&vm->state);
    uint64_t asked = atomic_load(&vm->asked), due = asked + ANSWER_S * host_timebase();
    if ((life != VM_RUNNING && life != VM_PAUSED) || atomic_load(&vm->request) == VM_REQUEST_NONE)
        return 0;
    if (state[vm->index].asked != asked) {
        state[vm->index].asked = asked;
        state[vm->index].nudged = 0;
        state[vm->index].told = false;
    }
    if (state[vm->index].told)
        return 0;
    if (now < due)
        return due;
    if (!state[vm->index].nudged) {
        state[vm->index].nudged = now;
        look_at_harts(vm, false);
    }
    due = state[vm->index].nudged + NUDGED_S * host_timebase();
    if (now < due)
        return due;
    state[vm->index].told = true;
    look_at_harts(vm, true);
    return 0;
}

uint64_t vms_watch(uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (unsigned n = 0; n < vm_count; n++) {
        uint64_t when = watch_one(&vms[n], now);
        if (when && when < next)
            next = when;
    }
    return next;
}

static bool is_out(const struct cald_vcpu *vcpu)
{
    return atomic_load(&vm_of_vcpu(vcpu)->out) >> cald_vcpu_id(vcpu) & 1;
}

/* Whether a vCPU that is out has nothing to do: what ends that is written before host_wake(). */
static bool stays_out(const struct cald_vcpu *vcpu)
{
    const struct vm *vm = vm_of_vcpu(vcpu);
    if (!is_out(vcpu) || atomic_load(&vm->reports) >> cald_vcpu_id(vcpu) & 1)
        return false;
    return cald_vcpu_id(vcpu) || atomic_load(&vm->request) == VM_REQUEST_NONE ||
           atomic_load(&vm->vcpus_out) != vm_vcpu_count(vm) || waits(vm);
}

void vms_report(struct cald_vcpu *vcpu)
{
    struct vm *vm = vm_of_vcpu(vcpu);
    uint64_t bit = 1ULL << cald_vcpu_id(vcpu);
    if (!(atomic_load_explicit(&vm->reports, memory_order_relaxed) & bit))
        return;
    atomic_fetch_and(&vm->reports, ~bit); /* whoever asks from now on gets another one */
    vm_report_answer(vcpu, is_out(vcpu));
}

/*
 * The leader sleeps with the others and is woken by the last of them. The others are counted when
 * they are off their harts, whatever has come for them, so that all of them have been asleep when
 * the leader carries a request out; one that is woken after that finds itself out and sleeps again.
 */
bool vms_leave(struct cald_vcpu *vcpu)
{
    struct vm *vm = vm_of_vcpu(vcpu);
    /* In this order: who lets the vCPUs in has taken the request away before. */
    bool out = is_out(vcpu), leader = !cald_vcpu_id(vcpu);
    enum vm_request request = atomic_load(&vm->request);
    if (!out && request == VM_REQUEST_NONE)
        return false;
    if (!out) {
        cald_vcpu_put(vcpu);
        atomic_fetch_or(&vm->out, 1ULL << cald_vcpu_id(vcpu));
        if (leader)
            atomic_fetch_add(&vm->vcpus_out, 1);
    }
    if (!leader) {
        sched_stay(vcpu, out ? stays_out : NULL);
        if (!out && atomic_fetch_add(&vm->vcpus_out, 1) + 1 == vm_vcpu_count(vm))
            host_wake(cald_vm_vcpu(vm->cald, 0));
    } else if (request != VM_REQUEST_NONE && atomic_load(&vm->vcpus_out) == vm_vcpu_count(vm) &&
               !waits(vm)) {
        carry_out(vm); /* there may be more to do: the next turn looks again */
    } else {
        sched_stay(vcpu, stays_out);
    }
    return true;
}
