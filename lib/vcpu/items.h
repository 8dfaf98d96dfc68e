/* SPDX-License-Identifier: BSD-2-Clause */
/* An item's number and its parts; and a list of items that is being made: it counts on where there
 * is no more room. */
#ifndef LIB_VCPU_ITEMS_H
#define LIB_VCPU_ITEMS_H

#include <stdint.h>

static inline uint32_t item_class(uint32_t item)
{
    return item & 0xff000000;
}

static inline uint32_t item_index(uint32_t item)
{
    return item & 0xffffff;
}

struct item_list {
    uint32_t *items;
    uint32_t room, count;
};

static inline void item_list_add(struct item_list *list, uint32_t item)
{
    if (list->count < list->room)
        list->items[list->count] = item;
    list->count++;
}

#endif
