/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's interrupt controller in its tree. Source: Linux' bindings sifive,plic-1.0.0.yaml,
 * riscv,aplic.yaml, riscv,imsics.yaml. */
#include <libfdt.h>
#include <string.h>

#include "appliance/tree/edit.h"
#include "host/host.h"

#define LINE_S_EXT 9
#define LINE_M_EXT 11

/* Two contexts for each hart: 2n is M-mode's, never used, 2n + 1 is S-mode's. */
static void prop_contexts(struct tree *t, int node)
{
    fdt32_t lines[4 * VM_MAX_VCPUS];
    unsigned count = t->vm->config->vcpus;
    for (unsigned n = 0; n < count; n++) {
        lines[4 * n] = lines[4 * n + 2] = cpu_to_fdt32(t->intc[n]);
        lines[4 * n + 1] = cpu_to_fdt32(LINE_M_EXT);
        lines[4 * n + 3] = cpu_to_fdt32(LINE_S_EXT);
    }
    tree_prop(t, node, "interrupts-extended", lines, (int)(16 * count));
}

/* A line to each hart's S-mode. */
static void prop_lines(struct tree *t, int node)
{
    fdt32_t lines[2 * VM_MAX_VCPUS];
    unsigned count = t->vm->config->vcpus;
    for (unsigned n = 0; n < count; n++) {
        lines[2 * n] = cpu_to_fdt32(t->intc[n]);
        lines[2 * n + 1] = cpu_to_fdt32(LINE_S_EXT);
    }
    tree_prop(t, node, "interrupts-extended", lines, (int)(8 * count));
}

static void add_plic(struct tree *t, int soc)
{
    static const char compatible[] = "sifive,plic-1.0.0\0riscv,plic0";
    int node = tree_node(t, soc, "plic@c000000");
    tree_u32(t, node, "phandle", TREE_PHANDLE_IRQCHIP);
    tree_u32(t, node, "riscv,ndev", vm_irq_sources(t->vm->config));
    tree_prop_reg(t, node, GUEST_PLIC_BASE, GUEST_PLIC_SIZE);
    prop_contexts(t, node);
    tree_prop(t, node, "interrupt-controller", NULL, 0);
    tree_u32(t, node, "#address-cells", 0);
    tree_u32(t, node, "#interrupt-cells", 1);
    tree_prop(t, node, "compatible", compatible, sizeof(compatible));
}

static void add_imsic(struct tree *t, int soc)
{
    int node = tree_node(t, soc, "interrupt-controller@28000000");
    tree_u32(t, node, "phandle", TREE_PHANDLE_IMSIC);
    tree_u32(t, node, "riscv,num-ids", board.imsic_ids);
    tree_prop_reg(t, node, GUEST_IMSIC_BASE, GUEST_IMSIC_PAGE * t->vm->config->vcpus);
    prop_lines(t, node);
    tree_u32(t, node, "#msi-cells", 0);
    tree_prop(t, node, "msi-controller", NULL, 0);
    tree_prop(t, node, "interrupt-controller", NULL, 0);
    tree_u32(t, node, "#interrupt-cells", 0);
    tree_string(t, node, "compatible", "riscv,imsics");
}

static void add_aplic(struct tree *t, int soc)
{
    int node = tree_node(t, soc, "interrupt-controller@d000000");
    tree_u32(t, node, "phandle", TREE_PHANDLE_IRQCHIP);
    tree_u32(t, node, "riscv,num-sources", vm_irq_sources(t->vm->config));
    tree_prop_reg(t, node, GUEST_APLIC_BASE, GUEST_APLIC_SIZE);
    if (t->vm->config->irqchip == IRQCHIP_IMSIC)
        tree_u32(t, node, "msi-parent", TREE_PHANDLE_IMSIC);
    else
        prop_lines(t, node);
    tree_prop(t, node, "interrupt-controller", NULL, 0);
    tree_u32(t, node, "#address-cells", 0);
    tree_u32(t, node, "#interrupt-cells", 2);
    tree_string(t, node, "compatible", "riscv,aplic");
}

void tree_add_irqchip(struct tree *t, int soc)
{
    if (t->vm->config->irqchip == IRQCHIP_PLIC) {
        add_plic(t, soc);
        return;
    }
    add_aplic(t, soc);
    if (t->vm->config->irqchip == IRQCHIP_IMSIC)
        add_imsic(t, soc);
}

/* The controller of the user's own tree at that address; negative: there is none. */
static int find_irqchip(const void *fdt, uint64_t base)
{
    uint64_t at, size;
    int node = fdt_next_node(fdt, -1, NULL);
    for (; node >= 0; node = fdt_next_node(fdt, node, NULL)) {
        if (fdt_getprop(fdt, node, "interrupt-controller", NULL) &&
            fdt_reg(fdt, node, 0, &at, &size) && at == base)
            break;
        host_may_yield();
    }
    return node;
}

/* One page for each hart, without a gap. The bits of a hart's index follow from the lines where
 * they are not given (riscv,imsics.yaml). */
static void resize_imsic(struct tree *t, int node)
{
    int bus = fdt_parent_offset(t->fdt, node), bytes;
    int base_cells = fdt_address_cells(t->fdt, bus), size_cells = fdt_size_cells(t->fdt, bus);
    const fdt32_t *reg = fdt_getprop(t->fdt, node, "reg", &bytes);
    fdt32_t cells[2 * FDT_MAX_NCELLS] = {0};
    if (!reg || size_cells < 1 || bytes < 4 * (base_cells + size_cells))
        return;
    memcpy(cells, reg, 4 * (size_t)base_cells);
    cells[base_cells + size_cells - 1] =
        cpu_to_fdt32((uint32_t)(GUEST_IMSIC_PAGE * t->vm->config->vcpus));
    tree_prop(t, node, "reg", cells, 4 * (base_cells + size_cells));
    if (!t->error && fdt_getprop(t->fdt, node, "riscv,hart-index-bits", NULL))
        t->error = fdt_delprop(t->fdt, node, "riscv,hart-index-bits");
}

void tree_wire_irqchip(struct tree *t)
{
    static const uint64_t base[] = {[IRQCHIP_PLIC] = GUEST_PLIC_BASE,
                                    [IRQCHIP_APLIC] = GUEST_APLIC_BASE,
                                    [IRQCHIP_IMSIC] = GUEST_IMSIC_BASE};
    enum config_irqchip chip = t->vm->config->irqchip;
    int node = t->error ? -1 : find_irqchip(t->fdt, base[chip]);
    if (node < 0)
        return;
    if (chip == IRQCHIP_PLIC)
        prop_contexts(t, node);
    else
        prop_lines(t, node);
    if (chip == IRQCHIP_IMSIC)
        resize_imsic(t, find_irqchip(t->fdt, base[chip])); /* a property may move its parent */
}

void tree_interrupts(struct tree *t, int node, const struct tree_irq *irqs, unsigned count)
{
    fdt32_t cells[2 * PASSTHROUGH_IRQS];
    unsigned used = 0;
    for (unsigned n = 0; n < count && n < PASSTHROUGH_IRQS; n++) {
        cells[used++] = cpu_to_fdt32(irqs[n].source);
        if (t->vm->config->irqchip != IRQCHIP_PLIC)
            cells[used++] = cpu_to_fdt32(irqs[n].type ? irqs[n].type : TREE_HIGH);
    }
    if (!count)
        return;
    tree_prop(t, node, "interrupts", cells, (int)(4 * used));
    tree_u32(t, node, "interrupt-parent", TREE_PHANDLE_IRQCHIP);
}
