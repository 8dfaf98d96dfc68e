/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/virtio.h"

#include <string.h>

#include "appliance/bundle/property.h"
#include "appliance/print.h"
#include "appliance/virtio/block.h"
#include "appliance/virtio/console.h"
#include "appliance/virtio/entropy.h"
#include "appliance/virtio/net.h"
#include "appliance/vm.h"
#include "host/host.h"

#define SLOTS ((unsigned)(GUEST_SLOTS_SIZE / VIRTIO_SLOT_BYTES))
#define SLOT_IRQ(n) ((n) + 1) /* as on virt */

static bool irq_is_free(const struct vm *vm, unsigned irq)
{
    for (unsigned d = 0; d < vm->device_count; d++) {
        for (unsigned n = 0; n < vm->devices[d].irq_count; n++) {
            if (vm->devices[d].irqs[n] == irq)
                return false;
        }
    }
    for (unsigned n = 0; n < vm->config->shared_count; n++) {
        if (vm->config->shared[n].irq == irq)
            return false;
    }
    return true;
}

/* From `slot` on, the first that is free; SLOTS: none. */
static unsigned free_slot(const struct vm *vm, unsigned slot)
{
    for (; slot < SLOTS; slot++) {
        struct config_range range = {GUEST_SLOTS_BASE + slot * VIRTIO_SLOT_BYTES,
                                     VIRTIO_SLOT_BYTES};
        if (!map_taken(vm, range, true) && irq_is_free(vm, SLOT_IRQ(slot)))
            break;
    }
    return slot;
}

/* One that the machine's user administers (IEEE 802, 8.4), other for each device of a VM. */
static void default_mac(uint8_t mac[6], const struct vm *vm, unsigned number)
{
    const uint8_t made[6] = {0x02, 'c', 'a', 'l', (uint8_t)vm->index, (uint8_t)number};
    memcpy(mac, made, sizeof(made));
}

/* NULL after a line. */
static struct net_switch *find_network(struct vm_config *config, const struct config_virtio *want,
                                       const uint8_t mac[6])
{
    struct net_switch *net = switch_find(want->network, want->mtu);
    unsigned other = net ? switch_port_of(net, switch_address(mac)) : 0;
    if (!net) {
        property_refuse(config, "node %.31s: no memory is left for network %.31s", want->name,
                        want->network);
        return NULL;
    }
    if (other < net->port_count) {
        const struct virtio_net *port = net->port[other].device;
        property_refuse(config,
                        "property mac of node %.31s: node %.31s of VM %s has the same address in "
                        "network %s",
                        want->name, port->device.name, port->device.vm_name, net->name);
        return NULL;
    }
    if (net->port_count == SWITCH_PORTS) {
        property_refuse(config,
                        "property network of node %.31s: network %s has %u ports already, the most",
                        want->name, net->name, SWITCH_PORTS);
        return NULL;
    }
    return net;
}

static struct virtio_device *make_net(struct vm_config *config, const struct config_virtio *want,
                                      const uint8_t mac[6])
{
    struct net_switch *net = find_network(config, want, mac);
    if (!net)
        return NULL;
    struct virtio_net *port = host_pages_alloc(sizeof(*port), HOST_PAGE_SIZE);
    if (!port) {
        property_refuse(config, "node %.31s: no memory is left for the device", want->name);
        switch_tidy();
        return NULL;
    }
    virtio_net_make(port, net, mac, want->bridge); /* it has a port free */
    return &port->device;
}

static struct virtio_device *make_block(struct vm_config *config, const struct config_virtio *want)
{
    struct virtio_block *block = host_pages_alloc(sizeof(*block), HOST_PAGE_SIZE);
    if (block && virtio_block_make(block, want->name, want->image.data, want->image.size,
                                   want->copy_on_write))
        return &block->device;
    if (block)
        host_pages_free(block, sizeof(*block));
    property_refuse(config, "node %.31s: no memory is left for the disk", want->name);
    return NULL;
}

static struct virtio_device *make_served(struct vm *vm, struct vm_config *config, unsigned number)
{
    struct virtio_vhost *vhost = driver_vm_device(vm, number);
    if (!vhost)
        property_refuse(config, "node %.31s: no memory is left for the device",
                        config->virtio[number].name);
    return vhost ? &vhost->device : NULL;
}

