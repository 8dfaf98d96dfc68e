/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's bus: where the registers of its devices lie, and who answers there. Its regions are set
 * while no vCPU of the VM runs, so that an access takes no lock. Registered by cald_vm_region().
 */
#ifndef LIB_DEV_BUS_H
#define LIB_DEV_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caldarium/caldarium.h"

#define BUS_REGIONS 32

struct bus_region {
    uint64_t gpa, size;
    const struct cald_region_ops *ops;
    void *device;
    const char *name;
    bool
        hot; /* answered from inside a run too: touches the vCPU's VM alone, and waits for nobody */
};

struct bus {
    unsigned count;
    struct bus_region region[BUS_REGIONS]; /* in the order in which they were registered */
};

/* The region that overlaps [gpa, gpa + size), or NULL. */
const struct bus_region *bus_overlap(const struct bus *bus, uint64_t gpa, uint64_t size);

/* The region that an access lies in as a whole, or NULL. */
static inline const struct bus_region *bus_find(const struct bus *bus, uint64_t gpa, unsigned width)
{
    for (unsigned n = 0; n < bus->count; n++) {
        const struct bus_region *region = &bus->region[n];
        uint64_t offset = gpa - region->gpa;
        if (offset < region->size && width <= region->size - offset)
            return region;
    }
    return NULL;
}

/* cald_vm_region(), for the library's own, which may be hot. */
int bus_add(struct cald_vm *vm, const char *name, uint64_t gpa, uint64_t size,
            const struct cald_region_ops *ops, void *device, bool hot);

/*
 * A guest's access, whole in one region. CALD_ENOENT: none is there; else what its owner answers
 * (struct cald_region_ops).
 */
int bus_read(const struct bus *bus, struct cald_vcpu *vcpu, uint64_t gpa, unsigned width,
             uint64_t *value);
int bus_write(const struct bus *bus, struct cald_vcpu *vcpu, uint64_t gpa, unsigned width,
              uint64_t value);

#endif
