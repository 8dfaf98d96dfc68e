/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pairing heap whose nodes live in what they order: nothing is allocated. Source: Fredman,
 * Sedgewick, Sleator, Tarjan, "The pairing heap" (1986). Insertion takes constant time, the rest
 * amortised O(log n). The owner's lock protects it.
 */
#ifndef HOST_BARE_HEAP_H
#define HOST_BARE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    uint64_t key;
    struct heap_node *child; /* the first of its children */
    struct heap_node *next;  /* the sibling to the right */
    struct heap_node *prev;  /* the sibling to the left, or the parent; NULL: root, or in no heap */
};

struct heap {
    struct heap_node *root; /* the least key, or NULL */
};

/* Adds a node that is in no heap; of equal keys the one added first comes first or later. */
void heap_add(struct heap *heap, struct heap_node *node, uint64_t key);

/* Takes out a node that is in this heap. */
void heap_remove(struct heap *heap, struct heap_node *node);

#endif
