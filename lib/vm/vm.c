/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's life: made, asked to change, ended. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/dev/virtio_slot.h"
#include "appliance/load/load.h"
#include "lib/vm/memory.h"
#include "lib/common/print.h"
#include "lib/vcpu/report.h"
#include "lib/sbi/sbi.h"
#include "appliance/tree/tree.h"
#include "lib/vm/vm.h"
#include "host/host.h"

struct cald_vm *vms;
unsigned vm_count;

struct cald_vm *vm_find(const char *name)
{
    for (unsigned n = 0; n < vm_count; n++) {
        if (!strcmp(vms[n].config->name, name))
            return &vms[n];
    }
    return NULL;
}

const char *vm_state_name(enum vm_state state)
{
    static const char *const names[] = {"defined", "refused", "running", "paused", "ended"};
    return names[state];
}

static bool uart_send(void *owner, uint8_t byte)
{
    return host_console_write(owner, (const char *)&byte, 1);
}

static size_t uart_room(void *owner)
{
    return host_console_room(owner);
}

static void uart_sent(void *owner)
{
    host_console_sent(owner);
}

static bool uart_hurry(void *owner, uint8_t byte)
{
    return host_console_hurry(owner, byte);
}

static void uart_taken(void *owner)
{
    host_console_taken(owner);
}

static void uart_irq(void *owner, bool data, enum ns16550a_empty empty)
{
    struct cald_vm *vm = owner;
    vm_irq_level_and_edge(vm, GUEST_UART_IRQ, data, empty != NS16550A_FULL,
                          empty == NS16550A_EMPTIED);
}

static bool init_devices(struct cald_vm *vm)
{
    if (!vm_irq_init(vm))
        return false;
    lock_take(&vm->uart.lock); /* the console may be delivering a key */
    ns16550a_init(&vm->uart);
    vm->uart.owner = vm;
    vm->uart.send = uart_send;
    vm->uart.room = uart_room;
    vm->uart.sent = uart_sent;
    vm->uart.hurry = uart_hurry;
    vm->uart.taken = uart_taken;
    vm->uart.irq = uart_irq;
    lock_release(&vm->uart.lock);
    return true;
}

/* The engine opens what the guest is shown, and nothing else. */
static void hide_extensions(struct cald_vm *vm)
{
    struct riscv_isa isa;
    tree_guest_isa(vm->config, &isa);
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++)
        vm->hidden[ext] = !isa_has(&isa, ext);
    vm->eng.isa_disable = vm->hidden;
}

