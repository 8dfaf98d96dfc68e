/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/bundle/network.h"

#include <libfdt.h>
#include <string.h>

#include "appliance/virtio/switch.h"
#include "host/host.h"

/* Of a network's node: 0: it is wrong. */
static uint32_t mtu_of(const void *fdt, int node)
{
    int bytes;
    const fdt32_t *value = fdt_getprop(fdt, node, "mtu", &bytes);
    if (!value)
        return SWITCH_MTU_DEFAULT;
    uint32_t mtu = bytes == sizeof(*value) ? fdt32_ld(value) : 0;
    return mtu >= SWITCH_MTU_MIN && mtu <= SWITCH_MTU_MAX ? mtu : 0;
}

static bool check_one(const void *fdt, int node)
{
    int length, property;
    const char *name = fdt_get_name(fdt, node, &length);
    if (!bundle_good_name(name, (size_t)length)) {
        host_error("bundle: node /networks/%.40s: a name has up to %d letters, digits, - _ .", name,
                   VM_NAME_MAX - 1);
        return false;
    }
    fdt_for_each_property_offset(property, fdt, node)
    {
        const char *called;
        if (!fdt_getprop_by_offset(fdt, property, &called, NULL) || strcmp(called, "mtu")) {
            host_error("bundle: property %.40s of /networks/%s is unknown", called, name);
            return false;
        }
    }
    if (!mtu_of(fdt, node)) {
        host_error("bundle: property mtu of /networks/%s: one number from %u to %u is expected",
                   name, SWITCH_MTU_MIN, SWITCH_MTU_MAX);
        return false;
    }
    if (fdt_first_subnode(fdt, node) >= 0) {
        host_error("bundle: node /networks/%s: no node is expected below it", name);
        return false;
    }
    return true;
}

bool networks_check(const void *fdt)
{
    int parent = fdt_path_offset(fdt, "/networks"), node;
    unsigned count = 0;
    if (parent < 0)
        return true;
    if (fdt_first_property_offset(fdt, parent) >= 0) {
        host_error("bundle: node /networks: no property is expected, but nodes, one a network");
        return false;
    }
    fdt_for_each_subnode(node, fdt, parent)
    {
        if (!check_one(fdt, node))
            return false;
        count++;
    }
    if (count > SWITCHES)
        host_error("bundle: node /networks: at most %d networks are expected", SWITCHES);
    return count <= SWITCHES;
}

const char *networks_find(const void *fdt, const char *name, uint32_t *mtu)
{
    int parent = fdt_path_offset(fdt, "/networks"), node;
    if (parent < 0)
        return NULL;
    fdt_for_each_subnode(node, fdt, parent)
    {
        const char *called = fdt_get_name(fdt, node, NULL);
        if (strcmp(called, name))
            continue;
        *mtu = mtu_of(fdt, node);
        return called;
    }
    return NULL;
}
