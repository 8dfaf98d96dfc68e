/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the board's device tree. A wrong tree loses what is wrong in it, with a line that says
 * so, and never more than that. Source: Devicetree specification 0.4; Linux' riscv cpu bindings. */
#include "host/bare/board.h"

#include <libfdt.h>
#include <string.h>

#include "core/tree/blob.h"
#include "core/tree/fdt_reg.h"
#include "host/host.h"

struct board board;
struct board_tree board_tree;

static const void *fdt;

#define TREE_LIMIT (1UL << 30) /* what paging.c maps of it, wherever it begins */

static bool enabled(int node)
{
    const char *status = fdt_getprop(fdt, node, "status", NULL);
    return !status || !strcmp(status, "okay") || !strcmp(status, "ok");
}

static uint32_t u32_or(int node, const char *name, uint32_t otherwise)
{
    int bytes;
    const fdt32_t *cell = fdt_getprop(fdt, node, name, &bytes);
    return cell && bytes >= 4 ? fdt32_to_cpu(*cell) : otherwise;
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
    host_error("board tree: more than %u ranges of reserved memory: all from %#lx to %#lx is left "
               "alone",
               BOARD_RESERVED, from, from + last->size - 1);
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
}

static void read_isa(int node, struct riscv_isa *isa)
{
    int bytes;
    const char *list = fdt_getprop(fdt, node, "riscv,isa-extensions", &bytes);
    if (list) {
        isa_parse_list(isa, list, (size_t)bytes);
        return;
    }
    const char *text = fdt_getprop(fdt, node, "riscv,isa", NULL);
    if (text)
        isa_parse_string(isa, text);
}

/* Block sizes are shown to guests only where all harts agree. */
static void agree(unsigned *all, uint32_t this, bool first)
{
    *all = first || *all == this ? this : 0;
}

