/* SPDX-License-Identifier: BSD-2-Clause */
/* The board's interrupt controller and console, as its tree has them. Where one can't be used, one
 * line says which node and property is why, and what is done without it. */
#include <libfdt.h>
#include <string.h>

#include "appliance/tree/fdt_reg.h"
#include "host/bare/board.h"
#include "host/bare/board_node.h"
#include "host/host.h"

/* Linux' bindings sifive,plic-1.0.0.yaml, riscv,aplic.yaml, riscv,imsics.yaml. A node's pairs of
 * hart interrupt controller and line name its contexts in order; line 9 is S-mode external. */
#define LINE_S_EXT 9

static bool at_supervisor_level(int node)
{
    int bytes;
    const fdt32_t *pairs = fdt_getprop(board.fdt, node, "interrupts-extended", &bytes);
    return pairs && bytes >= 8 && fdt32_to_cpu(pairs[1]) == LINE_S_EXT;
}

/* Makes it the board's controller. False: it is disabled, or a line has said why it can't be. */
static bool use(int node, enum board_irqchip kind, const char *name, const char *count)
{
    struct board_tree *t = &board_tree;
    uint32_t sources = node_u32(node, count, 0);
    if (!node_enabled(node))
        return false;
    if (!fdt_reg(board.fdt, node, 0, &t->irqchip_base, &t->irqchip_bytes)) {
        board_lack(node, "reg gives no address that the harts reach; it is not used");
        return false;
    }
    if (!sources || sources > BOARD_SOURCES) {
        board_lack(node, "%s is %u, expected is 1 to %u; it is not used", count, sources,
                   BOARD_SOURCES);
        return false;
    }
    t->irqchip_node = node;
    t->irqchip_kind = kind;
    t->irqchip = name;
    board.irq_sources = t->irqchip_sources = sources;
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
    fdt_getprop(board.fdt, node, "interrupts-extended", &bytes);
    layout->guest_bits = node_u32(node, "riscv,guest-index-bits", 0);
    layout->hart_bits = node_u32(node, "riscv,hart-index-bits", bits_for((unsigned)bytes / 8));
    layout->group_bits = node_u32(node, "riscv,group-index-bits", 0);
    layout->group_shift = node_u32(node, "riscv,group-index-shift", 24);
    layout->ids = node_u32(node, "riscv,num-ids", 0);
    layout->guest_ids = node_u32(node, "riscv,num-guest-ids", layout->ids);
    while (layout->ranges < IMSIC_RANGES &&
           fdt_reg(board.fdt, node, layout->ranges, &layout->range[layout->ranges].base,
                   &layout->range[layout->ranges].size))
        layout->ranges++;
}

/* The APLIC's domain that S-mode has: it speaks to the harts' S-mode, or to files of S-mode. */
static bool read_aplic(int node)
{
    if (at_supervisor_level(node))
        return use(node, BOARD_APLIC, "aplic", "riscv,num-sources");
    int imsic = fdt_node_offset_by_phandle(board.fdt, node_u32(node, "msi-parent", 0));
    if (imsic < 0 || !at_supervisor_level(imsic) ||
        !use(node, BOARD_IMSIC, "imsic", "riscv,num-sources"))
        return false;
    read_imsic(imsic);
    return true;
}

static bool find_irqchip(void)
{
    static const char *const plics[] = {"sifive,plic-1.0.0", "riscv,plic0", "thead,c900-plic",
                                        "andestech,nceplic100"};
    int node;
    for (unsigned n = 0; n < sizeof(plics) / sizeof(*plics); n++) {
        node = -1;
        while ((node = fdt_node_offset_by_compatible(board.fdt, node, plics[n])) >= 0) {
            if (use(node, BOARD_PLIC, "plic", "riscv,ndev"))
                return true;
        }
    }
    node = -1;
    while ((node = fdt_node_offset_by_compatible(board.fdt, node, "riscv,aplic")) >= 0) {
        if (read_aplic(node))
            return true;
    }
    return false;
}