/* What the engine needs for each; vm_destroy() gives it back. */
static bool init_vcpus(struct cald_vm *vm)
{
    const struct engine_ops *ops = vm->eng.ops;
    for (unsigned n = 0; ops->vcpu_init && n < vm->vcpu_count; n++) {
        vm->vcpus[n].eng.vm = &vm->eng;
        if (ops->vcpu_init(&vm->vcpus[n].eng) < 0) {
            vm_error(vm->config->name, "no memory is left for the shadow tables of its %u vCPUs",
                     vm->vcpu_count);
            return false;
        }
    }
    return true;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t vm_gpa_end(const struct cald_vm *vm)
{
    const struct vm_config *config = vm->config;
    uint64_t end = larger(GUEST_PCI_BASE + GUEST_PCI_SIZE, GUEST_IMSIC_BASE + GUEST_IMSIC_SIZE);
    for (unsigned n = 0; n < config->memory_ranges; n++)
        end = larger(end, config->memory[n].base + config->memory[n].size);
    for (unsigned n = 0; n < vm->device_count; n++) {
        const struct passthrough *device = &vm->devices[n];
        for (unsigned r = 0; r < device->reg_count; r++)
            end = larger(end, device->regs[r].base + device->regs[r].size);
    }
    for (unsigned n = 0; n < vm->shared_count; n++)
        end = larger(end, vm->shared[n].base + vm->shared[n].region->size + SHARED_DOORBELL_SIZE);
    return end;
}

static bool map_irqchip(struct cald_vm *vm)
{
    if (vm_irq_map(vm))
        return true;
    vm_error(vm->config->name, "no memory is left for its page tables");
    return false;
}

int vm_create(struct cald_vm *vm)
{
    struct loaded loaded;
    vm->eng.name = vm->config->name;
    vm->eng.gpa_end = vm_gpa_end(vm);
    hide_extensions(vm);
    if (vm->eng.ops->vm_init(&vm->eng) < 0) {
        vm_error(vm->config->name, "no memory is left for its page tables");
        return -1;
    }
    atomic_store(&vm->faulted, 0);
    vm->stopped_at = 0;
    vm->lives++;
    vm->has_plic = vm->config->irqchip == IRQCHIP_PLIC;
    if (!init_devices(vm)) {
        vm_error(vm->config->name, "no memory is left for its page tables");
        vm_destroy(vm);
        return -1;
    }
    if (memory_take(vm) < 0 || !load_images(vm, &loaded) || !passthrough_attach(vm) ||
        !shared_memory_attach(vm) || !map_irqchip(vm) || !init_vcpus(vm) ||
        !passthrough_start(vm)) {
        vm_destroy(vm);
        return -1;
    }
    vm->table_bytes = vm->eng.ops->table_bytes(&vm->eng);
    vm->taken = vm->table_bytes;
    for (unsigned n = 0; n < vm->ram_chunks; n++)
        vm->taken += vm->ram[n].size;
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        vcpu_init(&vm->vcpus[n], vm, n);
    vm->vcpus[0].start_pc = loaded.entry;
    vm->vcpus[0].start_opaque = loaded.fdt;
    return 0;
}

void vm_destroy(struct cald_vm *vm)
{
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        atomic_store(&vm->vcpus[n].hsm, SBI_HSM_STOPPED);
    passthrough_detach(vm);
    shared_memory_detach(vm);
    memory_give_back(vm);
    for (unsigned n = 0; vm->eng.ops->vcpu_fini && n < vm->vcpu_count; n++)
        vm->eng.ops->vcpu_fini(&vm->vcpus[n].eng);
    vm->eng.ops->vm_fini(&vm->eng);
    vm->taken = vm->table_bytes = 0;
}

enum vm_request vm_request(struct cald_vm *vm, enum vm_request request)
{
    lock_take(&vm->life);
    enum vm_state state = atomic_load(&vm->state);
    bool alive = state == VM_RUNNING || state == VM_PAUSED;
    enum vm_request doing = alive ? atomic_load(&vm->request) : VM_REQUEST_STOP;
    if (request > doing) {
        doing = VM_REQUEST_NONE;
        atomic_store(&vm->request, request);
        if (request == VM_REQUEST_RESUME)
            atomic_store(&vm->faulted, 0);
        for (unsigned n = 0; n < vm->vcpu_count; n++)
            vcpu_mail(&vm->vcpus[n], MAIL_CONTROL);
    }
    lock_release(&vm->life);
    return doing;
}

bool vm_time_stop(struct cald_vm *vm)
{
    if (vm->stopped_at || vm->config->pause_time_runs)
        return true;
    if (vm->eng.ops->time_can_stand && !vm->eng.ops->time_can_stand())
        return false;
    vm->stopped_at = host_time();
    return true;
}

void vm_time_go(struct cald_vm *vm)
{
    if (!vm->stopped_at)
        return;
    uint64_t ticks = host_time() - vm->stopped_at;
    vm->stopped_at = 0;
    vm->eng.time_delta -= ticks;
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        vm->eng.ops->time_stood(&vm->vcpus[n].eng, ticks);
}

void vm_restart(struct cald_vm *vm)
{
    unsigned limit = vm->config->restart_limit;
    if (limit && vm->restarts >= limit) {
        vm_error(vm->config->name, "restarted %u times, its restart-limit; it is stopped",
                 vm->restarts);
        vm_request(vm, VM_REQUEST_STOP);
        return;
    }
    vm_request(vm, VM_REQUEST_RESET);
}

void vm_hurry(struct cald_vm *vm)
{
    atomic_store(&vm->hurried, true);
    host_wake(&vm->vcpus[0]);
}

static void follow(struct cald_vm *vm, enum config_on what)
{
    if (what == ON_RESTART)
        vm_restart(vm);
    else
        vm_request(vm, what == ON_PAUSE ? VM_REQUEST_PAUSE : VM_REQUEST_STOP);
}

void vm_guest_off(struct cald_vm *vm)
{
    vm_info(vm->config->name, "powered off");
    vm_request(vm, VM_REQUEST_STOP);
}

void vm_guest_reset(struct cald_vm *vm)
{
    vm_info(vm->config->name, "asked for a reset");
    follow(vm, vm->config->on_reset);
}

void vm_guest_fault(struct cald_vcpu *vcpu, const char *format, ...)
{
    struct cald_vm *vm = vcpu->vm;
    char text[200];
    va_list args;
    if (atomic_exchange(&vm->faulted, 1))
        return; /* another vCPU was first */
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    vm_error(vm->config->name, "vCPU %u at pc %#lx: %s", vcpu->id, vcpu->eng.pc, text);
    report_vcpu(vcpu);
    vm->ended_by_fault = true;
    follow(vm, vm->config->on_fault);
}

bool vm_mmio_read(struct cald_vcpu *vcpu, uint64_t gpa, unsigned width, uint64_t *value)
{
    struct cald_vm *vm = vcpu->vm;
    bool found, served = vm_irq_read(vm, gpa, width, value, &found);
    if (found)
        return served;
    if (gpa - GUEST_UART_BASE < GUEST_UART_SIZE && vm->config->console == CONSOLE_UART)
        return ns16550a_read(&vm->uart, (uint32_t)(gpa - GUEST_UART_BASE), width, value);
    if (gpa - GUEST_PCI_BASE < GUEST_PCI_SIZE && passthrough_has_pci(vm))
        return pci_read(vm, (uint32_t)(gpa - GUEST_PCI_BASE), width, value);
    return shared_memory_read(vm, gpa, width, value) || virtio_slot_read(gpa, width, value);
}

static bool uart_write(struct cald_vcpu *vcpu, uint32_t offset, unsigned width, uint64_t value)
{
    enum ns16550a_answer answer = ns16550a_write(&vcpu->vm->uart, offset, width, value);
    vcpu->again = answer == NS16550A_AGAIN;
    return answer != NS16550A_NONE;
}

bool vm_mmio_write(struct cald_vcpu *vcpu, uint64_t gpa, unsigned width, uint64_t value)
{
    struct cald_vm *vm = vcpu->vm;
    bool found, served = vm_irq_write(vm, gpa, width, value, &found);
    if (found)
        return served;
    if (gpa - GUEST_UART_BASE < GUEST_UART_SIZE && vm->config->console == CONSOLE_UART)
        return uart_write(vcpu, (uint32_t)(gpa - GUEST_UART_BASE), width, value);
    if (gpa - GUEST_PCI_BASE < GUEST_PCI_SIZE && passthrough_has_pci(vm))
        return pci_write(vm, (uint32_t)(gpa - GUEST_PCI_BASE), width, value);
    return shared_memory_write(vm, gpa, width, value) || virtio_slot_write(gpa, width);
}
