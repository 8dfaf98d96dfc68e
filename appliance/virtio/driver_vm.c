/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/driver_vm.h"

#include "appliance/bundle/property.h"
#include "appliance/print.h"
#include "appliance/vm.h"
#include "host/host.h"

#define LARGE_PAGE (2UL << 20)

/* The registers of a device, 32 bits each. */
enum {
    VERSION = 0x00,
    DEVICE_ID = 0x04,
    STATE = 0x08,
    RING_SIZE = 0x0c,
    FEATURES = 0x10, /* two words; read: those that the client has accepted; write: offered */
    THERE = 0x18,    /* write: 1, a back end is there and nothing is under way; 0: it is not */
    CALL = 0x1c,
    CONFIG = 0x100
};
enum { STATE_IDLE, STATE_RUN, STATE_END };

struct virtio_vhost *driver_vm_device(struct vm *vm, unsigned number)
{
    static struct virtio_vhost *made[VM_MAX][VM_MAX_VIRTIO];
    struct virtio_vhost *vhost = made[vm->index][number];
    if (vhost)
        return vhost;
    vhost = host_pages_alloc(sizeof(*vhost), HOST_PAGE_SIZE);
    if (vhost && !virtio_vhost_make(vhost, vm, vm->config->virtio[number].window)) {
        host_pages_free(vhost, sizeof(*vhost));
        vhost = NULL;
    }
    if (vhost) {
        vhost->device.name = vm->config->virtio[number].name;
        vhost->device.vm_name = vm->config->name;
    }
    made[vm->index][number] = vhost;
    return vhost;
}

/* ---- Where everything is --------------------------------------------------------------------- */

