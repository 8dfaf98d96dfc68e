/* SPDX-License-Identifier: BSD-2-Clause */
/* Bundles made in the test, with libfdt's sequential writer. */
#ifndef TESTS_UNIT_BUNDLES_H
#define TESTS_UNIT_BUNDLES_H

#include <libfdt.h>
#include <stddef.h>
#include <stdint.h>

#define BUNDLE_BYTES 65536
#define KERNEL_PHANDLE 1

/* Begins a bundle with one image, `kernel`, of the given bytes, and opens node /vms. */
static inline void bundle_begin(void *blob, const void *kernel, int kernel_bytes)
{
    fdt_create(blob, BUNDLE_BYTES);
    fdt_finish_reservemap(blob);
    fdt_begin_node(blob, "");
    fdt_property_string(blob, "compatible", "caldarium,bundle-v1");
    fdt_begin_node(blob, "images");
    fdt_begin_node(blob, "kernel");
    fdt_property(blob, "data", kernel, kernel_bytes);
    fdt_property_u32(blob, "phandle", KERNEL_PHANDLE);
    fdt_end_node(blob);
    fdt_end_node(blob);
    fdt_begin_node(blob, "vms");
}

/* Opens a VM's node with what every VM needs; the caller adds properties and closes it. */
static inline void bundle_vm(void *blob, const char *name, uint64_t base, uint64_t size)
{
    fdt64_t memory[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    fdt_begin_node(blob, name);
    fdt_property_string(blob, "compatible", "caldarium,vm");
    fdt_property(blob, "memory", memory, sizeof(memory));
    fdt_property_u32(blob, "kernel", KERNEL_PHANDLE);
}

static inline void bundle_end(void *blob)
{
    fdt_end_node(blob);
    fdt_end_node(blob);
    fdt_finish(blob);
}

#endif
