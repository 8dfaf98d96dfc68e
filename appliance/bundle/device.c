/* SPDX-License-Identifier: BSD-2-Clause */
/* The nodes below a VM's: its virtio devices. docs/bundle.md describes their properties. */
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "appliance/bundle/network.h"
#include "appliance/bundle/property.h"
#include "appliance/virtio/block.h"
#include "appliance/virtio/switch.h"

static bool image(struct vm_config *config, struct config_virtio *device, const struct property *p)
{
    return property_image(config, p, &device->image);
}

static bool legacy(struct vm_config *config, struct config_virtio *device, const struct property *p)
{
    return property_flag(config, p, &device->legacy);
}

static bool read_only(struct vm_config *config, struct config_virtio *device,
                      const struct property *p)
{
    return property_flag(config, p, &device->read_only);
}

static bool copy_on_write(struct vm_config *config, struct config_virtio *device,
                          const struct property *p)
{
    if (!property_bytes(config, p, &device->copy_on_write))
        return false;
    return (device->copy_on_write && device->copy_on_write % BLOCK_PAGE == 0) ||
           property_wrong(config, p, "a multiple of 4096, not 0,");
}

/* Which VM of the bundle that node is; false: none, or the device's own. */
static bool find_vm(const struct property *p, int own, unsigned *index)
{
    fdt32_t cell;
    memcpy(&cell, p->data, sizeof(cell));
    int found = fdt_node_offset_by_phandle(p->fdt, fdt32_to_cpu(cell)), node;
    *index = 0;
    fdt_for_each_subnode(node, p->fdt, fdt_path_offset(p->fdt, "/vms"))
    {
        if (node == found)
            return *index < VM_MAX && node != own;
        ++*index;
    }
    return false;
}

static bool backend(struct vm_config *config, struct config_virtio *device,
                    const struct property *p)
{
    device->has_backend = true;
    return (p->bytes == sizeof(fdt32_t) &&
            find_vm(p, fdt_parent_offset(p->fdt, p->node), &device->backend)) ||
           property_wrong(config, p, "a reference to another VM's node");
}

static bool share(struct vm_config *config, struct config_virtio *device, const struct property *p)
{
    device->has_share = true;
    device->window = p->bytes == sizeof("window") && !memcmp(p->data, "window", sizeof("window"));
    return device->window ||
           (p->bytes == sizeof("all") && !memcmp(p->data, "all", sizeof("all"))) ||
           property_wrong(config, p, "\"all\" or \"window\"");
}

static bool network(struct vm_config *config, struct config_virtio *device,
                    const struct property *p)
{
    bool text = p->bytes > 1 && strnlen(p->data, (size_t)p->bytes) == (size_t)p->bytes - 1;
    device->network = text ? networks_find(p->fdt, p->data, &device->mtu) : NULL;
    return device->network || property_wrong(config, p, "the name of a node of /networks");
}

static bool mac(struct vm_config *config, struct config_virtio *device, const struct property *p)
{
    device->has_mac = true;
    if (p->bytes == sizeof(device->mac))
        memcpy(device->mac, p->data, sizeof(device->mac));
    return (p->bytes == sizeof(device->mac) && switch_address_fits(switch_address(device->mac))) ||
           property_wrong(config, p, "six bytes that are no group's address and not all 0");
}

static bool bridge(struct vm_config *config, struct config_virtio *device, const struct property *p)
{
    return property_flag(config, p, &device->bridge);
}

static bool nothing(struct vm_config *config, struct config_virtio *device,
                    const struct property *p)
{
    (void)config, (void)device, (void)p;
    return true;
}

struct reader {
    const char *name;
    bool (*read)(struct vm_config *config, struct config_virtio *device, const struct property *p);
};

static const struct reader block[] = {
    {"compatible", nothing},
    {"legacy", legacy},
    {"image", image},
    {"read-only", read_only},
    {"copy-on-write", copy_on_write},
    {"backend", backend},
    {"share", share},
    {NULL, NULL},
};

static const struct reader entropy[] = {
    {"compatible", nothing},
    {"legacy", legacy},
    {NULL, NULL},
};

static bool check_nothing(struct vm_config *config, const struct config_virtio *device)
{
    (void)config, (void)device;
    return true;
}