static uint64_t up(uint64_t at)
{
    return (at + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
}

static uint64_t ram_of(const struct vm_config *config)
{
    uint64_t bytes = 0;
    for (unsigned n = 0; n < config->memory_ranges; n++)
        bytes += config->memory[n].size;
    return bytes;
}

uint64_t driver_vm_offset(const struct vm_config *client, uint64_t gpa)
{
    uint64_t offset = 0;
    for (unsigned n = 0; n < client->memory_ranges; n++) {
        if (gpa - client->memory[n].base < client->memory[n].size)
            return offset + gpa - client->memory[n].base;
        offset += client->memory[n].size;
    }
    return offset;
}

/* The devices of `client` that `vm` serves. False: no memory. */
static bool take_devices(struct driver_vm *driver, const struct vm *vm, struct vm *client)
{
    for (unsigned n = 0; n < client->config->virtio_count; n++) {
        const struct config_virtio *device = &client->config->virtio[n];
        if (!device->has_backend || device->backend != vm->index)
            continue;
        struct virtio_vhost *vhost = driver_vm_device(client, n);
        if (!vhost)
            return false;
        vhost->bell = &driver->bell;
        vhost->number = driver->devices;
        driver->device[driver->devices++] = vhost;
    }
    return true;
}

/* At `*at`, which follows it then. */
static void add_window(struct driver_vm *driver, const struct vm *client,
                       const struct virtio_vhost *device, uint64_t *at)
{
    uint64_t size = device ? VHOST_WINDOW_BYTES : ram_of(client->config);
    driver->window[driver->windows++] =
        (struct driver_window){.client = client, .device = device, .base = *at, .size = size};
    *at = up(*at + size);
}

const struct driver_window *driver_vm_window(const struct driver_vm *driver,
                                             const struct virtio_vhost *vhost)
{
    const struct driver_window *window = driver->window;
    while (window->device != (vhost->window ? vhost : NULL) || window->client != vhost->vm)
        window++;
    return window;
}

/* For the devices from `first` on, which are all of one VM. */
static void add_windows(struct driver_vm *driver, unsigned first, uint64_t *at)
{
    bool whole = false;
    for (unsigned n = first; n < driver->devices; n++) {
        const struct virtio_vhost *device = driver->device[n];
        if (device->window)
            add_window(driver, device->vm, device, at);
        else if (!whole)
            add_window(driver, device->vm, NULL, at);
        whole |= !device->window;
    }
}

static void closed(struct virtio_doorbell *bell)
{
    struct driver_vm *driver = (struct driver_vm *)bell;
    for (unsigned n = 0; n < driver->devices; n++)
        virtio_vhost_away(driver->device[n], false);
}

bool driver_vm_resolve(struct vm *vm, struct vm_config *config, unsigned count)
{
    struct driver_vm *driver = host_pages_alloc(sizeof(*driver), HOST_PAGE_SIZE);
    bool good = driver;
    uint64_t at = up(vm_gpa_end(vm));
    for (unsigned n = 0; n < count && good; n++) {
        unsigned before = driver->devices;
        if (vms[n].config->refused)
            continue;
        good = take_devices(driver, vm, &vms[n]);
        add_windows(driver, before, &at);
    }
    if (!good) {
        property_refuse(config, "no memory is left for the devices that it serves");
        return false;
    }
    driver->rings = at;
    driver->registers = at + driver->devices * VHOST_RING_BYTES;
    driver->end = driver->registers + driver->devices * DRIVER_REGISTERS;
    virtio_doorbell_make(&driver->bell, closed);
    vm->driver = driver;
    return true;
}

/* ---- Registers ------------------------------------------------------------------------------- */

static uint32_t state_of(struct virtio_vhost *vhost)
{
    lock_take(&vhost->device.queue[0].lock);
    enum vhost_serving serving = vhost->serving;
    lock_release(&vhost->device.queue[0].lock);
    return serving == VHOST_RUNNING ? STATE_RUN : serving == VHOST_ENDING ? STATE_END : STATE_IDLE;
}

static int registers_read(void *of, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                          uint64_t *value)
{
    struct driver_vm *driver = of;
    struct virtio_vhost *vhost = driver->device[offset / DRIVER_REGISTERS];
    (void)vcpu;
    if (width != 4)
        return CALD_EFAULT;
    switch (offset % DRIVER_REGISTERS) {
    case VERSION:
        *value = 1;
        return CALD_OK;
    case DEVICE_ID:
        *value = vhost->device.kind->id;
        return CALD_OK;
    case STATE:
        *value = state_of(vhost);
        return CALD_OK;
    case RING_SIZE:
        *value = VHOST_RING_SIZE;
        return CALD_OK;
    case FEATURES:
    case FEATURES + 4:
        *value = (uint32_t)(virtio_vhost_accepted(vhost) >> offset % 8 * 8);
        return CALD_OK;
    default:
        return CALD_EFAULT;
    }
}

static void write_word(void *to, uint64_t offset, uint64_t value)
{
    ((uint32_t *)to)[offset / 4] = (uint32_t)value;
}

static int registers_write(void *of, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                           uint64_t value)
{
    struct driver_vm *driver = of;
    struct virtio_vhost *vhost = driver->device[offset / DRIVER_REGISTERS];
    (void)vcpu;
    if (width != 4)
        return CALD_EFAULT;
    offset %= DRIVER_REGISTERS;
    if (offset == CALL) /* the same store is made again, if there is more to do */
        return virtio_vhost_call(vhost) ? CALD_EBUSY : CALD_OK;
    if (offset == THERE && value & 1)
        virtio_vhost_there(vhost);
    else if (offset == THERE)
        virtio_vhost_away(vhost, false);
    else if (offset == FEATURES || offset == FEATURES + 4)
        write_word(&vhost->features, offset - FEATURES, value);
    else if (offset >= CONFIG && offset < CONFIG + VHOST_CONFIG_BYTES)
        write_word(vhost->next_config, offset - CONFIG, value);
    else
        return CALD_EFAULT;
    return CALD_OK;
}

static const struct cald_region_ops ops = {registers_read, registers_write};

/* ---- The VM's lives -------------------------------------------------------------------------- */

bool driver_vm_add(struct vm *vm)
{
    struct driver_vm *driver = vm->driver;
    return !driver || !cald_vm_region(vm->cald, "devices that it serves", driver->registers,
                                      driver->devices * DRIVER_REGISTERS, &ops, driver);
}

static bool map(struct vm *vm, unsigned *slot, uint64_t gpa, uint64_t size, uint8_t *host)
{
    return !cald_vm_slot(vm->cald, SLOT_OF_WINDOW((*slot)++), gpa, size, host, 0);
}

bool driver_vm_attach(struct vm *vm)
{
    const struct driver_vm *driver = vm->driver;
    unsigned slot = 0;
    bool good = true;
    for (unsigned n = 0; driver && n < driver->windows; n++) {
        const struct driver_window *window = &driver->window[n];
        const struct vm *client = window->client;
        if (window->device && good)
            good = map(vm, &slot, window->base, window->size, window->device->window);
        if (window->device)
            continue;
        for (unsigned c = 0; c < client->ram_chunks && good; c++)
            good =
                map(vm, &slot, window->base + driver_vm_offset(client->config, client->ram[c].gpa),
                    client->ram[c].size, client->ram[c].host);
    }
    for (unsigned n = 0; driver && n < driver->devices && good; n++)
        good = map(vm, &slot, driver->rings + n * VHOST_RING_BYTES, VHOST_RING_BYTES,
                   driver->device[n]->ring);
    if (!good)
        vm_error(vm->config->name,
                 "no memory is left for the tables of the VMs' RAM that it serves, "
                 "or it is in too many pieces");
    return good;
}

void driver_vm_detach(struct vm *vm)
{
    for (unsigned n = 0; vm->driver && n < vm->driver->devices; n++)
        virtio_vhost_away(vm->driver->device[n], true);
}
