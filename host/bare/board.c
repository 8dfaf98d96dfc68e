/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the board's device tree. A wrong tree loses what is wrong in it, with a line that says
 * so, and never more than that. Source: Devicetree specification 0.4; Linux' riscv cpu bindings. */
#include "host/bare/board.h"

#include <libfdt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "appliance/tree/blob.h"
#include "appliance/tree/fdt_reg.h"
#include "host/bare/board_node.h"
#include "host/host.h"

struct board board;
struct board_tree board_tree;

static const void *fdt;

#define TREE_LIMIT (1UL << 30) /* what paging.c maps of it, wherever it begins */

void board_lack(int node, const char *format, ...)
{
    char path[80], text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (fdt_get_path(fdt, node, path, sizeof(path)))
        snprintf(path, sizeof(path), "a node that lies deep");
    host_error("board tree: %s: %s", path, text);
}

static bool enabled(int node)
{
    return node_enabled(node);
}

static void add_memory(int node, struct ram_range range)
{
    struct board_tree *t = &board_tree;
    struct ram_range said = range;
    bool odd = ram_clip(&range);
    if (odd)
        host_error("board tree: %s: %#lx + %#lx is not in whole pages below %#lx; %#lx + %#lx is "
                   "used",
                   fdt_get_name(fdt, node, NULL), said.base, said.size, RAM_LIMIT, range.base,
                   range.size);
    if (!range.size)
        return;
    if (t->ram_count == BOARD_RANGES)
        host_error("board tree: more than %u ranges of memory; %#lx is left out", BOARD_RANGES,
                   range.base);
    else
        t->ram[t->ram_count++] = range;
}

/* What is reserved has to be left alone, whatever else is wrong: a range that has no room of its
 * own widens the last one. */
static void add_reserved(struct ram_range range)
{
    struct board_tree *t = &board_tree;
    if (!range.size || range.base >= RAM_LIMIT)
        return;
    if (range.size > RAM_LIMIT - range.base)
        range.size = RAM_LIMIT - range.base;
    if (t->reserved_count < BOARD_RESERVED) {
        t->reserved[t->reserved_count++] = range;
        return;
    }
    struct ram_range *last = &t->reserved[BOARD_RESERVED - 1];
    uint64_t from = range.base < last->base ? range.base : last->base;
    uint64_t end = range.base + range.size, last_end = last->base + last->size;
    *last = (struct ram_range){from, (end > last_end ? end : last_end) - from};
    t->reserved_joined = true;
}

static void read_memory(void)
{
    int node = -1;
    while ((node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory", 7)) >= 0) {
        uint64_t base, size;
        for (unsigned n = 0; enabled(node) && fdt_reg(fdt, node, n, &base, &size); n++)
            add_memory(node, (struct ram_range){base, size});
    }
    for (int n = 0; n < fdt_num_mem_rsv(fdt); n++) {
        uint64_t base, size;
        if (!fdt_get_mem_rsv(fdt, n, &base, &size))
            add_reserved((struct ram_range){base, size});
    }
    int parent = fdt_path_offset(fdt, "/reserved-memory"), child;
    fdt_for_each_subnode(child, fdt, parent)
    {
        uint64_t base, size;
        for (unsigned n = 0; enabled(child) && fdt_reg(fdt, child, n, &base, &size); n++)
            add_reserved((struct ram_range){base, size});
    }
    const struct ram_range *last = &board_tree.reserved[BOARD_RESERVED - 1];
    if (board_tree.reserved_joined)
        host_error("board tree: more than %u ranges of reserved memory: all from %#lx to %#lx is "
                   "left alone",
                   BOARD_RESERVED, last->base, last->base + last->size - 1);
}

static void read_isa(int node, struct riscv_isa *isa)
{
    int bytes;
    const char *list = fdt_getprop(fdt, node, "riscv,isa-extensions", &bytes);
    if (list) {
        isa_parse_list(isa, list, (size_t)bytes);
        return;
    }
    const char *text = node_text(node, "riscv,isa");
    if (text)
        isa_parse_string(isa, text);
    else
        board_lack(node, "riscv,isa-extensions and riscv,isa are missing; what the hart has beyond "
                         "the base is not used");
}

/* Block sizes are shown to guests only where all harts agree. */
static void agree(unsigned *all, uint32_t this, bool first)
{
    *all = first || *all == this ? this : 0;
}

static void read_hart(int node)
{
    struct board_tree *t = &board_tree;
    const char *type = node_text(node, "device_type");
    if (!type || strcmp(type, "cpu") || !enabled(node))
        return;
    const char *mmu = node_text(node, "mmu-type");
    if (!mmu || !strcmp(mmu, "riscv,none")) {
        /* A monitor core without S-mode, such as hart 0 of the FU540. */
        board_lack(node, "mmu-type is %s; the hart is left out", mmu ? mmu : "missing");
        return;
    }
    int bytes;
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &bytes);
    if (!reg || bytes < 4) {
        board_lack(node, "reg is missing; the hart is left out");
        return;
    }
    uint64_t id = fdt32_to_cpu(reg[bytes / 4 - 1]);
    if (bytes >= 8)
        id |= (uint64_t)fdt32_to_cpu(reg[0]) << 32;
    if (t->hart_count == BOARD_HARTS) {
        host_error("board tree: more than %u harts; hart %lu is left out", BOARD_HARTS, id);
        return;
    }
    for (unsigned n = 0; n < t->hart_count; n++) {
        if (t->harts[n].id == id) {
            board_lack(node, "reg is that of another hart; this one is left out");
            return;
        }
    }
    struct board_hart *hart = &t->harts[t->hart_count];
    *hart = (struct board_hart){.id = id};
    read_isa(node, &hart->isa);
    int child;
    fdt_for_each_subnode(child, fdt, node)
    {
        if (!fdt_node_check_compatible(fdt, child, "riscv,cpu-intc"))
            hart->intc = fdt_get_phandle(fdt, child);
    }
    if (!hart->intc)
        board_lack(node, "no node below it is an interrupt-controller with a phandle; no device "
                         "interrupts the hart");
    bool first = t->hart_count++ == 0;
    if (first)
        board.isa = hart->isa;
    else
        isa_intersect(&board.isa, &hart->isa);
    agree(&board.cbom_block, node_u32(node, "riscv,cbom-block-size", 0), first);
    agree(&board.cboz_block, node_u32(node, "riscv,cboz-block-size", 0), first);
    agree(&board.cbop_block, node_u32(node, "riscv,cbop-block-size", 0), first);
}

