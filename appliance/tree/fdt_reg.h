/* SPDX-License-Identifier: BSD-2-Clause */
/* "reg" of a device tree node as CPU addresses. */
#ifndef APPLIANCE_TREE_FDT_REG_H
#define APPLIANCE_TREE_FDT_REG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The n-th address and size of a node's "reg", carried through the "ranges" of all its parents.
 * False: there is no n-th, or a parent doesn't map it.
 */
bool fdt_reg(const void *fdt, int node, unsigned n, uint64_t *base, uint64_t *size);

#endif
