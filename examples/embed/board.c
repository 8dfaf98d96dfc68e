/* SPDX-License-Identifier: BSD-2-Clause */
/* What the board's tree says: RAM, harts, the console, and what we were given to run. */
#include "embed.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (2 * MIB)

struct board board;

/* Ranges that are somebody else's: the firmware's, ours, the tree's, the initrd's. */
static struct range {
    uint64_t base, end;
} held[32];
static unsigned held_count;

static void hold(uint64_t base, uint64_t bytes)
{
    if (held_count == sizeof(held) / sizeof(held[0]))
        panic("the board's tree: more than %u reserved ranges", held_count);
    held[held_count++] =
        (struct range){base & ~(PAGE - 1), (base + bytes + PAGE - 1) & ~(PAGE - 1)};
}

static uint64_t cells(const fdt32_t *at, int count)
{
    uint64_t value = 0;
    for (int n = 0; n < count; n++)
        value = value << 32 | fdt32_to_cpu(at[n]);
    return value;
}

/* Pair `n` of a node's reg. False: it has no more. */
static bool reg(int node, int n, uint64_t *base, uint64_t *size)
{
    int parent = fdt_parent_offset(board.tree, node), bytes;
    int wide = fdt_address_cells(board.tree, parent), long_ = fdt_size_cells(board.tree, parent);
    const fdt32_t *at = fdt_getprop(board.tree, node, "reg", &bytes);
    if (!at || wide < 1 || long_ < 0 || bytes < 4 * (n + 1) * (wide + long_))
        return false;
    *base = cells(at + n * (wide + long_), wide);
    *size = cells(at + n * (wide + long_) + wide, long_);
    return true;
}

static uint64_t number(int node, const char *name, uint64_t otherwise)
{
    int bytes;
    const fdt32_t *at = fdt_getprop(board.tree, node, name, &bytes);
    return at && (bytes == 4 || bytes == 8) ? cells(at, bytes / 4) : otherwise;
}

static bool is(int node, const char *property, const char *value)
{
    return fdt_stringlist_search(board.tree, node, property, value) >= 0;
}

static void read_reserved(void)
{
    uint64_t base, size;
    int parent = fdt_path_offset(board.tree, "/reserved-memory"), node;
    for (int n = 0; n < fdt_num_mem_rsv(board.tree); n++) {
        if (!fdt_get_mem_rsv(board.tree, n, &base, &size))
            hold(base, size);
    }
    fdt_for_each_subnode(node, board.tree, parent)
    {
        for (int n = 0; reg(node, n, &base, &size); n++)
            hold(base, size);
    }
}

static bool is_ours(uint64_t block, unsigned of_others)
{
    bool ours = block - memory_base < (uint64_t)LINEAR_GIB << 30;
    for (unsigned n = 0; n < of_others; n++)
        ours &= held[n].end <= block || held[n].base >= block + BLOCK;
    return ours;
}

/* What of [at, end) we don't hold ourselves. */
static void give_pages(uint64_t at, uint64_t end)
{
    while (at < end) {
        uint64_t stop = end, next = 0;
        for (unsigned n = 0; n < held_count; n++) {
            if (held[n].base <= at && held[n].end > at)
                next = held[n].end;
            else if (held[n].base > at && held[n].base < stop)
                stop = held[n].base;
        }
        if (!next)
            pages_give(va_of(at), stop - at);
        at = next ? next : stop;
    }
}

/* Whole blocks of RAM are mapped, less those in which firmware has something. Pages that we hold
 * ourselves are mapped and not given out. */
static void give_ram(uint64_t base, uint64_t end, unsigned of_others)
{
    uint64_t block = (base + BLOCK - 1) & ~(BLOCK - 1);
    while (block + BLOCK <= end) {
        uint64_t first = block;
        while (block + BLOCK <= end && is_ours(block, of_others))
            block += BLOCK;
        if (block > first) {
            paging_map_ram(first, block - first);
            give_pages(first, block);
        }
        block += BLOCK; /* that one isn't, or does not end in the range */
    }
    if (end - memory_base > (uint64_t)LINEAR_GIB << 30)
        print("RAM above %#lx is not used: %u GiB is what we map",
              memory_base + ((uint64_t)LINEAR_GIB << 30), LINEAR_GIB);
}

