/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/device/virtio_slot.h"

#include <stddef.h>

#include "caldarium/caldarium.h"

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

static int slot_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                     uint64_t *value)
{
    uint64_t aligned = offset & ~3UL;
    (void)device, (void)vcpu;
    *value = slot_register(aligned) >> 8 * (offset - aligned);
    if (offset == aligned && width == 8)
        *value |= slot_register(aligned + 4) << 32;
    else if (width < 4)
        *value &= (1UL << 8 * width) - 1;
    return CALD_OK;
}

static int slot_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                      uint64_t value)
{
    (void)device, (void)vcpu, (void)offset, (void)width, (void)value;
    return CALD_OK; /* without effect */
}

void virtio_slots_begin(struct cald_vm *vm, uint64_t base, uint64_t size)
{
    static const struct cald_region_ops ops = {slot_read, slot_write};
    for (uint64_t gpa = base; gpa < base + size; gpa += VIRTIO_SLOT_BYTES) {
        if (!cald_vm_has_region(vm, gpa, VIRTIO_SLOT_BYTES))
            cald_vm_region(vm, "an empty virtio slot", gpa, VIRTIO_SLOT_BYTES, &ops, NULL);
    }
}
