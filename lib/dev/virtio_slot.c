/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/dev/virtio_slot.h"

#define SLOT_BYTES 0x1000UL

static bool inside(uint64_t gpa, unsigned width)
{
    uint64_t offset = gpa - GUEST_SLOTS_BASE;
    return offset < GUEST_SLOTS_SIZE && width <= GUEST_SLOTS_SIZE - offset;
}

/* Virtual I/O Device (VIRTIO) 1.2, "MMIO Device Register Layout": device id 0 is a placeholder, and
 * drivers leave it alone. The version and the vendor are those of an empty slot of virt. */
static uint64_t slot_register(uint64_t offset)
{
    switch (offset) {
    case 0x0:
        return 0x74726976; /* magic value */
    case 0x4:
        return 1; /* version: legacy */
    case 0xc:
        return 0x554d4551; /* vendor id */
    default:
        return 0;
    }
}

bool virtio_slot_read(uint64_t gpa, unsigned width, uint64_t *value)
{
    uint64_t offset = gpa % SLOT_BYTES, aligned = offset & ~3UL;
    if (!inside(gpa, width))
        return false;
    *value = slot_register(aligned) >> 8 * (offset - aligned);
    if (offset == aligned && width == 8)
        *value |= slot_register(aligned + 4) << 32;
    else if (width < 4)
        *value &= (1UL << 8 * width) - 1;
    return true;
}

bool virtio_slot_write(uint64_t gpa, unsigned width)
{
    return inside(gpa, width);
}
