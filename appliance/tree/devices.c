/* SPDX-License-Identifier: BSD-2-Clause */
/* Passed-through devices in the guest's tree: the board's nodes, with what only holds for the board
 * replaced. Source: Devicetree specification 0.4, 2.3 and 2.4; Linux' fixed-clock.yaml. */
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "appliance/tree/edit.h"

/* Written anew, or without meaning in another tree. */
static bool is_replaced(const char *name)
{
    static const char *const names[] = {"reg",
                                        "interrupts",
                                        "interrupts-extended",
                                        "interrupt-parent",
                                        "phandle",
                                        "linux,phandle",
                                        "clocks",
                                        "resets",
                                        "iommus",
                                        "power-domains",
                                        "dma-coherent",
                                        "dma-noncoherent",
                                        "dmas",
                                        "pinctrl-0"};
    for (unsigned n = 0; n < sizeof(names) / sizeof(*names); n++) {
        if (!strcmp(name, names[n]))
            return true;
    }
    return false;
}

static void add_regs(struct tree *t, int node, int from)
{
    fdt64_t cells[2 * PASSTHROUGH_REGS];
    uint64_t base, size;
    unsigned count = 0;
    for (unsigned n = 0; n < PASSTHROUGH_REGS && fdt_reg(board.fdt, from, n, &base, &size); n++) {
        cells[count++] = cpu_to_fdt64(base);
        cells[count++] = cpu_to_fdt64(size);
    }
    tree_prop(t, node, "reg", cells, (int)(count * sizeof(*cells)));
}

static void add_irqs(struct tree *t, int node, const struct passthrough *device)
{
    struct tree_irq irqs[PASSTHROUGH_IRQS];
    for (unsigned n = 0; n < device->irq_count; n++)
        irqs[n] = (struct tree_irq){device->irqs[n], device->irq_types[n]};
    tree_interrupts(t, node, irqs, device->irq_count);
}

/* Clocks that never change are copied; others are the board's to set, and the guest is told none.
 */
static void add_clocks(struct tree *t, int node, int from)
{
    int bytes;
    fdt32_t copies[8];
    unsigned count = 0;
    const fdt32_t *cells = fdt_getprop(board.fdt, from, "clocks", &bytes);
    for (unsigned n = 0; cells && n < (unsigned)bytes / 4 && count < 8; n++) {
        int clock = fdt_node_offset_by_phandle(board.fdt, fdt32_ld(cells + n));
        const fdt32_t *hz =
            clock < 0 ? NULL : fdt_getprop(board.fdt, clock, "clock-frequency", NULL);
        if (!hz || fdt_node_check_compatible(board.fdt, clock, "fixed-clock"))
            return;
        copies[count++] = cpu_to_fdt32(TREE_PHANDLE_CLOCK + t->clocks++);
    }
    for (unsigned n = 0; n < count; n++) {
        char name[24];
        uint32_t phandle = fdt32_ld(copies + n);
        int clock = fdt_node_offset_by_phandle(board.fdt, fdt32_ld(cells + n));
        snprintf(name, sizeof(name), "clock-%u", phandle - TREE_PHANDLE_CLOCK);
        int copy = tree_node(t, node, name);
        tree_u32(t, copy, "phandle", phandle);
        tree_u32(t, copy, "clock-frequency",
                 fdt32_ld(fdt_getprop(board.fdt, clock, "clock-frequency", NULL)));
        tree_u32(t, copy, "#clock-cells", 0);
        tree_string(t, copy, "compatible", "fixed-clock");
    }
    if (count)
        tree_prop(t, node, "clocks", copies, (int)(4 * count));
}

#define PCI_MEMORY 0x02000000U /* of 32 bits; PCI Bus Binding to Open Firmware 2.1, 2.2.1.1 */
#define PCI_MEMORY64 0x03000000U
#define WINDOW_ALIGN 0x100000UL

