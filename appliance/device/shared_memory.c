/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/device/shared_memory.h"

#include <string.h>

#include "appliance/bundle/property.h"
#include "appliance/print.h"
#include "appliance/vm.h"
#include "host/host.h"

/* The doorbell's registers, 32 bits each. */
enum {
    REG_INDEX = 0x0, /* read: which peer this is */
    REG_PEERS = 0x4, /* read: how many there are */
    REG_RING = 0x8,  /* write: a peer's index, or RING_ALL for all others */
    REG_RANG = 0xc,  /* read: who rang since it was read last, a bit each */
};
#define RING_ALL UINT32_MAX
#define LARGE_PAGE (2UL << 20)

static struct shared_region regions[SHARED_REGIONS];
static unsigned region_count;

/* NULL after one line. */
static struct shared_region *find_or_take(struct vm_config *config,
                                          const struct config_shared *want)
{
    for (unsigned n = 0; n < region_count; n++) {
        struct shared_region *region = &regions[n];
        if (strcmp(region->name, want->name))
            continue;
        if (region->size == want->range.size && region->peer_count < SHARED_PEERS)
            return region;
        if (region->peer_count == SHARED_PEERS)
            property_refuse(config,
                            "property shared-memory: %s is shared by %d VMs already, the most",
                            want->name, SHARED_PEERS);
        else
            property_refuse(config,
                            "property shared-memory: %s has %#lx bytes in VM %s; %#lx is not "
                            "the same",
                            want->name, region->size, region->peer[0].vm->config->name,
                            want->range.size);
        return NULL;
    }
    if (region_count == SHARED_REGIONS) {
        property_refuse(config, "property shared-memory: %s is one more than %d regions",
                        want->name, SHARED_REGIONS);
        return NULL;
    }
    uint64_t align = want->range.size >= LARGE_PAGE ? LARGE_PAGE : HOST_PAGE_SIZE;
    uint8_t *host = host_pages_alloc(want->range.size, align);
    if (!host) {
        property_refuse(config, "property shared-memory: %s: no memory is left for %#lx bytes",
                        want->name, want->range.size);
        return NULL;
    }
    struct shared_region *region = &regions[region_count++];
    *region = (struct shared_region){.name = want->name, .size = want->range.size, .host = host};
    return region;
}

/* With the doorbell behind it, it must lie where nothing else of the VM's is. */
static bool place_is_free(const struct vm *vm, struct vm_config *config, unsigned n)
{
    const struct config_shared *want = &config->shared[n];
    struct config_range range = {want->range.base, want->range.size + SHARED_DOORBELL_SIZE};
    const char *what = map_taken(vm, range, true);
    for (unsigned i = 0; i < n; i++) {
        const struct config_range *other = &config->shared[i].range;
        if (config_overlap(range,
                           (struct config_range){other->base, other->size + SHARED_DOORBELL_SIZE}))
            what = config->shared[i].name;
        if (config->shared[i].irq == want->irq)
            what = "the interrupt of another";
    }
    for (unsigned d = 0; d < vm->device_count; d++) {
        for (unsigned i = 0; i < vm->devices[d].irq_count; i++) {
            if (vm->devices[d].irqs[i] == want->irq)
                what = "a passed-through device's interrupt";
        }
    }
    if (what)
        property_refuse(config,
                        "property shared-memory: %s at %#lx with its doorbell and interrupt %u "
                        "is in the way of %s",
                        want->name, want->range.base, want->irq, what);
    return !what;
}

void shared_memory_resolve(struct vm *vm, struct vm_config *config)
{
    for (unsigned n = 0; n < config->shared_count; n++) {
        if (!place_is_free(vm, config, n))
            return;
    }
    for (unsigned n = 0; n < config->shared_count; n++) {
        const struct config_shared *want = &config->shared[n];
        struct shared_region *region = find_or_take(config, want);
        if (!region)
            return;
        unsigned index = region->peer_count++;
        region->peer[index].vm = vm;
        region->peer[index].irq = want->irq;
        vm->shared[vm->shared_count++] =
            (struct shared_window){.region = region, .index = index, .base = want->range.base};
    }
}

/* Peers and regions go as they came, the last one first. */
void shared_memory_unresolve(struct vm *vm)
{
    while (vm->shared_count) {
        struct shared_region *region = vm->shared[--vm->shared_count].region;
        if (--region->peer_count)
            continue;
        region_count--; /* its first peer is its last, so no VM after it named a region */
        host_pages_free(region->host, region->size);
    }
}

/* A VM that does not run has no interrupt to get: the call is lost. */
static void ring(struct shared_region *region, unsigned from, unsigned to)
{
    if (from == to || !atomic_load(&region->peer[to].open))
        return;
    atomic_fetch_or(&region->peer[to].rang, 1U << from);
    cald_vm_irq_pulse(region->peer[to].vm->cald, region->peer[to].irq);
}

static int doorbell_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                         uint64_t *value)
{
    struct shared_window *window = device;
    (void)vcpu;
    if (width != 4)
        return CALD_EFAULT;
    switch (offset) {
    case REG_INDEX:
        *value = window->index;
        return CALD_OK;
    case REG_PEERS:
        *value = window->region->peer_count;
        return CALD_OK;
    case REG_RANG:
        *value = atomic_exchange(&window->region->peer[window->index].rang, 0);
        return CALD_OK;
    default:
        return CALD_EFAULT;
    }
}

static int doorbell_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                          uint64_t value)
{
    struct shared_window *window = device;
    struct shared_region *region = window->region;
    (void)vcpu;
    if (width != 4 || offset != REG_RING)
        return CALD_EFAULT;
    for (unsigned n = 0; n < region->peer_count; n++) {
        if (n == (uint32_t)value || (uint32_t)value == RING_ALL)
            ring(region, window->index, n);
    }
    return CALD_OK;
}

static const struct cald_region_ops doorbell_ops = {doorbell_read, doorbell_write};

bool shared_memory_add(struct vm *vm)
{
    for (unsigned n = 0; n < vm->shared_count; n++) {
        struct shared_window *window = &vm->shared[n];
        const struct shared_region *region = window->region;
        if (cald_vm_region(vm->cald, region->name, window->base + region->size,
                           SHARED_DOORBELL_SIZE, &doorbell_ops, window))
            return false;
    }
    return true;
}

bool shared_memory_attach(struct vm *vm)
{
    for (unsigned n = 0; n < vm->shared_count; n++) {
        struct shared_window *window = &vm->shared[n];
        struct shared_region *region = window->region;
        if (cald_vm_slot(vm->cald, SLOT_OF_SHARED(n), window->base, region->size, region->host,
                         0)) {
            vm_error(vm->config->name, "property shared-memory: no memory is left for its tables");
            return false;
        }
        atomic_store(&region->peer[window->index].rang, 0);
        atomic_store(&region->peer[window->index].open, 1);
    }
    return true;
}

void shared_memory_detach(struct vm *vm)
{
    for (unsigned n = 0; n < vm->shared_count; n++)
        atomic_store(&vm->shared[n].region->peer[vm->shared[n].index].open, 0);
}
