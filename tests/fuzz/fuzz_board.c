/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board's tree. An odd first byte: the rest is the blob itself. An even one: libfdt writes a
 * board with as many harts, ranges and devices as the input says, each with properties that it
 * picks, of which bytes are then changed.
 */
#include "tests/fuzz/fuzz.h"

#include <libfdt.h>

#include "appliance/tree/blob.h"
#include "host/bare/board.h"

#define BLOB_BYTES 32768
#define PICK(table, n) (table)[(n) % (sizeof(table) / sizeof(*(table)))]

static const char *const names[] = {
    "reg",
    "ranges",
    "status",
    "compatible",
    "device_type",
    "mmu-type",
    "riscv,isa",
    "riscv,isa-extensions",
    "riscv,cbom-block-size",
    "phandle",
    "interrupts-extended",
    "interrupts",
    "interrupt-parent",
    "#interrupt-cells",
    "#address-cells",
    "#size-cells",
    "riscv,ndev",
    "riscv,num-sources",
    "riscv,num-ids",
    "riscv,hart-index-bits",
    "riscv,guest-index-bits",
    "riscv,group-index-shift",
    "msi-parent",
    "reg-shift",
    "reg-io-width",
    "reg-offset",
    "stdout-path",
    "bootargs",
    "linux,initrd-start",
    "linux,initrd-end",
    "timebase-frequency",
};
static const char *const values[] = {
    "okay",
    "disabled",
    "cpu",
    "memory",
    "riscv,sv48",
    "riscv,none",
    "rv64imafdch",
    "rv64ima_zba_",
    "riscv,cpu-intc",
    "sifive,plic-1.0.0",
    "riscv,aplic",
    "ns16550a",
    "riscv,imsics",
    "sifive,uart0",
    "/soc/b",
    "serial0:115200",
    "x=1 y= x",
    "h",
    "thead,c900-plic",
};

/* Few as a rule; now and then more than there may be. */
static unsigned count_of(struct input *in, unsigned most)
{
    unsigned count = (unsigned)input_number(in, 1);
    return count & 0x80 ? count % (most + 4) : count & 7;
}

static void property(struct input *in, void *blob)
{
    unsigned what = (unsigned)input_number(in, 1), n = (unsigned)input_number(in, 1);
    const char *name = PICK(names, n);
    if (!(what & 3)) {
        n = (unsigned)input_number(in, 1);
        fdt_property_string(blob, name, PICK(values, n));
    } else {
        fdt32_t cells[16];
        unsigned count = what >> 2 & 7; /* pairs are what most of them are made of */
        for (n = 0; n < 2 * count; n++)
            cells[n] = cpu_to_fdt32((uint32_t)input_number(in, what & 0x80 && !(n & 1) ? 4 : 1));
        fdt_property(blob, name, cells, (int)(what & 1 ? 8 * count : 4));
    }
}

static void properties(struct input *in, void *blob)
{
    for (unsigned n = (unsigned)input_number(in, 1) % 8; n && in->left; n--)
        property(in, blob);
}

/* What makes a good device of it; where there are two of a name, libfdt finds the first. */
static void good(void *blob, const char *name)
{
    fdt64_t reg[2] = {cpu_to_fdt64(0x10000000), cpu_to_fdt64(0x1000)};
    fdt32_t lines[4] = {cpu_to_fdt32(1), cpu_to_fdt32(9), cpu_to_fdt32(2), cpu_to_fdt32(9)};
    if (!strcmp(name, "chosen")) {
        fdt_property_string(blob, "stdout-path", "/soc/b:115200");
        return;
    }
    fdt_property(blob, "reg", reg, sizeof(reg));
    fdt_property_u32(blob, "phandle", 0x100U + (uint8_t)*name);
    fdt_property_u32(blob, "interrupt-parent", 0x100 + 'a');
    if (*name == 'b')
        fdt_property_u32(blob, "interrupts", 10);
    else if (*name != 'c')
        fdt_property(blob, "interrupts-extended", lines, sizeof(lines));
    fdt_property_u32(blob, "riscv,ndev", 53);
    fdt_property_u32(blob, "riscv,num-sources", 53);
    fdt_property_u32(blob, "msi-parent", 0x100 + 'd');
}

static void node(struct input *in, void *blob, const char *name, const char *compatible)
{
    unsigned what = (unsigned)input_number(in, 1);
    fdt_begin_node(blob, name);
    if (compatible && what & 0x1c) /* now and then another controller is what is left */
        fdt_property_string(blob, "compatible", compatible);
    if (what & 3)
        good(blob, name);
    properties(in, blob);
    fdt_end_node(blob);
}

static void harts(struct input *in, void *blob)
{
    fdt_begin_node(blob, "cpus");
    fdt_property_u32(blob, "#address-cells", 1);
    fdt_property_u32(blob, "#size-cells", 0);
    for (unsigned n = count_of(in, BOARD_HARTS); n; n--) {
        char name[16];
        snprintf(name, sizeof(name), "cpu@%x", n);
        fdt_begin_node(blob, name);
        fdt_property_string(blob, "device_type", "cpu");
        fdt_property_string(blob, "mmu-type", "riscv,sv48");
        fdt_property_u32(blob, "reg", n);
        properties(in, blob);
        fdt_begin_node(blob, "interrupt-controller");
        fdt_property_string(blob, "compatible", "riscv,cpu-intc");
        fdt_property_u32(blob, "phandle", n);
        fdt_end_node(blob);
        fdt_end_node(blob);
    }
    fdt_end_node(blob);
}