static void read_memory(unsigned of_others)
{
    uint64_t base, size;
    int node;
    fdt_for_each_subnode(node, board.tree, 0)
    {
        if (!is(node, "device_type", "memory"))
            continue;
        for (int n = 0; reg(node, n, &base, &size); n++)
            give_ram(base, base + size, of_others);
    }
}

/* The boot hart is number 0, whatever the board calls it. */
static void read_harts(uint64_t boot_id)
{
    int cpus = fdt_path_offset(board.tree, "/cpus"), node;
    board.timebase = number(cpus, "timebase-frequency", 10000000);
    harts[0].id = boot_id;
    hart_count = 1;
    fdt_for_each_subnode(node, board.tree, cpus)
    {
        uint64_t id = number(node, "reg", boot_id);
        if (!is(node, "device_type", "cpu"))
            continue;
        if (id == boot_id)
            board.cpu = node;
        else if (fdt_getprop(board.tree, node, "mmu-type", NULL) && hart_count < MAX_HARTS)
            harts[hart_count].index = hart_count, harts[hart_count++].id = id;
    }
}

const char *board_isa(void)
{
    int bytes;
    const char *isa = fdt_getprop(board.tree, board.cpu, "riscv,isa", NULL);
    const char *list = fdt_getprop(board.tree, board.cpu, "riscv,isa-extensions", &bytes);
    static char text[2048] = "rv64i";
    if (isa || !list)
        return isa ? isa : text;
    size_t used = strlen(text);
    for (const char *at = list; at < list + bytes; at += strlen(at) + 1) {
        if (used + strlen(at) + 2 > sizeof(text))
            panic("the board's tree: riscv,isa-extensions is longer than %zu", sizeof(text));
        text[used++] = '_';
        memcpy(text + used, at, strlen(at) + 1);
        used += strlen(at);
    }
    return text;
}

static void read_console(int chosen)
{
    char path[100] = "";
    const char *named = fdt_getprop(board.tree, chosen, "stdout-path", NULL);
    uint64_t base, size;
    if (!named || option_is("console", "sbi"))
        return;
    size_t length = strcspn(named, ":");
    memcpy(path, named, length < sizeof(path) ? length : 0);
    int node = fdt_path_offset(board.tree, path);
    if (node < 0 || !reg(node, 0, &base, &size) ||
        !(is(node, "compatible", "ns16550a") || is(node, "compatible", "snps,dw-apb-uart")))
        return;
    board.uart = base + number(node, "reg-offset", 0);
    board.uart_shift = (unsigned)number(node, "reg-shift", 0);
    board.uart_width = (unsigned)number(node, "reg-io-width", 1);
}

void board_read(const void *tree, uint64_t boot_id)
{
    board.tree = tree;
    int chosen = fdt_path_offset(tree, "/chosen");
    const char *bootargs = fdt_getprop(tree, chosen, "bootargs", NULL);
    board.bootargs = bootargs ? bootargs : "";
    board.initrd = number(chosen, "linux,initrd-start", 0);
    board.initrd_bytes = number(chosen, "linux,initrd-end", 0) - board.initrd;
    read_harts(boot_id);
    read_console(chosen);
    console_begin();
    read_reserved();
    unsigned of_others = held_count;
    hold(pa_of(image_start), (uint64_t)(image_end - image_start));
    hold(pa_of(tree), fdt_totalsize(tree));
    hold(board.initrd, board.initrd_bytes);
    read_memory(of_others);
}

static const char *value_of(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = board.bootargs; *at; at += strspn(at, " ")) {
        if (!strncmp(at, name, length) && at[length] == '=')
            return at + length + 1;
        at += strcspn(at, " ");
    }
    return NULL;
}

uint64_t option(const char *name, uint64_t otherwise)
{
    const char *value = value_of(name);
    return value ? strtoul(value, NULL, 0) : otherwise;
}

bool option_is(const char *name, const char *wanted)
{
    const char *value = value_of(name);
    size_t length = strlen(wanted);
    return value && !strncmp(value, wanted, length) && (!value[length] || value[length] == ' ');
}
