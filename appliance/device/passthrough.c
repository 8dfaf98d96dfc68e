/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/device/passthrough.h"

#include <libfdt.h>
#include <string.h>

#include "appliance/bundle/property.h"
#include "appliance/print.h"
#include "appliance/tree/fdt_reg.h"
#include "appliance/vm.h"
#include "host/host.h"

#define PAGE_UP(value) (((value) + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1))

/* Devices that are known to leave memory alone. Everybody else is taken to be able to do DMA. */
static bool can_dma(int node)
{
    static const char *const harmless[] = {
        "ns16550a",         "ns16550",
        "snps,dw-apb-uart", "intel,xscale-uart",
        "sifive,uart0",     "google,goldfish-rtc",
        "sifive,gpio0",     "sifive,pwm0",
        "sifive,i2c0",      "opencores,i2c-ocores",
        "sifive,spi0",      "syscon",
        "cfi-flash",
    };
    for (unsigned n = 0; n < sizeof(harmless) / sizeof(*harmless); n++) {
        if (!fdt_node_check_compatible(board.fdt, node, harmless[n]))
            return false;
    }
    return true;
}

/* Another node of the board whose registers lie in the same pages. */
static int neighbour(const struct passthrough *device)
{
    int other = -1;
    while ((other = fdt_next_node(board.fdt, other, NULL)) >= 0) {
        uint64_t base, size;
        if (other == device->node || !fdt_getprop(board.fdt, other, "compatible", NULL))
            continue;
        for (unsigned n = 0; fdt_reg(board.fdt, other, n, &base, &size); n++) {
            for (unsigned r = 0; r < device->reg_count; r++) {
                if (size && config_overlap(device->regs[r], (struct config_range){base, size}))
                    return other;
            }
        }
    }
    return -1;
}

static bool read_regs(struct vm_config *config, struct passthrough *device)
{
    uint64_t base, size;
    for (unsigned n = 0; fdt_reg(board.fdt, device->node, n, &base, &size); n++) {
        uint64_t first = base & ~(HOST_PAGE_SIZE - 1), end = PAGE_UP(base + size);
        if (n == PASSTHROUGH_REGS) {
            property_refuse(config, "property passthrough: %s has more than %d register ranges",
                            device->path, PASSTHROUGH_REGS);
            return false;
        }
        if (!size || end <= first)
            continue;
        device->regs[device->reg_count++] = (struct config_range){first, end - first};
    }
    if (!device->reg_count)
        property_refuse(config, "property passthrough: %s has no registers that the CPU reaches",
                        device->path);
    return device->reg_count;
}

/* The node whose interrupt numbers `node` uses, by its own or an ancestor's interrupt-parent. */
static int interrupt_parent(int node)
{
    for (int at = node; at >= 0; at = fdt_parent_offset(board.fdt, at)) {
        int bytes;
        const fdt32_t *phandle = fdt_getprop(board.fdt, at, "interrupt-parent", &bytes);
        if (phandle && bytes == 4)
            return fdt_node_offset_by_phandle(board.fdt, fdt32_ld(phandle));
    }
    return -1;
}

/* A source, at an APLIC and some PLICs (Andes', T-Head's) its type too; 0: neither of them. */
static unsigned interrupt_cells(int controller)
{
    if (controller < 0)
        return 0;
    const fdt32_t *width = fdt_getprop(board.fdt, controller, "#interrupt-cells", NULL);
    unsigned cells = width ? fdt32_ld(width) : 0;
    if (fdt_getprop(board.fdt, controller, "riscv,ndev", NULL))
        return cells == 1 || cells == 2 ? cells : 0;
    if (fdt_getprop(board.fdt, controller, "riscv,num-sources", NULL))
        return cells == 2 ? 2 : 0;
    return 0;
}

static bool add_irq(struct vm_config *config, struct passthrough *device, uint32_t source,
                    uint32_t type)
{
    bool taken = source == GUEST_UART_IRQ && config->console == CONSOLE_UART;
    if (!source || source > board.irq_sources || taken) {
        property_refuse(config, "property passthrough: %s: interrupt %u %s", device->path, source,
                        taken ? "is the virtual UART's"
                              : "is none of the board's interrupt controller");
        return false;
    }
    if (device->irq_count == PASSTHROUGH_IRQS) {
        property_refuse(config, "property passthrough: %s has more than %d interrupts",
                        device->path, PASSTHROUGH_IRQS);
        return false;
    }
    device->irq_types[device->irq_count] = (uint8_t)type;
    device->irqs[device->irq_count++] = source;
    return true;
}

