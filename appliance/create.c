/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM out of its configuration, and back: memory, images, tree, devices. */
#include "appliance/load/load.h"
#include "appliance/memory.h"
#include "appliance/tree/tree.h"
#include "appliance/vm.h"
#include "appliance/watchdog.h"
#include "appliance/print.h"
#include "lib/dev/virtio_slot.h"
#include "host/host.h"

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

/* The engine opens what the guest is shown, and nothing else. */
static void hide_extensions(struct vm *vm)
{
    struct riscv_isa isa;
    tree_guest_isa(vm->config, &isa);
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++)
        vm->cald->hidden[ext] = !isa_has(&isa, ext);
}

void vm_describe(struct vm *vm)
{
    static const enum cald_irqchip chips[] = {[IRQCHIP_PLIC] = CALD_IRQCHIP_PLIC,
                                              [IRQCHIP_APLIC] = CALD_IRQCHIP_APLIC,
                                              [IRQCHIP_IMSIC] = CALD_IRQCHIP_IMSIC};
    const struct vm_config *config = vm->config;
    struct cald_vm *cald = vm->cald;
    cald->owner = vm;
    cald->name = config->name;
    cald->irqchip = chips[config->irqchip];
    cald->has_console = config->console == CONSOLE_UART;
    cald->getchar_zero = config->getchar_zero;
    cald->forwards = vm->device_count;
    cald->irq_sources = vm_irq_sources(config);
    cald->imsic_ids = board.imsic_ids;
    cald->sbi_own = &watchdog_sbi;
    cald->eng.gpa_end = vm_gpa_end(vm);
    hide_extensions(vm);
}

static bool add_devices(struct vm *vm)
{
    if (!passthrough_attach(vm) || !shared_memory_attach(vm))
        return false;
    virtio_slots_begin(vm->cald);
    return true;
}

int vm_create(struct vm *vm)
{
    struct cald_vm *cald = vm->cald;
    struct loaded loaded;
    if (!vm_begin(cald))
        return -1;
    atomic_store(&vm->faulted, 0);
    vm->stopped_at = 0;
    vm->lives++;
    if (memory_take(vm) < 0 || !load_images(vm, &loaded) || !add_devices(vm) ||
        !vm_ready(cald, loaded.entry, loaded.fdt) || !passthrough_start(vm)) {
        vm_destroy(vm);
        return -1;
    }
    vm->table_bytes = vm_table_bytes(cald);
    vm->taken = vm->table_bytes;
    for (unsigned n = 0; n < vm->ram_chunks; n++)
        vm->taken += vm->ram[n].size;
    return 0;
}

void vm_destroy(struct vm *vm)
{
    for (unsigned n = 0; n < vm->cald->vcpu_count; n++)
        atomic_store(&vm->cald->vcpus[n].hsm, SBI_HSM_STOPPED);
    passthrough_detach(vm);
    shared_memory_detach(vm);
    memory_give_back(vm);
    vm_end(vm->cald);
    vm->taken = vm->table_bytes = 0;
}
