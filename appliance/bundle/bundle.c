/* SPDX-License-Identifier: BSD-2-Clause */
/* The shape of a bundle: the root, its VMs, their names. Each VM's properties are property.c's. */
#include "appliance/bundle/bundle.h"

#include <ctype.h>
#include <libfdt.h>
#include <string.h>

#include "appliance/bundle/network.h"
#include "appliance/bundle/property.h"
#include "appliance/print.h"
#include "appliance/tree/blob.h"
#include "host/host.h"

bool bundle_good_name(const char *name, size_t length)
{
    if (!length || length >= VM_NAME_MAX)
        return false;
    for (size_t n = 0; n < length; n++) {
        if (!isalnum((unsigned char)name[n]) && !strchr("-_.", name[n]))
            return false;
    }
    return true;
}

static bool taken(const struct vm_config *configs, unsigned count, const char *name)
{
    for (unsigned n = 0; n < count; n++) {
        if (!strcmp(configs[n].name, name))
            return true;
    }
    return false;
}

/* Nodes other than these at the root would be read by nobody. */
static bool root_is_known(const void *fdt)
{
    int node;
    fdt_for_each_subnode(node, fdt, 0)
    {
        const char *name = fdt_get_name(fdt, node, NULL);
        if (strcmp(name, "images") && strcmp(name, "networks") && strcmp(name, "vms")) {
            host_error("bundle: node /%s is unknown; /images, /networks and /vms are expected",
                       name);
            return false;
        }
    }
    return true;
}

/* The same for properties of / and /vms. Numbers are read as two cells; a bundle that says
 * otherwise means something else by them. */
static bool properties_are_known(const void *fdt, int node, const char *path)
{
    int property;
    fdt_for_each_property_offset(property, fdt, node)
    {
        const char *name;
        int length;
        const fdt32_t *value = fdt_getprop_by_offset(fdt, property, &name, &length);
        if (!value)
            return false;
        if (!strcmp(name, "#address-cells") || !strcmp(name, "#size-cells")) {
            if (length == sizeof(*value) && fdt32_to_cpu(*value) == 2)
                continue;
            host_error("bundle: property %s of %s: <2> is expected", name, path);
            return false;
        }
        if (strcmp(name, "compatible")) {
            host_error("bundle: property %.40s of %s is unknown", name, path);
            return false;
        }
    }
    return true;
}

static void read_vm(const void *fdt, int node, struct vm_config *configs, unsigned count)
{
    struct vm_config *config = &configs[count];
    int length;
    const char *name = fdt_get_name(fdt, node, &length);
    bool named = bundle_good_name(name, (size_t)length) && !taken(configs, count, name);
    *config = (struct vm_config){0};
    size_t copied = (size_t)length < VM_NAME_MAX - 1 ? (size_t)length : VM_NAME_MAX - 1;
    memcpy(config->name, name, copied);
    for (size_t n = 0; n < copied; n++) {
        if (!isprint((unsigned char)config->name[n]))
            config->name[n] = '?';
    }
    property_defaults(config);
    if (!named)
        property_refuse(config, "node /vms/%s: a name is unique, up to %d letters, digits, - _ .",
                        config->name, VM_NAME_MAX - 1);
    else if (fdt_node_check_compatible(fdt, node, "caldarium,vm"))
        property_refuse(config, "property compatible: \"caldarium,vm\" is expected");
    else
        property_read_all(fdt, node, config);
}

/* Devices that other VMs serve: these have to be VMs that can. */
static void check_backends(struct vm_config *configs, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        struct vm_config *config = &configs[n];
        for (unsigned d = 0; d < config->virtio_count && !config->refused; d++) {
            const struct config_virtio *device = &config->virtio[d];
            if (!device->has_backend)
                continue;
            struct vm_config *driver = device->backend < count ? &configs[device->backend] : NULL;
            const char *wrong = NULL;
            if (!driver || driver->refused)
                wrong = "is refused";
            else if (driver->fdt.size)
                wrong = "has a tree of its own (fdt), which doesn't tell of devices to serve";
            else if (driver->serves == DRIVER_DEVICES)
                wrong = "serves 32 devices already, the most";
            else
                driver->serves++;
            if (wrong)
                property_refuse(config, "property backend of node %.31s: VM %s %s", device->name,
                                driver ? driver->name : "that was left out", wrong);
        }
    }
}

int bundle_read(const void *blob, size_t bytes, struct vm_config *configs)
{
    if (bytes < sizeof(struct fdt_header) || fdt_magic(blob) != FDT_MAGIC) {
        host_error("bundle: no device tree blob (dtc -O dtb makes one); the initrd's first bytes "
                   "are something else");
        return -1;
    }
    if (fdt_totalsize(blob) > bytes) {
        host_error("bundle: cut short: its header says %u bytes, the initrd has %zu",
                   fdt_totalsize(blob), bytes);
        return -1;
    }
    int error = tree_blob_check(blob, bytes);
    if (error) {
        host_error("bundle: the blob is damaged: %s", fdt_strerror(error));
        return -1;
    }
    if (fdt_node_check_compatible(blob, 0, "caldarium,bundle-v1")) {
        host_error("bundle: property compatible of /: \"caldarium,bundle-v1\" is expected");
        return -1;
    }
    if (!root_is_known(blob) || !properties_are_known(blob, 0, "/") || !networks_check(blob))
        return -1;
    int parent = fdt_path_offset(blob, "/vms"), node;
    if (parent < 0) {
        host_error("bundle: node /vms is missing");
        return -1;
    }
    if (!properties_are_known(blob, parent, "/vms"))
        return -1;
    unsigned count = 0;
    fdt_for_each_subnode(node, blob, parent)
    {
        if (count == VM_MAX) {
            host_error("bundle: more than %d VMs; those after %s are left out", VM_MAX,
                       configs[count - 1].name);
            break;
        }
        read_vm(blob, node, configs, count++);
    }
    if (!count)
        host_error("bundle: /vms names no VM");
    check_backends(configs, count);
    return (int)count;
}
