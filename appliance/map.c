/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/map.h"

#include "appliance/vm.h"

#define UART_PAGE 0x1000UL /* guests map it as a whole */

const struct map_window map_windows[MAP_DEVICES] = {
    [MAP_PLIC] = {"PLIC",
                  "the virtual interrupt controller",
                  "interrupt controller (PLIC), emulated",
                  {GUEST_PLIC_BASE, GUEST_PLIC_SIZE},
                  true},
    [MAP_APLIC] = {"APLIC",
                   "the virtual interrupt controller",
                   "interrupt controller (APLIC), emulated",
                   {GUEST_APLIC_BASE, GUEST_APLIC_SIZE},
                   true},
    [MAP_IMSIC] = {"IMSIC",
                   "the virtual interrupt controller",
                   "interrupt files, a page each vCPU",
                   {GUEST_IMSIC_BASE, GUEST_IMSIC_SIZE},
                   true},
    [MAP_UART] = {"UART",
                  "the virtual UART",
                  "serial port (ns16550a), emulated",
                  {GUEST_UART_BASE, UART_PAGE},
                  true},
    [MAP_SLOTS] = {"virtio-mmio",
                   "the virtio-mmio slots",
                   "virtio-mmio slots, empty where nothing else is",
                   {GUEST_SLOTS_BASE, GUEST_SLOTS_SIZE},
                   true},
    [MAP_PCI] = {"PCI bus",
                 "the virtual PCI bus",
                 "PCI configuration space, emulated",
                 {GUEST_PCI_BASE, GUEST_PCI_SIZE},
                 false},
};

static bool has_pci(const struct vm *vm)
{
    for (unsigned n = 0; n < vm->device_count; n++) {
        if (vm->devices[n].pci)
            return true;
    }
    return false;
}

bool map_has(const struct vm *vm, enum map_device device)
{
    enum config_irqchip irqchip = vm->config->irqchip;
    switch (device) {
    case MAP_PLIC:
        return irqchip == IRQCHIP_PLIC;
    case MAP_APLIC:
        return irqchip == IRQCHIP_APLIC || irqchip == IRQCHIP_IMSIC;
    case MAP_IMSIC:
        return irqchip == IRQCHIP_IMSIC;
    case MAP_UART:
        return vm->config->console == CONSOLE_UART;
    case MAP_PCI:
        return has_pci(vm);
    default:
        return true;
    }
}

const struct map_window *map_kept(struct config_range range)
{
    for (unsigned n = 0; n < MAP_DEVICES; n++) {
        if (map_windows[n].kept && config_overlap(range, map_windows[n].range))
            return &map_windows[n];
    }
    return NULL;
}

/* Of the board's, and shared. */
static const char *given_there(const struct vm *vm, struct config_range range)
{
    for (unsigned n = 0; n < vm->device_count; n++) {
        const struct passthrough *device = &vm->devices[n];
        for (unsigned r = 0; r < device->reg_count; r++) {
            if (config_overlap(range, device->regs[r]))
                return device->path;
        }
    }
    for (unsigned n = 0; n < vm->shared_count; n++) {
        const struct shared_window *window = &vm->shared[n];
        uint64_t size = window->region->size + SHARED_DOORBELL_SIZE;
        if (config_overlap(range, (struct config_range){window->base, size}))
            return window->region->name;
    }
    return NULL;
}

const char *map_taken(const struct vm *vm, struct config_range range, bool given)
{
    const struct vm_config *config = vm->config;
    for (unsigned n = 0; n < config->memory_ranges; n++) {
        if (config_overlap(range, config->memory[n]))
            return "the VM's memory";
    }
    /* A board's virtio devices may lie in the slots: where nothing else is they are empty. */
    for (unsigned n = 0; n < MAP_DEVICES; n++) {
        if (n != MAP_SLOTS && map_has(vm, n) && config_overlap(range, map_windows[n].range))
            return map_windows[n].what;
    }
    return given ? given_there(vm, range) : NULL;
}