static bool read_irqs(struct vm_config *config, struct passthrough *device)
{
    int bytes;
    const fdt32_t *cells = fdt_getprop(board.fdt, device->node, "interrupts-extended", &bytes);
    unsigned skip = cells ? 1 : 0;
    int parent = cells && bytes >= 8 ? fdt_node_offset_by_phandle(board.fdt, fdt32_ld(cells))
                                     : interrupt_parent(device->node);
    if (!cells)
        cells = fdt_getprop(board.fdt, device->node, "interrupts", &bytes);
    if (!cells)
        return true;
    unsigned width = interrupt_cells(parent), stride = skip + width;
    if (!width) {
        property_refuse(config,
                        "property passthrough: %s does not interrupt through the PLIC or APLIC",
                        device->path);
        return false;
    }
    for (unsigned n = 0; 4 * (n + 1) * stride <= (unsigned)bytes; n++) {
        uint32_t source = fdt32_ld(cells + n * stride + skip);
        uint32_t type = width == 2 ? fdt32_ld(cells + n * stride + skip + 1) : 0;
        if (!add_irq(config, device, source, type))
            return false;
    }
    return true;
}

static bool place_is_free(const struct vm *vm, struct vm_config *config,
                          const struct passthrough *device)
{
    const struct map_window *bus = &map_windows[MAP_PCI];
    const char *what = device->pci ? map_taken(vm, bus->range, true) : NULL;
    if (what && strcmp(what, bus->what)) {
        property_refuse(config, "property passthrough: %s lies where the virtual PCI bus is (%#lx)",
                        what, bus->range.base);
        return false;
    }
    for (unsigned r = 0; r < device->reg_count; r++) {
        struct config_range regs = device->regs[r];
        what = map_taken(vm, regs, false);
        if (device->pci && config_overlap(regs, bus->range))
            what = bus->what;
        if (what) {
            property_refuse(config, "property passthrough: %s at %#lx lies where %s is",
                            device->path, regs.base, what);
            return false;
        }
    }
    return true;
}

static bool same(const struct passthrough *a, const struct passthrough *b)
{
    return a->pci || b->pci ? a->pci == b->pci : a->node == b->node;
}

/* The VM that has the device, this one included. */
static const struct vm *owner(const struct vm *vm, const struct passthrough *device)
{
    for (const struct vm *other = vms; other <= vm; other++) {
        for (unsigned n = 0; n < other->device_count; n++) {
            if (same(&other->devices[n], device))
                return other;
        }
    }
    return NULL;
}

/* Two VMs can't share an interrupt: who of them is to lower it? */
static bool irqs_are_free(const struct vm *vm, struct vm_config *config,
                          const struct passthrough *device)
{
    for (const struct vm *other = vms; other < vm; other++) {
        for (unsigned n = 0; n < other->device_count; n++) {
            const struct passthrough *theirs = &other->devices[n];
            for (unsigned i = 0; i < theirs->irq_count * device->irq_count; i++) {
                unsigned irq = device->irqs[i % device->irq_count];
                if (theirs->irqs[i / device->irq_count] != irq)
                    continue;
                property_refuse(config,
                                "property passthrough: %s: interrupt %u is %s's too, of VM %s",
                                device->path, irq, theirs->path, other->config->name);
                return false;
            }
        }
    }
    return true;
}

/* A slot for the function on the guest's bus: the board's, if that is free. There are more slots
 * than devices of a VM. */
static void take_slot(const struct vm *vm, struct pci_function *function)
{
    uint32_t taken = 0;
    for (unsigned n = 0; n < vm->device_count; n++)
        taken |= vm->devices[n].pci ? 1U << vm->devices[n].pci->slot : 0;
    function->slot = function->board_slot;
    for (unsigned n = 0; taken >> function->slot & 1 && n < PCI_SLOTS; n++)
        function->slot = (uint8_t)n;
}

/* By the tree, or by where it is on the PCI bus. */
static bool find(struct vm *vm, struct vm_config *config, struct passthrough *device)
{
    device->node = device->bus = fdt_path_offset(board.fdt, device->path);
    int found = device->node >= 0 ? 1 : host_pci_find(device, config);
    if (!found)
        property_refuse(config, "property passthrough: the board has no device \"%.60s\"",
                        device->path);
    if (found <= 0)
        return false;
    const struct vm *other = owner(vm, device);
    if (other) {
        property_refuse(config, "property passthrough: %s belongs to VM %s", device->path,
                        other->config->name);
        return false;
    }
    if (!device->pci)
        return read_regs(config, device) && read_irqs(config, device);
    take_slot(vm, device->pci);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        const struct pci_bar *bar = &device->pci->bars[n];
        if (bar->size)
            device->regs[device->reg_count++] =
                (struct config_range){bar->base, PAGE_UP(bar->size)};
    }
    return !device->pci->pin ||
           add_irq(config, device, device->pci->source, device->pci->source_type);
}