static void read_cpus(void)
{
    int cpus = fdt_path_offset(fdt, "/cpus"), node;
    board.timebase = node_u32(cpus, "timebase-frequency", 0);
    fdt_for_each_subnode(node, fdt, cpus)
    {
        read_hart(node);
        if (!board.timebase)
            board.timebase = node_u32(node, "timebase-frequency", 0); /* older trees */
    }
    if (!board_tree.hart_count)
        board_lack(0, "/cpus has no enabled hart with a device_type, mmu-type and reg; nothing can "
                      "run");
    if (!board.timebase)
        board_lack(0, "/cpus has no timebase-frequency; there is no telling the time");
}

static uint64_t chosen_address(int chosen, const char *name)
{
    int bytes;
    const fdt32_t *cells = fdt_getprop(fdt, chosen, name, &bytes);
    if (!cells || (bytes != 4 && bytes != 8))
        return 0;
    uint64_t value = fdt32_to_cpu(cells[0]);
    return bytes == 8 ? value << 32 | fdt32_to_cpu(cells[1]) : value;
}

void board_read(uint64_t fdt_pa)
{
    struct board_tree *t = &board_tree;
    t->fdt_pa = fdt_pa;
    t->fdt = fdt = host_va(fdt_pa);
    int error = fdt ? tree_blob_check(fdt, TREE_LIMIT) : -FDT_ERR_BADVALUE;
    if (error)
        panic("no usable device tree at %#lx, where firmware's a1 points: %s", fdt_pa,
              fdt_strerror(error));
    t->fdt_bytes = fdt_totalsize(fdt);
    board.fdt = fdt;
    int chosen = fdt_path_offset(fdt, "/chosen");
    const char *bootargs = node_text(chosen, "bootargs");
    t->bootargs = bootargs ? bootargs : "";
    t->memory_from_efi = fdt_getprop(fdt, chosen, "caldarium,memory-from-efi", NULL) != NULL;
    t->initrd_start = chosen_address(chosen, "linux,initrd-start");
    t->initrd_end = chosen_address(chosen, "linux,initrd-end");
    if (t->initrd_end > RAM_LIMIT || t->initrd_end < t->initrd_start) {
        host_error("board tree: linux,initrd-start %#lx and -end %#lx in /chosen are no range of "
                   "memory",
                   t->initrd_start, t->initrd_end);
        t->initrd_end = t->initrd_start = 0;
    }
    read_memory();
    if (!t->ram_count)
        board_lack(0, "no node with device_type \"memory\" has a size in reg; firmware has to fill "
                      "it in");
    read_cpus();
    board_read_irqchip();
    board_read_uart(chosen);
}

bool board_option(const char *name, char *out, size_t size)
{
    size_t length = strlen(name);
    for (const char *at = board_tree.bootargs; *at;) {
        size_t word = strcspn(at, " ");
        if (word > length && !strncmp(at, name, length) && at[length] == '=') {
            size_t value = word - length - 1 < size - 1 ? word - length - 1 : size - 1;
            memcpy(out, at + length + 1, value);
            out[value] = 0;
            return true;
        }
        at += word;
        at += strspn(at, " ");
    }
    return false;
}
