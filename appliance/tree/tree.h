/* SPDX-License-Identifier: BSD-2-Clause */
/* The device tree a guest is given: generated from the board's facts and the VM's description, or
 * the user's own (`fdt`) with memory, cpus, chosen and the interrupt controller's wiring filled in.
 */
#ifndef APPLIANCE_TREE_TREE_H
#define APPLIANCE_TREE_TREE_H

#include <stddef.h>

#include "appliance/load/load.h"
#include "appliance/vm.h"

#define TREE_MAX_BYTES 0x200000UL /* kernels map no more of it early */

/* Room for the tree of such a VM: it grows with vCPUs, what they can do, and the user's own tree.
 */
size_t tree_room(const struct vm_config *config);

/* Writes the tree into out[size]; returns its length, or 0 after one line that says what failed. */
size_t tree_build(const struct vm *vm, const struct loaded *loaded, void *out, size_t size);

/* The interrupt controller that a tree of the user's own (`fdt`) describes; PLIC if it is none. */
enum config_irqchip tree_irqchip(const struct vm_config *config);

/* The extensions this VM's guest sees: the board's, less hidden ones, less isa-disable. */
void tree_guest_isa(const struct vm_config *config, struct riscv_isa *isa);

#endif