static bool resolve(struct vm *vm, struct vm_config *config, const char *path)
{
    struct passthrough *device = &vm->devices[vm->device_count];
    *device = (struct passthrough){.path = path};
    if (!find(vm, config, device) || !place_is_free(vm, config, device) ||
        !irqs_are_free(vm, config, device))
        return false;
    int sharer = device->pci ? -1 : neighbour(device);
    if (sharer >= 0) {
        property_refuse(config, "property passthrough: %s shares a page with the board's %s", path,
                        fdt_get_name(board.fdt, sharer, NULL));
        return false;
    }
    if (device->reg_count && host_uses_device(device->regs[0].base)) {
        property_refuse(config, "property passthrough: %s is Caldarium's own", path);
        return false;
    }
    device->dma = device->pci || can_dma(device->node);
    host_device_adopt(device);
    if (device->pci)
        device->pci->messages = device->messages && config->irqchip == IRQCHIP_IMSIC;
    if (device->dma && !device->iommu && !(config->direct_map && config->unprotected_dma)) {
        property_refuse(config,
                        "property passthrough: %s can do DMA and is behind no IOMMU; expected "
                        "are direct-map and allow-unprotected-dma",
                        path);
        return false;
    }
    if (!passthrough_check_coherence(config, device))
        return false;
    vm->device_count++;
    return true;
}

void passthrough_resolve(struct vm *vm, struct vm_config *config)
{
    const char *at = config->passthrough, *end = at + config->passthrough_bytes;
    unsigned dma = 0;
    for (; at < end; at += strlen(at) + 1) {
        if (vm->device_count == PASSTHROUGH_DEVICES) {
            property_refuse(config, "property passthrough: more than %d devices",
                            PASSTHROUGH_DEVICES);
            return;
        }
        if (!resolve(vm, config, at)) {
            vm->device_count = 0;
            return;
        }
        dma += vm->devices[vm->device_count - 1].dma && !vm->devices[vm->device_count - 1].iommu;
    }
    if (dma)
        vm_info(config->name,
                "%u of its devices can write to all of the machine's memory: no IOMMU is "
                "in front of them",
                dma);
}

bool passthrough_add(struct vm *vm)
{
    for (unsigned n = 0; n < vm->device_count; n++) {
        struct pci_function *function = vm->devices[n].pci;
        if (function)
            vm->pci.function[function->slot] = function;
    }
    return !passthrough_has_pci(vm) || pci_bus_begin(&vm->pci, vm->cald, GUEST_PCI_BASE);
}

bool passthrough_attach(struct vm *vm)
{
    for (unsigned n = 0; n < vm->device_count; n++) {
        const struct passthrough *device = &vm->devices[n];
        for (unsigned r = 0; r < device->reg_count; r++) {
            uint64_t base = device->regs[r].base;
            if (cald_vm_slot(vm->cald, SLOT_OF_DEVICE(n, r), base, device->regs[r].size,
                             (void *)base, CALD_SLOT_DEVICE)) {
                vm_error(vm->config->name,
                         "property passthrough: no memory is left for its tables");
                return false;
            }
        }
        for (unsigned i = 0; i < device->irq_count; i++) {
            cald_vm_irq_forward(vm->cald, device->irqs[i], device->irq_types[i]);
            host_irq_attach(vm->cald, device->irqs[i], device->irq_types[i]);
        }
    }
    return true;
}

bool passthrough_start(struct vm *vm)
{
    for (unsigned n = 0; n < vm->device_count; n++) {
        if (!host_device_start(vm, &vm->devices[n]))
            return false;
    }
    return true;
}

bool passthrough_has_pci(const struct vm *vm)
{
    return map_has(vm, MAP_PCI);
}

bool passthrough_detach(struct vm *vm)
{
    bool stopped = true;
    for (unsigned n = 0; n < vm->device_count; n++) {
        const struct passthrough *device = &vm->devices[n];
        if (device->dma && !host_device_stop(vm, device)) {
            vm_error(vm->config->name, "%s may still write to its memory: it can't be stopped",
                     device->path);
            stopped &= !device->iommu; /* without one, its VM's memory is nobody else's ever */
        }
        for (unsigned i = 0; i < device->irq_count; i++)
            host_irq_detach(vm->cald, device->irqs[i]);
    }
    if (stopped)
        host_devices_stopped(vm);
    return stopped;
}
