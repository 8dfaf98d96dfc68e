/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/imsic/imsic.h"

#define PAGE_SHIFT 12
#define MIN_IDS 63
#define MAX_IDS 2047

static bool ids_fit(unsigned ids)
{
    return ids >= MIN_IDS && ids <= MAX_IDS && ids % 64 == 63; /* 3.1 */
}

bool imsic_layout_check(const struct imsic_layout *layout)
{
    return layout->ranges && ids_fit(layout->ids) && ids_fit(layout->guest_ids) &&
           layout->guest_bits <= 7 && layout->hart_bits <= 15 && layout->group_bits <= 7 &&
           layout->group_shift <= 55 && layout->group_shift >= PAGE_SHIFT;
}

uint64_t imsic_file_address(const struct imsic_layout *layout, unsigned n)
{
    uint64_t stride = IMSIC_PAGE << layout->guest_bits, offset = n * stride;
    for (unsigned r = 0; r < layout->ranges; r++) {
        uint64_t size = layout->range[r].size & ~(stride - 1);
        if (offset < size)
            return layout->range[r].base + offset;
        offset -= size;
    }
    return 0;
}

unsigned imsic_hart_index(const struct imsic_layout *layout, uint64_t address)
{
    unsigned hart = address >> (PAGE_SHIFT + layout->guest_bits) & ((1u << layout->hart_bits) - 1);
    unsigned group = address >> layout->group_shift & ((1u << layout->group_bits) - 1);
    return group << layout->hart_bits | hart;
}