static void range_node(struct input *in, void *blob, const char *kind, unsigned n)
{
    char name[24];
    snprintf(name, sizeof(name), "%s@%x", kind, n);
    fdt_begin_node(blob, name);
    fdt64_t reg[2] = {cpu_to_fdt64(input_number(in, 2) << 12),
                      cpu_to_fdt64(input_number(in, 1) << 12)};
    fdt_property(blob, "reg", reg, sizeof(reg));
    if (!strcmp(kind, "memory"))
        fdt_property_string(blob, "device_type", "memory");
    if (input_number(in, 1) & 1)
        properties(in, blob);
    fdt_end_node(blob);
}

static size_t make_board(struct input *in, void *blob)
{
    fdt_create(blob, BLOB_BYTES);
    for (unsigned n = count_of(in, BOARD_RESERVED); n && in->left; n--) {
        uint64_t base = input_number(in, 2) << 12;
        fdt_add_reservemap_entry(blob, base, input_number(in, 1) + 1);
    }
    fdt_finish_reservemap(blob);
    fdt_begin_node(blob, "");
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    harts(in, blob);
    for (unsigned n = count_of(in, BOARD_RANGES); n && in->left; n--)
        range_node(in, blob, "memory", n);
    fdt_begin_node(blob, "reserved-memory");
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    for (unsigned n = (unsigned)input_number(in, 1) % 8; n && in->left; n--)
        range_node(in, blob, "kept", n);
    fdt_end_node(blob);
    node(in, blob, "chosen", NULL);
    fdt_begin_node(blob, "soc");
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    fdt_property(blob, "ranges", "", 0);
    node(in, blob, "a", "sifive,plic-1.0.0");
    node(in, blob, "b", "ns16550a");
    node(in, blob, "c", "riscv,aplic");
    node(in, blob, "d", "riscv,imsics");
    node(in, blob, "e", NULL);
    fdt_end_node(blob);
    fdt_end_node(blob);
    if (fdt_finish(blob))
        return 0; /* larger than there is room for */
    size_t bytes = fdt_totalsize(blob);
    for (unsigned n = (unsigned)input_number(in, 1) % 8; n && in->left; n--) {
        size_t at = input_number(in, 2) % bytes;
        ((uint8_t *)blob)[at] = (uint8_t)input_number(in, 1);
    }
    return bytes;
}

static bool kept(uint64_t base, uint64_t size)
{
    const struct board_tree *t = &board_tree;
    for (unsigned n = 0; n < t->reserved_count; n++) {
        if (base >= t->reserved[n].base && base + size <= t->reserved[n].base + t->reserved[n].size)
            return true;
    }
    return false;
}

static void memory_holds(const void *blob)
{
    const struct board_tree *t = &board_tree;
    REQUIRE(t->ram_count <= BOARD_RANGES && t->reserved_count <= BOARD_RESERVED);
    for (unsigned n = 0; n < t->ram_count; n++) {
        REQUIRE(t->ram[n].size && !((t->ram[n].base | t->ram[n].size) & 4095));
        REQUIRE(t->ram[n].base < RAM_LIMIT && t->ram[n].size <= RAM_LIMIT - t->ram[n].base);
    }
    for (unsigned n = 0; n < t->reserved_count; n++)
        REQUIRE(t->reserved[n].size <= RAM_LIMIT - t->reserved[n].base);
    for (int n = 0; n < fdt_num_mem_rsv(blob); n++) {
        uint64_t base, size;
        if (!fdt_get_mem_rsv(blob, n, &base, &size) && size && base < RAM_LIMIT &&
            size <= RAM_LIMIT - base)
            REQUIRE(kept(base, size));
    }
    REQUIRE(t->initrd_start <= t->initrd_end && t->initrd_end <= RAM_LIMIT);
}

static void rest_holds(void)
{
    const struct board_tree *t = &board_tree;
    REQUIRE(t->hart_count <= BOARD_HARTS);
    for (unsigned n = 0; n < t->hart_count; n++) {
        REQUIRE(board_irq_context(&t->harts[n]) >= -1);
        for (unsigned m = 0; m < n; m++)
            REQUIRE(t->harts[n].id != t->harts[m].id);
    }
    REQUIRE(t->irqchip_sources <= BOARD_SOURCES);
    REQUIRE(t->uart_irq <= t->irqchip_sources);
    REQUIRE(t->imsic.ranges <= IMSIC_RANGES);
    char value[4] = {1, 1, 1, 1};
    if (board_option("x", value, sizeof(value)))
        REQUIRE(memchr(value, 0, sizeof(value)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static _Alignas(8) uint8_t room[BLOB_BYTES];
    struct input in = {data, bytes};
    if (input_number(&in, 1) & 1) {
        bytes = in.left;
        memcpy(room, in.at, bytes);
    } else {
        bytes = make_board(&in, room);
    }
    uint8_t *blob = malloc(bytes ? bytes : 1); /* to the byte */
    memcpy(blob, room, bytes);
    if (!tree_blob_check(blob, bytes)) { /* else nobody boots */
        sim_reset();
        memset(&board, 0, sizeof(board));
        memset(&board_tree, 0, sizeof(board_tree));
        board_read((uint64_t)(uintptr_t)blob);
        memory_holds(blob);
        rest_holds();
    }
    free(blob);
    return 0;
}