void board_read_irqchip(void)
{
    const struct board_tree *t = &board_tree;
    const struct board_hart *first = NULL;
    unsigned without = 0;
    board_tree.irqchip = "none";
    if (!find_irqchip()) {
        board_lack(0, "no node is compatible with a PLIC, or with an APLIC whose "
                      "interrupts-extended or msi-parent leads to S-mode; devices can't interrupt");
        return;
    }
    for (unsigned n = 0; n < t->hart_count; n++) {
        if (board_irq_context(&t->harts[n]) >= 0)
            continue;
        first = first ? first : &t->harts[n];
        without++;
    }
    if (without)
        board_lack(t->irqchip_kind == BOARD_IMSIC ? t->imsic_node : t->irqchip_node,
                   "interrupts-extended has no S-mode line of %u of %u harts, hart %lu first; no "
                   "device interrupts them",
                   without, t->hart_count, first->id);
}

/* The port's own interrupt, where it leads to the controller that is used. */
static bool read_uart_irq(int node)
{
    struct board_tree *t = &board_tree;
    int bytes;
    const fdt32_t *cells = fdt_getprop(board.fdt, node, "interrupts-extended", &bytes);
    uint32_t parent = cells && bytes >= 8 ? fdt32_to_cpu(*cells++) : 0;
    for (int at = node; at >= 0 && !parent; at = fdt_parent_offset(board.fdt, at))
        parent = node_u32(at, "interrupt-parent", 0);
    if (cells)
        bytes -= 4;
    else
        cells = fdt_getprop(board.fdt, node, "interrupts", &bytes);
    if (!parent || !cells || bytes < 4 ||
        fdt_node_offset_by_phandle(board.fdt, parent) != t->irqchip_node ||
        fdt32_to_cpu(cells[0]) > t->irqchip_sources)
        return false;
    t->uart_irq = fdt32_to_cpu(cells[0]);
    if (bytes >= 8 && node_u32(t->irqchip_node, "#interrupt-cells", 1) == 2)
        t->uart_irq_type = fdt32_to_cpu(cells[1]);
    return t->uart_irq;
}

#define SBI_INSTEAD "; the console is firmware's"

void board_read_uart(int chosen)
{
    struct board_tree *t = &board_tree;
    const char *path = node_text(chosen, "stdout-path");
    if (!path) {
        board_lack(0, "/chosen has no stdout-path" SBI_INSTEAD);
        return;
    }
    int node = fdt_path_offset_namelen(board.fdt, path, (int)strcspn(path, ":"));
    if (node < 0) { /* "serial0:115200n8" is an alias */
        board_lack(chosen, "stdout-path \"%s\" leads to no node" SBI_INSTEAD, path);
        return;
    }
    const char *name = node_text(node, "compatible");
    int bytes;
    const char *names = fdt_getprop(board.fdt, node, "compatible", &bytes);
    t->uart_driver = names ? uart_find(names, (size_t)bytes) : NULL;
    if (!t->uart_driver) {
        board_lack(node, "compatible \"%s\" is no serial port that has a driver" SBI_INSTEAD,
                   name ? name : "");
        return;
    }
    uint32_t offset = node_u32(node, "reg-offset", 0);
    if (!fdt_reg(board.fdt, node, 0, &t->uart_base, &t->uart_bytes) || offset >= t->uart_bytes) {
        board_lack(node, "reg gives no address that the harts reach" SBI_INSTEAD);
        t->uart_driver = NULL;
        return;
    }
    t->uart_base += offset;
    t->uart_bytes -= offset;
    t->uart_compatible = name;
    t->uart_shift = node_u32(node, "reg-shift", 0);
    t->uart_width = node_u32(node, "reg-io-width", 1);
    if (t->irqchip_kind != BOARD_NONE && !read_uart_irq(node))
        board_lack(node, "interrupts leads to no source of the interrupt controller; the console "
                         "is polled");
}

int board_irq_context(const struct board_hart *hart)
{
    const struct board_tree *t = &board_tree;
    int bytes, node = t->irqchip_kind == BOARD_IMSIC ? t->imsic_node : t->irqchip_node;
    if (t->irqchip_kind == BOARD_NONE || !hart->intc)
        return -1;
    const fdt32_t *pairs = fdt_getprop(board.fdt, node, "interrupts-extended", &bytes);
    for (int n = 0; pairs && n < bytes / 8; n++) {
        if (fdt32_to_cpu(pairs[2 * n]) == hart->intc &&
            fdt32_to_cpu(pairs[2 * n + 1]) == LINE_S_EXT)
            return n;
    }
    return -1;
}
