/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio devices in the guest's tree. Source: Linux' virtio/mmio.yaml. */
#include <stdio.h>

#include "appliance/tree/edit.h"

void tree_add_virtio(struct tree *t, int soc)
{
    char name[32];
    for (unsigned n = t->vm->virtio_count; n-- > 0;) {
        const struct virtio_device *device = t->vm->virtio[n];
        snprintf(name, sizeof(name), "virtio@%lx", device->base);
        int node = tree_node(t, soc, name);
        tree_interrupts(t, node, &(struct tree_irq){device->irq, TREE_HIGH}, 1);
        tree_prop_reg(t, node, device->base, VIRTIO_MMIO_SIZE);
        tree_string(t, node, "compatible", "virtio,mmio");
    }
}
