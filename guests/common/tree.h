/* SPDX-License-Identifier: BSD-2-Clause */
/* Just enough of a device tree for small guests: nodes by what they are compatible with. */
#ifndef GUESTS_COMMON_TREE_H
#define GUESTS_COMMON_TREE_H

#include <stdbool.h>
#include <stdint.h>

struct guest_node {
    uint64_t base, size; /* the first range of `reg`, of two cells each */
    uint32_t interrupt;  /* the first cell of `interrupts`, or 0 */
};

/* The n-th node whose `compatible` begins with `name`. */
bool guest_tree_find(uint64_t tree, const char *name, unsigned n, struct guest_node *out);

/* How many nodes have the device_type. */
unsigned guest_tree_count(uint64_t tree, const char *device_type);

/* The first 8 bytes of the first property of that name, or 0. */
uint64_t guest_tree_word(uint64_t tree, const char *property);

#endif
