/* SPDX-License-Identifier: BSD-2-Clause */
/* What tree.c and edit.c share: a tree being written. The first error stays; calls after it do
 * nothing, so only the end has to look. */
#ifndef APPLIANCE_TREE_EDIT_H
#define APPLIANCE_TREE_EDIT_H

#include "appliance/tree/fdt_reg.h"
#include "appliance/tree/tree.h"

struct tree {
    const struct vm *vm;
    const struct loaded *loaded;
    void *fdt;
    int error;
    unsigned clocks;             /* copied so far */
    uint32_t cpu;                /* phandle of the first hart; the others' follow */
    uint32_t intc[VM_MAX_VCPUS]; /* phandles of the harts' interrupt controllers */
};

#define TREE_PHANDLE_IRQCHIP 0x1000 /* PLIC or APLIC */
#define TREE_PHANDLE_IMSIC 0x1001
#define TREE_PHANDLE_CPU 0x1100
#define TREE_PHANDLE_INTC 0x1200
#define TREE_PHANDLE_CLOCK 0x1300
#define TREE_PHANDLE_SHARED 0x1400

int tree_node(struct tree *t, int parent, const char *name);
void tree_prop(struct tree *t, int node, const char *name, const void *value, int bytes);
void tree_string(struct tree *t, int node, const char *name, const char *value);
void tree_u32(struct tree *t, int node, const char *name, uint32_t value);
void tree_prop_reg(struct tree *t, int node, uint64_t base, uint64_t size);

/* `interrupts` and `interrupt-parent`, in the cells that the guest's controller has. Types as the
 * device tree has them, 0: a level that is high. */
#define TREE_RISING 1
#define TREE_HIGH 4
struct tree_irq {
    uint32_t source, type;
};
void tree_interrupts(struct tree *t, int node, const struct tree_irq *irqs, unsigned count);

/* The guest's interrupt controller, irqchip.c. */
void tree_add_irqchip(struct tree *t, int soc);

/* In a tree of the user's own: connects the controller that lies where Caldarium's does with the
 * harts, as Caldarium's is. */
void tree_wire_irqchip(struct tree *t);

void tree_add_devices(struct tree *t, int soc);
void tree_add_shared(struct tree *t, int soc);
void tree_add_virtio(struct tree *t, int soc);
/* What a driver VM has of those that it serves: the devices; their memory, as memory nodes of the
 * root, 0, or in reserved-memory. */
void tree_add_driver(struct tree *t, int soc);
void tree_add_windows(struct tree *t, int parent);
void tree_add_reserved(struct tree *t);
void tree_add_cpus(struct tree *t);
void tree_add_memory(struct tree *t);
void tree_fill_chosen(struct tree *t, int chosen);

/* The user's own tree (`fdt`) with memory, cpus, chosen and the interrupt controller's wiring
 * filled in. */
void tree_edit(struct tree *t, size_t size);

#endif
