/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM out of its configuration, and back: memory, images, tree, devices. */
#include <stdio.h>

#include "appliance/load/load.h"
#include "appliance/map.h"
#include "appliance/memory.h"
#include "appliance/tree/tree.h"
#include "appliance/vm.h"
#include "appliance/watchdog.h"
#include "appliance/print.h"
#include "host/host.h"
#include "riscv/sbi.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t vm_gpa_end(const struct vm *vm)
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
    if (vm->driver)
        end = larger(end, vm->driver->end);
    return end;
}

unsigned vm_irq_sources(const struct vm_config *config)
{
    unsigned sources = GUEST_MIN_SOURCES;
    if (board.irq_sources > sources)
        sources = board.irq_sources;
    for (unsigned n = 0; n < config->shared_count; n++) {
        if (config->shared[n].irq > sources)
            sources = config->shared[n].irq;
    }
    return sources < GUEST_MAX_SOURCES ? sources : GUEST_MAX_SOURCES;
}

/* All that the guest isn't shown, by name. */
static void hidden_names(const struct vm_config *config, char *text, size_t bytes)
{
    struct riscv_isa isa;
    size_t used = 0;
    tree_guest_isa(config, &isa);
    *text = 0;
    for (unsigned ext = 0; ext < ISA_EXT_COUNT && used < bytes; ext++) {
        if (!isa_has(&isa, ext))
            used += (size_t)snprintf(text + used, bytes - used, "%s ", isa_name(ext));
    }
}

static const enum cald_irqchip chips[] = {[IRQCHIP_PLIC] = CALD_IRQCHIP_PLIC,
                                          [IRQCHIP_APLIC] = CALD_IRQCHIP_APLIC,
                                          [IRQCHIP_IMSIC] = CALD_IRQCHIP_IMSIC};

/* The bus stays as it is from one life to the next. */
static int add_regions(struct vm *vm)
{
    if (!passthrough_add(vm) || !shared_memory_add(vm) || !virtio_add(vm) || !driver_vm_add(vm))
        return CALD_EBUSY;
    virtio_slots_begin(vm->cald, GUEST_SLOTS_BASE, GUEST_SLOTS_SIZE);
    return CALD_OK;
}

int vm_define(struct vm *vm)
{
    static char hidden[ISA_EXT_COUNT * 24]; /* the longest name has 20; on the boot hart alone */
    static const uint64_t watchdog = SBI_EXT_CALDARIUM;
    const struct vm_config *config = vm->config;
    bool uart = config->console == CONSOLE_UART;
    hidden_names(config, hidden, sizeof(hidden));
    struct cald_vm_params params = {
        .name = config->name,
        .owner = vm,
        .vcpus = config->vcpus,
        .flags = CALD_VM_CLOSED | (uart ? CALD_VM_CONSOLE : 0) |
                 (config->getchar_zero ? CALD_VM_GETCHAR_ZERO : 0) |
                 (vm->device_count ? CALD_VM_FORWARDS : 0),
        .engine = config->engine == ENGINE_H ? CALD_ENGINE_H : CALD_ENGINE_SHADOW,
        .irqchip = chips[config->irqchip],
        .plic_base = GUEST_PLIC_BASE,
        .aplic_base = GUEST_APLIC_BASE,
        .imsic_base = GUEST_IMSIC_BASE,
        .uart_base = uart ? GUEST_UART_BASE : CALD_NOWHERE,
        .irq_sources = vm_irq_sources(config),
        .imsic_ids = board.imsic_ids,
        .uart_irq = GUEST_UART_IRQ,
        .gpa_end = vm_gpa_end(vm),
        .isa_hidden = hidden,
        .sbi_ids = &watchdog,
        .sbi_id_count = 1,
    };
    int error = cald_vm_create(board.machine, &params, &vm->cald);
    if (error)
        return error;
    return add_regions(vm);
}

/* A VM that goes on from a state has all that a kernel needs in it. */
static bool load(struct vm *vm, struct loaded *loaded)
{
    *loaded = (struct loaded){0};
    return vm->config->state.size || load_images(vm, loaded);
}

static bool go_on(struct vm *vm)
{
    if (!vm->config->state.size)
        return true;
    bool done = saved_load(vm) == SAVED_DONE;
    if (done)
        vm_info(vm->config->name, "%s", vm->saved.said);
    else
        vm_error(vm->config->name, "property state: %s", vm->saved.said);
    return done;
}

int vm_create(struct vm *vm)
{
    struct cald_vm *cald = vm->cald;
    struct loaded loaded;
    if (vm->quarantined) {
        vm_error(vm->config->name, "it can't start again: a device that can't be stopped may still "
                                   "write to the memory it had");
        return -1;
    }
    if (cald_vm_open(cald))
        return -1;
    atomic_store(&vm->faulted, 0);
    vm->stopped_at = 0;
    vm->lives++;
    if (memory_take(vm) < 0 || !load(vm, &loaded) || !passthrough_attach(vm) ||
        !shared_memory_attach(vm) || !driver_vm_attach(vm) ||
        cald_vm_start(cald, loaded.entry, loaded.fdt) || !go_on(vm) || !passthrough_start(vm)) {
        vm_destroy(vm);
        return -1;
    }
    virtio_attach(vm);
    vm->table_bytes = cald_vm_table_bytes(cald);
    vm->taken = vm->table_bytes;
    for (unsigned n = 0; n < vm->ram_chunks; n++)
        vm->taken += vm->ram[n].size;
    return 0;
}

void vm_destroy(struct vm *vm)
{
    vm->quarantined = !passthrough_detach(vm);
    shared_memory_detach(vm);
    virtio_detach(vm);
    driver_vm_detach(vm);
    vm->taken = 0;       /* it is not made any more */
    if (vm->quarantined) /* nor do the tables go by which the device reaches it */
        return;
    memory_give_back(vm);
    cald_vm_close(vm->cald);
    vm->table_bytes = 0;
}
