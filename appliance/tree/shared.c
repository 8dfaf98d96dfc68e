/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared memory in the guest's tree: docs/shared-memory.md is the binding. */
#include <stdio.h>

#include <libfdt.h>

#include "appliance/tree/edit.h"

void tree_add_shared(struct tree *t, int soc)
{
    char name[40];
    for (unsigned n = t->vm->shared_count; n-- > 0;) {
        const struct shared_window *window = &t->vm->shared[n];
        uint64_t bell = window->base + window->region->size;
        snprintf(name, sizeof(name), "doorbell@%lx", bell);
        int node = tree_node(t, soc, name);
        tree_u32(t, node, "memory-region", TREE_PHANDLE_SHARED + n);
        struct tree_irq irq = {window->region->peer[window->index].irq, TREE_RISING};
        tree_interrupts(t, node, &irq, 1);
        tree_prop_reg(t, node, bell, SHARED_DOORBELL_SIZE);
        tree_string(t, node, "label", window->region->name);
        tree_string(t, node, "compatible", "caldarium,doorbell-v1");
    }
}

void tree_add_reserved(struct tree *t)
{
    char name[40];
    if (!t->vm->shared_count && !t->vm->driver)
        return;
    int reserved = tree_node(t, 0, "reserved-memory");
    tree_prop(t, reserved, "ranges", NULL, 0);
    tree_u32(t, reserved, "#size-cells", 2);
    tree_u32(t, reserved, "#address-cells", 2);
    for (unsigned n = t->vm->shared_count; n-- > 0;) {
        const struct shared_window *window = &t->vm->shared[n];
        snprintf(name, sizeof(name), "shared-memory@%lx", window->base);
        int node = tree_node(t, reserved, name);
        tree_u32(t, node, "phandle", TREE_PHANDLE_SHARED + n);
        tree_prop(t, node, "no-map", NULL, 0);
        tree_prop_reg(t, node, window->base, window->region->size);
        tree_string(t, node, "label", window->region->name);
        tree_string(t, node, "compatible", "caldarium,shared-memory-v1");
    }
    tree_add_windows(t, reserved);
}