static const struct reader net[] = {
    {"compatible", nothing}, {"network", network}, {"mac", mac}, {"bridge", bridge}, {NULL, NULL},
};

static bool check_net(struct vm_config *config, const struct config_virtio *device)
{
    if (!device->network)
        property_refuse(config, "node %.31s: property network is missing", device->name);
    return !config->refused;
}

static bool check_backend(struct vm_config *config, const struct config_virtio *device)
{
    if (device->image.size || device->read_only || device->copy_on_write || device->legacy)
        property_refuse(config,
                        "node %.31s: with property backend there is no image, read-only, "
                        "copy-on-write or legacy",
                        device->name);
    else if (config->memory_ranges > SERVED_RANGES && !device->window)
        property_refuse(config,
                        "property memory: at most %u ranges, with property backend of %.31s",
                        SERVED_RANGES, device->name);
    config->served |= !device->window;
    return !config->refused;
}

static bool check_block(struct vm_config *config, const struct config_virtio *device)
{
    const char *wrong = device->image.size ? virtio_block_check(device->image.size) : NULL;
    if (device->has_backend)
        return check_backend(config, device);
    if (device->has_share)
        property_refuse(config,
                        "property share of node %.31s: property backend is expected beside it",
                        device->name);
    else if (!device->image.size)
        property_refuse(config, "node %.31s: property image or backend is missing", device->name);
    else if (wrong)
        property_refuse(config, "property image of node %.31s: image %.31s has %zu: %s",
                        device->name, device->image.name, device->image.size, wrong);
    else if (device->read_only == (device->copy_on_write != 0))
        property_refuse(config,
                        "node %.31s: either property read-only or copy-on-write is expected",
                        device->name);
    return !config->refused;
}

static const struct {
    const char *compatible;
    enum config_virtio_kind kind;
    const struct reader *properties;
    bool (*check)(struct vm_config *config, const struct config_virtio *device);
} kinds[] = {
    {"virtio,block", CONFIG_VIRTIO_BLOCK, block, check_block},
    {"virtio,entropy", CONFIG_VIRTIO_ENTROPY, entropy, check_nothing},
    {"virtio,net", CONFIG_VIRTIO_NET, net, check_net},
};

static void read_one(struct vm_config *config, struct config_virtio *device,
                     const struct reader *properties, struct property *p)
{
    char name[72];
    for (; properties->name; properties++) {
        if (strcmp(p->name, properties->name))
            continue;
        snprintf(name, sizeof(name), "%s of node %.31s", p->name, device->name);
        p->name = name;
        properties->read(config, device, p);
        return;
    }
    property_refuse(config, "node %.31s: property %.31s is unknown", device->name, p->name);
}

static void read_all(const void *fdt, int node, struct vm_config *config,
                     struct config_virtio *device, const struct reader *properties)
{
    int at;
    fdt_for_each_property_offset(at, fdt, node)
    {
        struct property p = {.fdt = fdt, .node = node};
        p.data = fdt_getprop_by_offset(fdt, at, &p.name, &p.bytes);
        if (p.data)
            read_one(config, device, properties, &p);
        if (config->refused)
            return;
    }
    if (fdt_first_subnode(fdt, node) >= 0)
        property_refuse(config, "node %.31s: no node is expected below it", device->name);
}

void property_read_device(const void *fdt, int node, struct vm_config *config)
{
    const char *name = fdt_get_name(fdt, node, NULL);
    for (unsigned n = 0; n < sizeof(kinds) / sizeof(*kinds); n++) {
        if (fdt_node_check_compatible(fdt, node, kinds[n].compatible))
            continue;
        if (config->virtio_count == VM_MAX_VIRTIO) {
            property_refuse(config, "node %.31s: more than %d virtio devices", name, VM_MAX_VIRTIO);
            return;
        }
        struct config_virtio *device = &config->virtio[config->virtio_count++];
        *device = (struct config_virtio){.name = name, .kind = kinds[n].kind};
        read_all(fdt, node, config, device, kinds[n].properties);
        if (!config->refused)
            kinds[n].check(config, device);
        return;
    }
    property_refuse(config, "node %.31s: its compatible is no device's; \"%s\" is one", name,
                    kinds[0].compatible);
}
