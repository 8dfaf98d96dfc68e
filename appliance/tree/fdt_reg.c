/* SPDX-License-Identifier: BSD-2-Clause */
/* Source: Devicetree specification 0.4, "reg", "ranges", "#address-cells and #size-cells". */
#include "appliance/tree/fdt_reg.h"

#include <libfdt.h>

static uint64_t cells(const fdt32_t *at, int count)
{
    uint64_t value = 0;
    for (int n = 0; n < count; n++)
        value = value << 32 | fdt32_to_cpu(at[n]);
    return value;
}

/* One step up: an address on the bus `bus` as its parent sees it. */
static bool translate(const void *fdt, int bus, int parent, uint64_t *base)
{
    int bytes;
    const fdt32_t *ranges = fdt_getprop(fdt, bus, "ranges", &bytes);
    if (!ranges)
        return false;
    if (!bytes)
        return true; /* one to one */
    int child_cells = fdt_address_cells(fdt, bus), size_cells = fdt_size_cells(fdt, bus);
    int parent_cells = fdt_address_cells(fdt, parent);
    if (child_cells < 0 || size_cells < 0 || parent_cells < 0)
        return false;
    int stride = child_cells + parent_cells + size_cells;
    for (; stride && bytes >= 4 * stride; bytes -= 4 * stride, ranges += stride) {
        uint64_t from = cells(ranges, child_cells);
        uint64_t to = cells(ranges + child_cells, parent_cells);
        uint64_t size = cells(ranges + child_cells + parent_cells, size_cells);
        if (*base - from < size) {
            *base = *base - from + to;
            return true;
        }
    }
    return false;
}

bool fdt_reg(const void *fdt, int node, unsigned n, uint64_t *base, uint64_t *size)
{
    int bytes, bus = fdt_parent_offset(fdt, node);
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &bytes);
    if (!reg || bus < 0)
        return false;
    int address_cells = fdt_address_cells(fdt, bus), size_cells = fdt_size_cells(fdt, bus);
    if (address_cells < 1 || size_cells < 0)
        return false;
    int stride = address_cells + size_cells;
    if ((int)(n + 1) * stride * 4 > bytes)
        return false;
    *base = cells(reg + n * (unsigned)stride, address_cells);
    *size = cells(reg + n * (unsigned)stride + address_cells, size_cells);
    while (bus > 0) {
        int parent = fdt_parent_offset(fdt, bus);
        if (parent < 0 || !translate(fdt, bus, parent, base))
            return false;
        bus = parent;
    }
    return true;
}
