/* SPDX-License-Identifier: BSD-2-Clause */
/* What to run: the first VM of a bundle, the blob that the Type-1 takes too (docs/bundle.md), which
 * comes as the initrd. Of its properties we know the name, memory (one range), vcpus, kernel,
 * ramdisk, bootargs. */
#include "guest.h"

#include <libfdt.h>
#include <string.h>

static uint64_t cells(const void *tree, int node, const char *name, unsigned index, unsigned each)
{
    int bytes;
    const fdt32_t *at = fdt_getprop(tree, node, name, &bytes);
    uint64_t value = 0;
    if (!at || bytes < (int)(4 * each * (index + 1)))
        return 0;
    for (unsigned n = 0; n < each; n++)
        value = value << 32 | fdt32_to_cpu(at[index * each + n]);
    return value;
}

static struct blob image(const void *tree, int node, const char *name)
{
    int bytes = 0;
    int at = fdt_node_offset_by_phandle(tree, (uint32_t)cells(tree, node, name, 0, 1));
    const void *data = at < 0 ? NULL : fdt_getprop(tree, at, "data", &bytes);
    return (struct blob){data, data ? (uint64_t)bytes : 0};
}

bool bundle_read(const void *bundle, uint64_t bytes, struct guest *guest)
{
    if (bytes < 40 || fdt_check_header(bundle) || fdt_totalsize(bundle) > bytes) {
        print("the initrd is no bundle: a device tree blob is expected");
        return false;
    }
    int vms = fdt_path_offset(bundle, "/vms");
    int node = vms < 0 ? vms : fdt_first_subnode(bundle, vms);
    const char *name = node < 0 ? NULL : fdt_get_name(bundle, node, NULL);
    if (!name) {
        print("the bundle has no VM: a node in /vms is expected");
        return false;
    }
    const char *bootargs = fdt_getprop(bundle, node, "bootargs", NULL);
    guest->name = name;
    guest->base = cells(bundle, node, "memory", 0, 2);
    guest->bytes = cells(bundle, node, "memory", 1, 2);
    guest->vcpus = (unsigned)cells(bundle, node, "vcpus", 0, 1);
    guest->kernel = image(bundle, node, "kernel");
    guest->ramdisk = image(bundle, node, "ramdisk");
    guest->bootargs = bootargs ? bootargs : "";
    if (!guest->vcpus)
        guest->vcpus = 1;
    if (guest->bytes < 16 * MIB || (guest->base | guest->bytes) & (PAGE - 1)) {
        print("vm %s: property memory: 16 MiB or more is expected, in whole pages", name);
        return false;
    }
    if (guest->vcpus > GUEST_VCPUS) {
        print("vm %s: property vcpus: 1 to %u is expected", name, GUEST_VCPUS);
        return false;
    }
    if (guest->kernel.bytes < 64) {
        print("vm %s: property kernel: a reference to an image is expected", name);
        return false;
    }
    return true;
}
