/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/dev/bus.h"

#include "lib/common/line.h"
#include "lib/vm/vm.h"

const struct bus_region *bus_overlap(const struct bus *bus, uint64_t gpa, uint64_t size)
{
    for (unsigned n = 0; n < bus->count; n++) {
        const struct bus_region *region = &bus->region[n];
        /* Ends may be the end of the address space, so lengths are compared. */
        if (gpa - region->gpa < region->size || region->gpa - gpa < size)
            return region;
    }
    return NULL;
}

int bus_add(struct cald_vm *vm, const char *name, uint64_t gpa, uint64_t size,
            const struct cald_region_ops *ops, void *device, bool hot)
{
    struct bus *bus = &vm->bus;
    if (!size || size - 1 > UINT64_MAX - gpa) {
        line_error("vm %s: region %s: %#lx bytes at %#lx are no region", vm->name, name, size, gpa);
        return CALD_EINVAL;
    }
    const struct bus_region *other = bus_overlap(bus, gpa, size);
    if (other) {
        line_error("vm %s: region %s at %#lx lies where %s is (%#lx)", vm->name, name, gpa,
                   other->name, other->gpa);
        return CALD_EBUSY;
    }
    if (bus->count == BUS_REGIONS) {
        line_error("vm %s: region %s is one more than %u", vm->name, name, (unsigned)BUS_REGIONS);
        return CALD_ENOMEM;
    }
    bus->region[bus->count++] = (struct bus_region){
        .gpa = gpa, .size = size, .ops = ops, .device = device, .name = name, .hot = hot};
    return CALD_OK;
}

int cald_vm_region(struct cald_vm *vm, const char *name, uint64_t gpa, uint64_t size,
                   const struct cald_region_ops *ops, void *device)
{
    return bus_add(vm, name, gpa, size, ops, device, false);
}

int bus_read(const struct bus *bus, struct cald_vcpu *vcpu, uint64_t gpa, unsigned width,
             uint64_t *value)
{
    const struct bus_region *region = bus_find(bus, gpa, width);
    if (!region)
        return CALD_ENOENT;
    return region->ops->read(region->device, vcpu, gpa - region->gpa, width, value);
}

int bus_write(const struct bus *bus, struct cald_vcpu *vcpu, uint64_t gpa, unsigned width,
              uint64_t value)
{
    const struct bus_region *region = bus_find(bus, gpa, width);
    if (!region)
        return CALD_ENOENT;
    return region->ops->write(region->device, vcpu, gpa - region->gpa, width, value);
}

bool cald_vm_has_region(const struct cald_vm *vm, uint64_t gpa, uint64_t size)
{
    return bus_overlap(&vm->bus, gpa, size) != NULL;
}