static void read_hart(int node)
{
    struct board_tree *t = &board_tree;
    const char *type = fdt_getprop(fdt, node, "device_type", NULL);
    if (!type || strcmp(type, "cpu") || !enabled(node))
        return;
    const char *mmu = fdt_getprop(fdt, node, "mmu-type", NULL);
    if (!mmu || !strcmp(mmu, "riscv,none"))
        return; /* a monitor core without S-mode, such as hart 0 of the FU540 */
    int bytes;
    const fdt32_t *reg = fdt_getprop(fdt, node, "reg", &bytes);
    if (!reg || bytes < 4)
        return;
    uint64_t id = fdt32_to_cpu(reg[bytes / 4 - 1]);
    if (bytes >= 8)
        id |= (uint64_t)fdt32_to_cpu(reg[0]) << 32;
    if (t->hart_count == BOARD_HARTS) {
        host_error("board tree: more than %u harts; hart %lu is left out", BOARD_HARTS, id);
        return;
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
    bool first = t->hart_count++ == 0;
    if (first)
        board.isa = hart->isa;
    else
        isa_intersect(&board.isa, &hart->isa);
    agree(&board.cbom_block, u32_or(node, "riscv,cbom-block-size", 0), first);
    agree(&board.cboz_block, u32_or(node, "riscv,cboz-block-size", 0), first);
    agree(&board.cbop_block, u32_or(node, "riscv,cbop-block-size", 0), first);
}

static void read_cpus(void)
{
    int cpus = fdt_path_offset(fdt, "/cpus"), node;
    board.timebase = u32_or(cpus, "timebase-frequency", 0);
    fdt_for_each_subnode(node, fdt, cpus)
    {
        read_hart(node);
        if (!board.timebase)
            board.timebase = u32_or(node, "timebase-frequency", 0); /* older trees */
    }
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

/* Linux' bindings sifive,plic-1.0.0.yaml, riscv,aplic.yaml, riscv,imsics.yaml. A node's pairs of
 * hart interrupt controller and line name its contexts in order; line 9 is S-mode external. */
#define LINE_S_EXT 9

static bool at_supervisor_level(int node)
{
    int bytes;
    const fdt32_t *pairs = fdt_getprop(fdt, node, "interrupts-extended", &bytes);
    return pairs && bytes >= 8 && fdt32_to_cpu(pairs[1]) == LINE_S_EXT;
}

static bool use(int node, enum board_irqchip kind, const char *name, const char *sources)
{
    struct board_tree *t = &board_tree;
    if (!enabled(node) || !fdt_reg(fdt, node, 0, &t->irqchip_base, &t->irqchip_bytes))
        return false;
    t->irqchip_node = node;
    t->irqchip_kind = kind;
    t->irqchip = name;
    t->irqchip_sources = u32_or(node, sources, 0);
    board.irq_sources = t->irqchip_sources <= BOARD_SOURCES ? t->irqchip_sources : 0;
    return true;
}

/* As many bits as it takes to number `count` things. */
static unsigned bits_for(unsigned count)
{
    unsigned bits = 0;
    while (1u << bits < count)
        bits++;
    return bits;
}

static void read_imsic(int node)
{
    struct imsic_layout *layout = &board_tree.imsic;
    int bytes = 0;
    board_tree.imsic_node = node;
    fdt_getprop(fdt, node, "interrupts-extended", &bytes);
    layout->guest_bits = u32_or(node, "riscv,guest-index-bits", 0);
    layout->hart_bits = u32_or(node, "riscv,hart-index-bits", bits_for((unsigned)bytes / 8));
    layout->group_bits = u32_or(node, "riscv,group-index-bits", 0);
    layout->group_shift = u32_or(node, "riscv,group-index-shift", 24);
    layout->ids = u32_or(node, "riscv,num-ids", 0);
    layout->guest_ids = u32_or(node, "riscv,num-guest-ids", layout->ids);
    while (layout->ranges < IMSIC_RANGES &&
           fdt_reg(fdt, node, layout->ranges, &layout->range[layout->ranges].base,
                   &layout->range[layout->ranges].size))
        layout->ranges++;
}

/* The APLIC's domain that S-mode has: it speaks to the harts' S-mode, or to files of S-mode. */
static bool read_aplic(int node)
{
    if (at_supervisor_level(node))
        return use(node, BOARD_APLIC, "aplic", "riscv,num-sources");
    int imsic = fdt_node_offset_by_phandle(fdt, u32_or(node, "msi-parent", 0));
    if (imsic < 0 || !at_supervisor_level(imsic) ||
        !use(node, BOARD_IMSIC, "imsic", "riscv,num-sources"))
        return false;
    read_imsic(imsic);
    return true;
}

static void read_irqchip(void)
{
    static const char *const plics[] = {"sifive,plic-1.0.0", "riscv,plic0", "thead,c900-plic",
                                        "andestech,nceplic100"};
    board_tree.irqchip = "none";
    for (unsigned n = 0; n < sizeof(plics) / sizeof(*plics); n++) {
        int node = fdt_node_offset_by_compatible(fdt, -1, plics[n]);
        if (node >= 0 && use(node, BOARD_PLIC, "plic", "riscv,ndev"))
            return;
    }
    int node = -1;
    while ((node = fdt_node_offset_by_compatible(fdt, node, "riscv,aplic")) >= 0) {
        if (read_aplic(node))
            return;
    }
}

static void read_uart(int chosen)
{
    struct board_tree *t = &board_tree;
    const char *path = fdt_getprop(fdt, chosen, "stdout-path", NULL);
    if (!path)
        return;
    size_t length = strcspn(path, ":"); /* "serial0:115200n8" */
    int node = fdt_path_offset_namelen(fdt, path, (int)length);
    if (node < 0 || !fdt_reg(fdt, node, 0, &t->uart_base, &t->uart_bytes))
        return;
    t->uart_compatible = fdt_getprop(fdt, node, "compatible", &t->uart_compatible_bytes);
    t->uart_shift = u32_or(node, "reg-shift", 0);
    t->uart_width = u32_or(node, "reg-io-width", 1);
    uint32_t parent = 0;
    for (int at = node; at >= 0 && !parent; at = fdt_parent_offset(fdt, at))
        parent = u32_or(at, "interrupt-parent", 0);
    int bytes;
    const fdt32_t *cells = fdt_getprop(fdt, node, "interrupts", &bytes);
    if (t->irqchip_kind == BOARD_NONE || !parent || !cells || bytes < 4 ||
        fdt_node_offset_by_phandle(fdt, parent) != t->irqchip_node)
        return;
    t->uart_irq = fdt32_to_cpu(cells[0]);
    if (bytes >= 8 && u32_or(t->irqchip_node, "#interrupt-cells", 1) == 2)
        t->uart_irq_type = fdt32_to_cpu(cells[1]);
}

void board_read(uint64_t fdt_pa)
{
    struct board_tree *t = &board_tree;
    t->fdt_pa = fdt_pa;
    t->fdt = fdt = host_va(fdt_pa);
    int error = fdt ? tree_blob_check(fdt, TREE_LIMIT) : -FDT_ERR_BADVALUE;
    if (error)
        host_panic("no usable device tree at %#lx, where firmware's a1 points: %s", fdt_pa,
                   fdt_strerror(error));
    t->fdt_bytes = fdt_totalsize(fdt);
    board.fdt = fdt;
    int chosen = fdt_path_offset(fdt, "/chosen");
    const char *bootargs = fdt_getprop(fdt, chosen, "bootargs", NULL);
    t->bootargs = bootargs ? bootargs : "";
    t->initrd_start = chosen_address(chosen, "linux,initrd-start");
    t->initrd_end = chosen_address(chosen, "linux,initrd-end");
    if (t->initrd_end > RAM_LIMIT || t->initrd_end < t->initrd_start) {
        host_error("board tree: linux,initrd-start %#lx and -end %#lx in /chosen are no range of "
                   "memory",
                   t->initrd_start, t->initrd_end);
        t->initrd_end = t->initrd_start = 0;
    }
    read_memory();
    read_cpus();
    read_irqchip();
    read_uart(chosen);
}

int board_irq_context(const struct board_hart *hart)
{
    const struct board_tree *t = &board_tree;
    int bytes, node = t->irqchip_kind == BOARD_IMSIC ? t->imsic_node : t->irqchip_node;
    if (t->irqchip_kind == BOARD_NONE)
        return -1;
    const fdt32_t *pairs = fdt_getprop(fdt, node, "interrupts-extended", &bytes);
    for (int n = 0; pairs && n < bytes / 8; n++) {
        if (fdt32_to_cpu(pairs[2 * n]) == hart->intc &&
            fdt32_to_cpu(pairs[2 * n + 1]) == LINE_S_EXT)
            return n;
    }
    return -1;
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
