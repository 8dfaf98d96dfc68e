/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/ram.h"

#include "host/host.h"

#define GIB (1UL << 30)

static uint64_t down(uint64_t value, uint64_t unit)
{
    return value & ~(unit - 1);
}

static uint64_t up(uint64_t value, uint64_t unit)
{
    return down(value + unit - 1, unit);
}

static uint64_t end_of(const struct ram_range *range)
{
    return range->base + range->size;
}

bool ram_clip(struct ram_range *range)
{
    struct ram_range old = *range;
    if (old.base >= RAM_LIMIT) {
        range->size = 0;
        return old.size;
    }
    uint64_t end = old.size > RAM_LIMIT - old.base ? RAM_LIMIT : end_of(&old);
    range->base = up(old.base, HOST_PAGE_SIZE);
    end = down(end, HOST_PAGE_SIZE);
    range->size = end > range->base ? end - range->base : 0;
    return old.size && (range->base != old.base || range->size != old.size);
}

unsigned ram_tidy(struct ram_range *list, unsigned count)
{
    for (unsigned n = 1; n < count; n++) { /* few, and mostly in order already */
        struct ram_range range = list[n];
        unsigned at = n;
        for (; at && list[at - 1].base > range.base; at--)
            list[at] = list[at - 1];
        list[at] = range;
    }
    unsigned kept = 0;
    for (unsigned n = 0; n < count; n++) {
        struct ram_range *last = kept ? &list[kept - 1] : NULL;
        if (!list[n].size)
            continue;
        if (!last || list[n].base > end_of(last))
            list[kept++] = list[n];
        else if (end_of(&list[n]) > end_of(last))
            last->size = end_of(&list[n]) - last->base;
    }
    return kept;
}

unsigned ram_windows(struct ram_range *ram, unsigned *count, uint64_t va, uint64_t room,
                     struct ram_window *windows)
{
    unsigned made = 0, n = 0;
    for (; n < *count; n++) {
        uint64_t from = down(ram[n].base, GIB), to = up(end_of(&ram[n]), GIB);
        struct ram_window *window = made ? &windows[made - 1] : NULL;
        uint64_t used = window ? window->va + window->size - va : 0; /* of the room */
        if (!window || from > window->pa + window->size) {
            used += window ? GIB : 0;
            if (used >= room)
                break;
            window = &windows[made++];
            *window = (struct ram_window){.pa = from, .va = va + used};
        }
        uint64_t have = window->pa + window->size, left = room - used;
        uint64_t more = to > have ? to - have : 0;
        window->size += more < left ? more : left;
        if (more <= left)
            continue;
        if (ram[n].base < window->pa + window->size) {
            ram[n].size = window->pa + window->size - ram[n].base;
            n++;
        }
        break;
    }
    *count = n;
    return made;
}

bool ram_next_free(const struct ram_range *used, unsigned count, uint64_t *at, uint64_t end,
                   struct ram_range *run)
{
    while (*at < end) {
        uint64_t from = *at, until = end, next = end;
        for (unsigned n = 0; n < count; n++) {
            uint64_t first = down(used[n].base, HOST_PAGE_SIZE);
            uint64_t last = up(end_of(&used[n]), HOST_PAGE_SIZE);
            if (!used[n].size || last <= from || first >= until)
                continue;
            until = first > from ? first : from;
            next = last;
        }
        *at = next;
        *run = (struct ram_range){from, until - from};
        if (run->size)
            return true;
    }
    return false;
}

struct ram_range ram_firmware(const struct ram_range *ram, unsigned ram_count,
                              const struct ram_range *reserved, unsigned reserved_count,
                              uint64_t image)
{
    struct ram_range all = {0};
    for (unsigned n = 0; n < ram_count; n++) {
        if (image - ram[n].base < ram[n].size)
            all = (struct ram_range){ram[n].base, image - ram[n].base};
    }
    for (unsigned n = 0; n < reserved_count; n++) {
        if (all.base - reserved[n].base < reserved[n].size)
            all.size = 0;
    }
    return all;
}
