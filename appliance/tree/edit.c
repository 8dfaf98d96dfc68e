/* SPDX-License-Identifier: BSD-2-Clause */
/* A tree of the user's own: kept as it is, but for what only Caldarium knows. */
#include <libfdt.h>
#include <string.h>

#include "appliance/tree/blob.h"
#include "appliance/tree/edit.h"
#include "host/host.h"

/* Phandles for the generated cpus, above those of the user's nodes. */
static void choose_phandles(struct tree *t)
{
    const uint32_t span = TREE_PHANDLE_INTC - TREE_PHANDLE_CPU;
    uint32_t last;
    t->error = fdt_find_max_phandle(t->fdt, &last);
    if (!t->error && last > FDT_MAX_PHANDLE - 2 * span)
        t->error = -FDT_ERR_NOPHANDLES;
    if (t->error)
        return;
    t->cpu = last < TREE_PHANDLE_CPU ? TREE_PHANDLE_CPU : last + 1;
    for (unsigned n = 0; n < t->vm->config->vcpus; n++)
        t->intc[n] = t->cpu + span + n;
}

/* Nodes of the user's refer to harts' interrupt controllers by phandle: those of the user's cpus
 * stay valid, so they are carried over to the generated ones. */
static void keep_intc(struct tree *t)
{
    int cpu, child;
    fdt_for_each_subnode(cpu, t->fdt, fdt_path_offset(t->fdt, "/cpus"))
    {
        int bytes;
        const fdt32_t *reg = fdt_getprop(t->fdt, cpu, "reg", &bytes);
        if (!reg || bytes < 4)
            continue;
        uint32_t id = fdt32_to_cpu(reg[bytes / 4 - 1]);
        fdt_for_each_subnode(child, t->fdt, cpu)
        {
            uint32_t phandle = fdt_get_phandle(t->fdt, child);
            if (id < t->vm->config->vcpus && phandle && phandle != (uint32_t)-1 &&
                fdt_getprop(t->fdt, child, "interrupt-controller", NULL))
                t->intc[id] = phandle;
        }
    }
}

static void remove_memory(struct tree *t)
{
    int node;
    while (!t->error &&
           (node = fdt_node_offset_by_prop_value(t->fdt, -1, "device_type", "memory", 7)) >= 0)
        t->error = fdt_del_node(t->fdt, node);
}

enum config_irqchip tree_irqchip(const struct vm_config *config)
{
    enum config_irqchip found = IRQCHIP_PLIC;
    void *copy = config->fdt.size <= TREE_MAX_BYTES
                     ? host_pages_alloc(config->fdt.size, HOST_PAGE_SIZE)
                     : NULL;
    if (!copy)
        return found; /* building the tree will say what is wrong with it */
    memcpy(copy, config->fdt.data, config->fdt.size);
    if (!tree_blob_check(copy, config->fdt.size)) {
        if (fdt_node_offset_by_compatible(copy, -1, "riscv,imsics") >= 0)
            found = IRQCHIP_IMSIC;
        else if (fdt_node_offset_by_compatible(copy, -1, "riscv,aplic") >= 0)
            found = IRQCHIP_APLIC;
    }
    host_pages_free(copy, config->fdt.size);
    return found;
}

void tree_edit(struct tree *t, size_t size)
{
    const struct config_image *image = &t->vm->config->fdt;
    /* Copied before it is looked at: inside a bundle it is aligned to 4 bytes, libfdt wants 8. */
    if (image->size > size) {
        t->error = -FDT_ERR_NOSPACE;
        return;
    }
    memcpy(t->fdt, image->data, image->size);
    t->error = tree_blob_check(t->fdt, image->size);
    if (!t->error)
        t->error = fdt_open_into(t->fdt, t->fdt, (int)size);
    if (t->error)
        return;
    choose_phandles(t);
    if (t->error)
        return;
    keep_intc(t);
    int cpus = fdt_path_offset(t->fdt, "/cpus");
    if (cpus >= 0)
        t->error = fdt_del_node(t->fdt, cpus);
    remove_memory(t);
    tree_add_cpus(t);
    tree_add_memory(t);
    int chosen = fdt_path_offset(t->fdt, "/chosen");
    if (chosen < 0)
        chosen = tree_node(t, 0, "chosen");
    tree_fill_chosen(t, chosen);
    tree_wire_irqchip(t);
}
