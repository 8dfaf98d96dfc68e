/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bundle. An odd first byte: the rest is the blob itself. An even one: libfdt writes a bundle of
 * VMs with the properties and values that the input names, of which bytes are then changed.
 */
#include "tests/fuzz/fuzz.h"

#include "appliance/bundle/bundle.h"
#include "tests/unit/bundles.h"

static const char *const names[] = {
    "vcpus",         "load-address", "entry",          "ramdisk",       "bootargs",   "harts",
    "schedule",      "isa-disable",  "console",        "irqchip",       "engine",     "autostart",
    "on-fault",      "on-reset",     "pause-time",     "watchdog-ms",   "memory",     "kernel",
    "shared-memory", "fdt",          "legacy-getchar", "restart-limit", "state",      "budget-us",
    "period-us",     "priority",     "devices",        "passthrough",   "compatible",
};
static const char *const values[] = {
    "pinned", "shared", "none",  "uart", "plic",    "aplic", "imsic",    "h",    "shadow",
    "true",   "false",  "pause", "run",  "restart", "stop",  "rollback", "zero", "v",
};
#define PICK(table, n) (table)[(n) % (sizeof(table) / sizeof(*(table)))]

static void property(struct input *in, void *blob)
{
    unsigned what = (unsigned)input_number(in, 1);
    const char *name = PICK(names, input_number(in, 1));
    if (!(what & 3)) {
        const char *value = PICK(values, input_number(in, 1)); /* the macro takes it twice */
        fdt_property_string(blob, name, value);
    } else if (what & 1) {
        fdt_property_u32(blob, name, (uint32_t)input_number(in, what & 4 ? 4 : 1));
    } else {
        uint8_t bytes[64] = {0};
        unsigned count = what >> 2;
        for (unsigned n = 0; n < count; n++)
            bytes[n] = (uint8_t)input_number(in, 1);
        fdt_property(blob, name, bytes, (int)count);
    }
}

static size_t make_bundle(struct input *in, void *blob)
{
    static const uint8_t loop[] = {0x6f, 0, 0, 0};
    bundle_begin(blob, loop, sizeof(loop));
    for (unsigned vm = (unsigned)input_number(in, 1) % 4 + 1; vm; vm--) {
        const char name[] = {(char)('a' + vm), 0};
        bundle_vm(blob, name, 0x80000000, vm * 0x200000);
        for (unsigned n = (unsigned)input_number(in, 1) % 16; n && in->left; n--)
            property(in, blob);
        fdt_end_node(blob);
    }
    bundle_end(blob);
    size_t bytes = fdt_totalsize(blob);
    for (unsigned n = (unsigned)input_number(in, 1) % 8; n && in->left; n--) {
        size_t at = input_number(in, 2) % bytes;
        ((uint8_t *)blob)[at] = (uint8_t)input_number(in, 1);
    }
    return bytes;
}

static void inside(const struct config_image *image, const uint8_t *blob, size_t bytes)
{
    if (image->size)
        REQUIRE(image->data >= blob && image->data + image->size <= blob + bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static _Alignas(8) uint8_t room[BUNDLE_BYTES];
    static struct vm_config configs[VM_MAX];
    struct input in = {data, bytes};
    if (input_number(&in, 1) & 1) {
        bytes = in.left;
        memcpy(room, in.at, bytes);
    } else {
        bytes = make_bundle(&in, room);
    }
    uint8_t *blob = malloc(bytes ? bytes : 1); /* to the byte */
    memcpy(blob, room, bytes);
    memset(configs, 0, sizeof(configs));
    sim_reset();
    int count = bundle_read(blob, bytes, configs);
    REQUIRE(count >= -1 && count <= VM_MAX);
    REQUIRE(count >= 0 || sim_errors == 1);
    for (int n = 0; n < count; n++) {
        const struct vm_config *c = &configs[n];
        if (c->refused)
            continue;
        REQUIRE(memchr(c->name, 0, sizeof(c->name)));
        REQUIRE(c->vcpus && c->vcpus <= VM_MAX_VCPUS);
        REQUIRE(c->memory_ranges && c->memory_ranges <= VM_MAX_RANGES);
        for (unsigned r = 0; r < c->memory_ranges; r++)
            REQUIRE(c->memory[r].size && c->memory[r].base + c->memory[r].size > c->memory[r].base);
        inside(&c->kernel, blob, bytes);
        inside(&c->ramdisk, blob, bytes);
        inside(&c->fdt, blob, bytes);
    }
    free(blob);
    return 0;
}