static struct virtio_device *make_entropy(struct vm_config *config,
                                          const struct config_virtio *want)
{
    struct virtio_entropy *entropy = NULL;
    if (!host_random_is_seeded())
        property_refuse(config,
                        "node %.31s: the board's tree has no rng-seed of 32 bytes in "
                        "/chosen to begin with",
                        want->name);
    else if (!(entropy = host_pages_alloc(sizeof(*entropy), HOST_PAGE_SIZE)))
        property_refuse(config, "node %.31s: no memory is left for the device", want->name);
    if (!entropy)
        return NULL;
    virtio_entropy_make(entropy);
    return &entropy->device;
}

/* NULL after a line. */
static struct virtio_device *make(struct vm *vm, struct vm_config *config, unsigned number)
{
    struct config_virtio *want = &config->virtio[number];
    if (want->has_backend)
        return make_served(vm, config, number);
    if (want->kind == CONFIG_VIRTIO_BLOCK)
        return make_block(config, want);
    if (want->kind == CONFIG_VIRTIO_ENTROPY)
        return make_entropy(config, want);
    if (!want->has_mac)
        default_mac(want->mac, vm, number);
    return make_net(config, want, want->mac);
}

/* NULL after a line. */
static struct virtio_device *make_console(struct vm *vm, struct vm_config *config)
{
    struct virtio_console *console = host_pages_alloc(sizeof(*console), HOST_PAGE_SIZE);
    if (!console) {
        property_refuse(config, "property console: no memory is left for the device");
        return NULL;
    }
    virtio_console_make(console);
    vm->console = console;
    return &console->device;
}

/* The VM's next device, in a slot from `*slot` on. False after a line; then too it is the VM's. */
static bool place(struct vm *vm, struct vm_config *config, struct virtio_device *device,
                  const char *word, const char *name, unsigned *slot)
{
    unsigned at = free_slot(vm, *slot);
    *slot = at + 1;
    device->name = name;
    device->vm_name = config->name;
    device->base = GUEST_SLOTS_BASE + at * VIRTIO_SLOT_BYTES;
    device->irq = SLOT_IRQ(at);
    vm->virtio[vm->virtio_count++] = device;
    if (at < SLOTS)
        return true;
    property_refuse(config, "%s %.31s: none of the %u virtio-mmio slots is free", word, name,
                    SLOTS);
    return false;
}

/* The console comes last: slots that guests know by their place are for disks. */
void virtio_resolve(struct vm *vm, struct vm_config *config)
{
    unsigned slot = 0;
    for (unsigned n = 0; n < config->virtio_count; n++) {
        struct virtio_device *device = make(vm, config, n);
        if (!device || !place(vm, config, device, "node", config->virtio[n].name, &slot))
            return;
        device->legacy = config->virtio[n].legacy;
    }
    struct virtio_device *console =
        config->console == CONSOLE_VIRTIO ? make_console(vm, config) : NULL;
    if (console)
        place(vm, config, console, "property", "console", &slot);
    if (!config->refused && vm->driver)
        place(vm, config, &vm->driver->bell.device, "device", "doorbell", &slot);
}

bool virtio_waits(const struct vm *vm, bool tell)
{
    for (unsigned n = 0; n < vm->virtio_count; n++) {
        const struct virtio_device *device = vm->virtio[n];
        if (!device->kind->ready || device->kind->ready(device))
            continue;
        if (tell)
            vm_info(device->vm_name, "waits for device %s, which VM %s serves", device->name,
                    vms[vm->config->virtio[n].backend].config->name);
        return true;
    }
    return false;
}

void virtio_unmake(struct vm *vm)
{
    while (vm->virtio_count) {
        struct virtio_device *device = vm->virtio[--vm->virtio_count];
        if (device->kind->unmake)
            device->kind->unmake(device);
    }
    vm->console = NULL;
}

bool virtio_add(struct vm *vm)
{
    for (unsigned n = 0; n < vm->virtio_count; n++) {
        vm->virtio[n]->vm = vm->cald;
        if (virtio_device_add(vm->virtio[n]))
            return false;
    }
    return true;
}

void virtio_attach(struct vm *vm)
{
    for (unsigned n = 0; n < vm->virtio_count; n++)
        virtio_device_attach(vm->virtio[n]);
}

void virtio_detach(struct vm *vm)
{
    for (unsigned n = 0; n < vm->virtio_count; n++)
        virtio_device_detach(vm->virtio[n]);
}
