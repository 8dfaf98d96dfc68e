/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/heap.h"

/* Two heaps into one: the larger root becomes the first child of the smaller. */
static struct heap_node *merge(struct heap_node *a, struct heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->key < a->key) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    a->next = a->prev = NULL;
    return a;
}

/* A row of siblings into one heap: in pairs from the left, then those together from the right. */
static struct heap_node *merge_row(struct heap_node *first)
{
    struct heap_node *pairs = NULL, *all = NULL;
    while (first) {
        struct heap_node *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        struct heap_node *pair = merge(a, b);
        pair->next = pairs; /* a stack: the last pair comes off first */
        pairs = pair;
    }
    while (pairs) {
        struct heap_node *rest = pairs->next;
        pairs->next = NULL;
        all = merge(all, pairs);
        pairs = rest;
    }
    return all;
}

void heap_add(struct heap *heap, struct heap_node *node, uint64_t key)
{
    *node = (struct heap_node){.key = key};
    heap->root = merge(heap->root, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    struct heap_node *children = merge_row(node->child);
    if (heap->root == node) {
        heap->root = children;
    } else {
        if (node->prev->child == node)
            node->prev->child = node->next;
        else
            node->prev->next = node->next;
        if (node->next)
            node->next->prev = node->prev;
        heap->root = merge(heap->root, children);
    }
    *node = (struct heap_node){.key = node->key};
}
