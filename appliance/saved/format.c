/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/saved/format.h"

#include <string.h>

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + SAVED_PAGE - 1) & ~(SAVED_PAGE - 1);
}

bool saved_parts(const struct saved_header *header, struct saved_parts *parts)
{
    if (header->ranges > VM_MAX_RANGES || header->items > SAVED_MOST_ITEMS ||
        header->pages > header->bytes / SAVED_PAGE)
        return false; /* and nothing below wraps */
    parts->ranges = sizeof(*header);
    parts->items = parts->ranges + header->ranges * sizeof(struct saved_range);
    parts->places = whole_pages(parts->items + header->items * sizeof(struct saved_item));
    parts->pages = parts->places + whole_pages(header->pages * sizeof(uint64_t));
    parts->end = parts->pages + header->pages * SAVED_PAGE;
    return parts->end == header->bytes;
}

/* A flipped bit, or words in another order, change it: each step can be undone. */
uint64_t saved_sum(uint64_t sum, const uint8_t *at, uint64_t bytes)
{
    uint64_t word;
    if ((uintptr_t)at % sizeof(word) == 0) {
        at = __builtin_assume_aligned(at, sizeof(word));
        for (; bytes; bytes -= sizeof(word), at += sizeof(word)) {
            memcpy(&word, __builtin_assume_aligned(at, sizeof(word)), sizeof(word));
            sum = ((sum ^ word) << 23 | (sum ^ word) >> 41) * 0x9e3779b97f4a7c15;
        }
        return sum;
    }
    for (; bytes; bytes -= sizeof(word), at += sizeof(word)) { /* in a bundle, anywhere */
        memcpy(&word, at, sizeof(word));
        sum = ((sum ^ word) << 23 | (sum ^ word) >> 41) * 0x9e3779b97f4a7c15;
    }
    return sum;
}