/* The least window that holds the BARs below 4 GiB, or those above; seven cells, or none. */
static unsigned add_window(const struct vm *vm, bool high, fdt32_t *cells)
{
    uint64_t base = UINT64_MAX, end = 0;
    for (unsigned d = 0; d < vm->device_count; d++) {
        for (unsigned r = 0; vm->devices[d].pci && r < vm->devices[d].reg_count; r++) {
            struct config_range bar = vm->devices[d].regs[r];
            if (bar.base >> 32 ? !high : high)
                continue;
            base = bar.base < base ? bar.base & ~(WINDOW_ALIGN - 1) : base;
            end = bar.base + bar.size > end ? bar.base + bar.size : end;
        }
    }
    if (!end)
        return 0;
    uint64_t size = (end - base + WINDOW_ALIGN - 1) & ~(WINDOW_ALIGN - 1);
    const uint64_t words[] = {base, base, size};
    cells[0] = cpu_to_fdt32(high ? PCI_MEMORY64 : PCI_MEMORY);
    for (unsigned n = 0; n < 3; n++) {
        cells[1 + 2 * n] = cpu_to_fdt32((uint32_t)(words[n] >> 32));
        cells[2 + 2 * n] = cpu_to_fdt32((uint32_t)words[n]);
    }
    return 7;
}

/* The bus with the VM's functions; appliance/device/pci.h. Source: Linux' host-generic-pci.yaml. */
static void add_pci(struct tree *t, int soc)
{
    const struct vm *vm = t->vm;
    fdt32_t cells[7 * PASSTHROUGH_DEVICES];
    char name[24];
    snprintf(name, sizeof(name), "pci@%lx", GUEST_PCI_BASE);
    int node = tree_node(t, soc, name);
    unsigned count = 0;
    for (unsigned n = 0; n < vm->device_count; n++) {
        const struct pci_function *function = vm->devices[n].pci;
        if (!function || !function->pin)
            continue;
        const uint32_t entry[] = {(uint32_t)function->slot << 11,
                                  0,
                                  0,
                                  function->pin,
                                  TREE_PHANDLE_IRQCHIP,
                                  function->source,
                                  TREE_HIGH}; /* INTx is a level */
        unsigned width = vm->config->irqchip == IRQCHIP_PLIC ? 6 : 7;
        for (unsigned c = 0; c < width; c++)
            cells[count++] = cpu_to_fdt32(entry[c]);
    }
    const fdt32_t mask[] = {cpu_to_fdt32(0xf800), 0, 0, cpu_to_fdt32(7)};
    if (vm->config->irqchip == IRQCHIP_IMSIC)
        tree_u32(t, node, "msi-parent", TREE_PHANDLE_IMSIC);
    tree_prop(t, node, "interrupt-map", cells, (int)(4 * count));
    tree_prop(t, node, "interrupt-map-mask", mask, sizeof(mask));
    count = add_window(vm, true, cells);
    count += add_window(vm, false, cells + count);
    tree_prop(t, node, "ranges", cells, (int)(4 * count));
    const fdt32_t buses[] = {0, 0};
    tree_prop(t, node, "bus-range", buses, sizeof(buses));
    bool noncoherent = false;
    for (unsigned n = 0; n < vm->device_count; n++)
        noncoherent |= vm->devices[n].pci && vm->devices[n].noncoherent;
    tree_prop(t, node, noncoherent ? "dma-noncoherent" : "dma-coherent", NULL, 0);
    tree_u32(t, node, "#interrupt-cells", 1);
    tree_u32(t, node, "#size-cells", 2);
    tree_u32(t, node, "#address-cells", 3);
    tree_string(t, node, "device_type", "pci");
    tree_string(t, node, "compatible", "pci-host-ecam-generic");
    tree_prop_reg(t, node, GUEST_PCI_BASE, GUEST_PCI_SIZE);
}

void tree_add_devices(struct tree *t, int soc)
{
    if (passthrough_has_pci(t->vm))
        add_pci(t, soc);
    for (unsigned n = t->vm->device_count; n-- > 0;) {
        const struct passthrough *device = &t->vm->devices[n];
        if (device->pci)
            continue;
        int node = tree_node(t, soc, fdt_get_name(board.fdt, device->node, NULL)), at;
        fdt_for_each_property_offset(at, board.fdt, device->node)
        {
            const char *name;
            int bytes;
            const void *value = fdt_getprop_by_offset(board.fdt, at, &name, &bytes);
            if (value && !is_replaced(name))
                tree_prop(t, node, name, value, bytes);
        }
        if (device->noncoherent)
            tree_prop(t, node, "dma-noncoherent", NULL, 0);
        add_irqs(t, node, device);
        add_regs(t, node, device->node);
        add_clocks(t, node, device->node);
    }
}
