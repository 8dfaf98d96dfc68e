/* SPDX-License-Identifier: BSD-2-Clause */
/* What a driver VM finds of the VMs that it serves: docs/virtio.md is the binding. */
#include <libfdt.h>
#include <stdio.h>

#include "appliance/tree/edit.h"

/* Triples of two cells each: where the client has it, where it is here, bytes. */
static void prop_memory(struct tree *t, int node, const struct driver_window *window)
{
    const struct vm_config *client = window->client->config;
    unsigned ranges = client->memory_ranges;
    fdt64_t cells[SERVED_RANGES][3] = {{0, cpu_to_fdt64(window->base), cpu_to_fdt64(window->size)}};
    if (window->device)
        ranges = 1; /* in a window of its own, addresses begin with 0 */
    for (unsigned n = 0; n < ranges && !window->device; n++) {
        const struct config_range *range = &client->memory[n];
        cells[n][0] = cpu_to_fdt64(range->base);
        cells[n][1] = cpu_to_fdt64(window->base + driver_vm_offset(client, range->base));
        cells[n][2] = cpu_to_fdt64(range->size);
    }
    tree_prop(t, node, "caldarium,memory", cells, (int)(sizeof(cells[0]) * ranges));
}

static void add_device(struct tree *t, int soc, const struct driver_vm *driver, unsigned n)
{
    const struct virtio_vhost *vhost = driver->device[n];
    char name[40];
    uint64_t registers = driver->registers + n * DRIVER_REGISTERS;
    fdt64_t reg[4] = {cpu_to_fdt64(registers), cpu_to_fdt64(DRIVER_REGISTERS),
                      cpu_to_fdt64(driver->rings + n * VHOST_RING_BYTES),
                      cpu_to_fdt64(VHOST_RING_BYTES)};
    snprintf(name, sizeof(name), "vhost@%lx", registers);
    int node = tree_node(t, soc, name);
    prop_memory(t, node, driver_vm_window(driver, vhost));
    tree_u32(t, node, "caldarium,number", n);
    tree_string(t, node, "caldarium,vm", vhost->vm->config->name);
    tree_string(t, node, "label", vhost->device.name);
    tree_prop(t, node, "reg", reg, sizeof(reg));
    tree_string(t, node, "compatible", "caldarium,vhost-v1");
}

void tree_add_driver(struct tree *t, int soc)
{
    const struct driver_vm *driver = t->vm->driver;
    for (unsigned n = driver ? driver->devices : 0; n-- > 0;)
        add_device(t, soc, driver, n);
}

static void add_range(struct tree *t, int parent, const char *kind, uint64_t base, uint64_t size)
{
    char name[40];
    snprintf(name, sizeof(name), "%s@%lx", kind, base);
    int node = tree_node(t, parent, name);
    if (parent)
        tree_prop(t, node, "no-map", NULL, 0);
    tree_prop_reg(t, node, base, size);
    if (!parent)
        tree_string(t, node, "device_type", "memory");
}

/* As memory, so that Linux maps it as such, cached, for whoever has /dev/mem open. */
void tree_add_windows(struct tree *t, int parent)
{
    const struct driver_vm *driver = t->vm->driver;
    const char *kind = parent ? "vhost-memory" : "memory";
    if (!driver)
        return;
    add_range(t, parent, kind, driver->rings, driver->devices * VHOST_RING_BYTES);
    for (unsigned n = driver->windows; n-- > 0;)
        add_range(t, parent, kind, driver->window[n].base, driver->window[n].size);
}
