/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boards on paper: the board parser over every riscv tree in Debian's kernel package (which set-up
 * keeps in the cache) and over those of tests/boards. What it finds is the table in
 * docs/porting.md: `make boards` writes it anew. Nothing may crash or stay mute, broken copies of
 * these trees included.
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <libfdt.h>

#include "appliance/tree/blob.h"
#include "appliance/tree/fdt_reg.h"
#include "drivers/imsic/imsic.h"
#include "drivers/plic/plic.h"
#include "host/bare/board.h"
#include "host/bare/board_node.h"

#define TREES 200
#define PAGE "docs/porting.md"
#define BROKEN_COPIES 40 /* of each tree */

static struct tree {
    char folder[40], name[80];
    bool ours;
    size_t bytes;
    uint8_t *blob;
    char cells[400], said[4000];
} trees[TREES];
static unsigned tree_count;

static char version[80]; /* of Debian's kernel; "" without its trees */
static char text[65536]; /* the page's section as it should be */

static uint8_t *read_file(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*bytes + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, *bytes, file), *bytes);
    data[*bytes] = 0;
    fclose(file);
    return data;
}

static int by_name(const void *a, const void *b)
{
    const struct tree *left = a, *right = b;
    int order = left->ours - right->ours;
    if (!order)
        order = strcmp(left->folder, right->folder);
    return order ? order : strcmp(left->name, right->name);
}

static void find_trees(const char *folder, const char *shown, bool ours)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[600];
        size_t length = strlen(entry->d_name);
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            find_trees(path, entry->d_name, ours);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".dtb"))
            continue;
        assert_true(tree_count < TREES);
        struct tree *tree = &trees[tree_count++];
        snprintf(tree->folder, sizeof(tree->folder), "%s", shown);
        snprintf(tree->name, sizeof(tree->name), "%.*s", (int)length - 4, entry->d_name);
        tree->ours = ours;
        tree->blob = read_file(path, &tree->bytes);
        assert_non_null(tree->blob);
    }
    if (dir)
        closedir(dir);
}

/* As at boot, on a hart that has just been entered. */
static void parse(const void *blob)
{
    sim_reset();
    memset(&board, 0, sizeof(board));
    memset(&board_tree, 0, sizeof(board_tree));
    board_read((uint64_t)(uintptr_t)blob);
}

static void add(char *to, size_t size, const char *format, ...)
{
    size_t used = strlen(to);
    va_list args;
    va_start(args, format);
    vsnprintf(to + used, size - used, format, args);
    va_end(args);
    assert_true(strlen(to) + 1 < size);
}

static void describe_harts(char *to, size_t size)
{
    const struct board_tree *t = &board_tree;
    add(to, size, "%u", t->hart_count);
    if (t->hart_count && t->harts[0].id)
        add(to, size, ", from %#lx", t->harts[0].id);
    bool h = isa_has(&board.isa, ISA_H);
    add(to, size, " | %s", !t->hart_count ? "none" : h ? "h, shadow" : "shadow");
}

static void describe_memory(char *to, size_t size)
{
    const struct board_tree *t = &board_tree;
    for (unsigned n = 0; n < t->ram_count; n++)
        add(to, size, "%s%lu MiB at %#lx", n ? ", " : "", t->ram[n].size >> 20, t->ram[n].base);
    if (!t->ram_count)
        add(to, size, "firmware fills it in");
}

static void describe_devices(char *to, size_t size)
{
    const struct board_tree *t = &board_tree;
    if (!t->uart_driver)
        add(to, size, "firmware's");
    else if (t->uart_irq)
        add(to, size, "%s, source %u", t->uart_driver->name, t->uart_irq);
    else
        add(to, size, "%s, polled", t->uart_driver->name);
    add(to, size, " | %s", t->irqchip);
    if (t->irqchip_kind != BOARD_NONE)
        add(to, size, ", %u sources", t->irqchip_sources);
}

static bool changes(int clock)
{
    return fdt_node_check_compatible(board.fdt, clock, "fixed-clock");
}

/* What devices of this board use that a guest to which they are passed is not given. */
static void describe_lacks(char *to, size_t size)
{
    bool clocks = false, resets = false, domains = false, pins = false, dma = false;
    const char *pcie = NULL;
    for (int node = -1; (node = fdt_next_node(board.fdt, node, NULL)) >= 0;) {
        int bytes;
        if (!node_enabled(node))
            continue;
        dma |= fdt_getprop(board.fdt, node, "dma-noncoherent", NULL) != NULL;
        if (!node_text(node, "compatible") || !fdt_getprop(board.fdt, node, "reg", NULL))
            continue;
        const fdt32_t *clock = fdt_getprop(board.fdt, node, "clocks", &bytes);
        if (clock && bytes >= 4)
            clocks |= changes(fdt_node_offset_by_phandle(board.fdt, fdt32_ld(clock)));
        resets |= fdt_getprop(board.fdt, node, "resets", NULL) != NULL;
        domains |= fdt_getprop(board.fdt, node, "power-domains", NULL) != NULL;
        pins |= fdt_getprop(board.fdt, node, "pinctrl-0", NULL) != NULL;
        const char *type = node_text(node, "device_type");
        if (!pcie && type && !strcmp(type, "pci") &&
            fdt_node_check_compatible(board.fdt, node, "pci-host-ecam-generic"))
            pcie = node_text(node, "compatible");
    }
    dma &= !isa_has(&board.isa, ISA_ZICBOM);
    const char *const lacks[] = {clocks ? "clocks" : NULL, resets ? "resets" : NULL,
                                 domains ? "power domains" : NULL, pins ? "pins" : NULL,
                                 dma ? "DMA: not coherent, no Zicbom" : NULL};
    size_t begin = strlen(to);
    for (size_t n = 0; n < sizeof(lacks) / sizeof(*lacks); n++) {
        if (lacks[n])
            add(to, size, "%s%s", strlen(to) > begin ? ", " : "", lacks[n]);
    }
    if (pcie)
        add(to, size, "%sPCIe (`%s`)", strlen(to) > begin ? ", " : "", pcie);
}

/* Whatever is not there has a line that says so. */
static void is_not_mute(void)
{
    const struct board_tree *t = &board_tree;
    if (sim_message_bytes + 1000 > sizeof(sim_messages))
        return; /* so much is wrong that not all of it was kept */
    if (!t->hart_count)
        assert_non_null(strstr(sim_messages, "nothing can run"));
    if (!t->uart_driver)
        assert_non_null(strstr(sim_messages, "the console is firmware's"));
    else if (t->irqchip_kind != BOARD_NONE && !t->uart_irq)
        assert_non_null(strstr(sim_messages, "the console is polled"));
    if (t->irqchip_kind == BOARD_NONE)
        assert_non_null(strstr(sim_messages, "devices can't interrupt"));
    if (!t->ram_count)
        assert_non_null(strstr(sim_messages, "firmware has to fill it in"));
    if (!board.timebase)
        assert_non_null(strstr(sim_messages, "no timebase-frequency"));
}

/* The drivers take what was found: registers and contexts lie where the tree has room for them. */
static void drivers_take_it(void)
{
    const struct board_tree *t = &board_tree;
    struct plic_hw plic = {0};
    if (t->irqchip_kind == BOARD_PLIC)
        assert_true(plic_hw_init(&plic, NULL, t->irqchip_bytes, t->irqchip_sources));
    if (t->irqchip_kind == BOARD_IMSIC)
        assert_true(imsic_layout_check(&t->imsic));
    for (unsigned n = 0; n < t->hart_count; n++) {
        int context = board_irq_context(&t->harts[n]);
        if (context >= 0 && t->irqchip_kind == BOARD_PLIC)
            assert_true((unsigned)context < plic.contexts);
        if (context >= 0 && t->irqchip_kind == BOARD_IMSIC)
            assert_int_not_equal(imsic_file_address(&t->imsic, (unsigned)context), 0);
    }
}

static void parse_all(void **state)
{
    (void)state;
    for (unsigned n = 0; n < tree_count; n++) {
        struct tree *tree = &trees[n];
        char *to = tree->cells;
        size_t size = sizeof(tree->cells);
        assert_int_equal(tree_blob_check(tree->blob, tree->bytes), 0);
        parse(tree->blob);
        is_not_mute();
        drivers_take_it();
        to[0] = 0;
        describe_harts(to, size);
        add(to, size, " | ");
        describe_memory(to, size);
        add(to, size, " | ");
        describe_devices(to, size);
        add(to, size, " | ");
        describe_lacks(to, size);
        tree->said[0] = 0;
        add(tree->said, sizeof(tree->said), "%s", sim_messages);
    }
}

static bool alike(const struct tree *a, const struct tree *b)
{
    return a->ours == b->ours && !strcmp(a->folder, b->folder) && !strcmp(a->cells, b->cells) &&
           !strcmp(a->said, b->said);
}

/* One row for trees of one folder with the same facts, and after the table the lines of each. */
static void add_rows(char *to, size_t size, bool ours, bool said)
{
    for (unsigned n = 0; n < tree_count; n++) {
        bool first = trees[n].ours == ours && (!said || trees[n].said[0]);
        for (unsigned before = 0; before < n; before++)
            first &= !alike(&trees[before], &trees[n]);
        if (!first)
            continue;
        add(to, size, said ? "\n%s/" : "| %s/", trees[n].folder);
        unsigned shown = 0;
        for (unsigned same = n; same < tree_count; same++) {
            if (alike(&trees[same], &trees[n]))
                add(to, size, "%s%s", shown++ ? ", " : "", trees[same].name);
        }
        if (said)
            add(to, size, ":\n\n```\n%s```\n", trees[n].said);
        else
            add(to, size, " | %s |\n", trees[n].cells);
    }
}

#define BEGIN "<!-- what follows is made by `make boards` -->\n"
#define END "<!-- end of what is made -->\n"

static void make_text(char *to, size_t size)
{
    to[0] = 0;
    add(to, size, BEGIN "The trees of %s in Debian, and those of `tests/boards`:\n\n", version);
    add(to, size,
        "| tree | harts | engines | memory | console | interrupts | what its devices need and a "
        "guest is not given |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n");
    add_rows(to, size, false, false);
    add_rows(to, size, true, false);
    add(to, size, "\nWhat is said at boot of what these trees lack:\n");
    add_rows(to, size, false, true);
    add_rows(to, size, true, true);
    add(to, size, END);
}

/* The page was made from another kernel's trees, or there are none here: our own rows still hold.
 */
static void check_our_rows(const char *page)
{
    char rows[8192] = "";
    add_rows(rows, sizeof(rows), true, false);
    add_rows(rows, sizeof(rows), true, true);
    if (strstr(page, strchr(rows, '|')))
        return;
    for (char *row = strtok(rows, "\n"); row; row = strtok(NULL, "\n")) {
        if (!strstr(page, row))
            fail_msg(PAGE " lacks what `make boards` would write:\n%s", row);
    }
}

static void the_page_is_right(void **state)
{
    (void)state;
    size_t bytes;
    const char *out = getenv("CALDARIUM_BOARDS_OUT");
    make_text(text, sizeof(text));
    if (out) {
        FILE *file = fopen(out, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    char *page = (char *)read_file(PAGE, &bytes), heading[160];
    assert_non_null(page);
    snprintf(heading, sizeof(heading), BEGIN "The trees of %s in Debian", version);
    if (!version[0] || !strstr(page, heading)) {
        print_message("the page is not of the trees that are here (%s): only ours are compared\n",
                      version[0] ? version : "none of Debian's: tools/setup.sh test");
        check_our_rows(page);
    } else if (!strstr(page, text)) {
        fail_msg(PAGE " is not what `make boards` would write");
    }
    free(page);
}

static struct tree *ours(const char *name)
{
    for (unsigned n = 0; n < tree_count; n++) {
        if (trees[n].ours && !strcmp(trees[n].name, name))
            return &trees[n];
    }
    fail_msg("tests/boards has no %s", name);
    return NULL;
}

static void k3_kind(void **state)
{
    (void)state;
    const struct board_tree *t = &board_tree;
    parse(ours("k3-kind")->blob);
    assert_int_equal(sim_errors, 0);
    assert_int_equal(t->hart_count, 8);
    assert_int_equal(t->harts[7].id, 0x13);
    assert_true(isa_has(&board.isa, ISA_H) && isa_has(&board.isa, ISA_ZICBOM));
    assert_int_equal(t->ram_count, 2);
    assert_int_equal(t->ram[1].base, 0x200000000);
    assert_int_equal(t->irqchip_kind, BOARD_IMSIC);
    assert_int_equal(t->irqchip_base, 0xe0804000); /* not the firmware's */
    assert_int_equal(board.irq_sources, 512);
    assert_int_equal(t->imsic.guest_bits, 6);
    assert_ptr_equal(t->uart_driver, &uart_xscale);
    assert_int_equal(t->uart_irq, 281);
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(board_irq_context(&t->harts[n]), n);
}

static void high_ram(void **state)
{
    (void)state;
    const struct board_tree *t = &board_tree;
    parse(ours("high-ram")->blob);
    assert_int_equal(sim_errors, 0);
    assert_int_equal(t->harts[1].id, 0x100000001);
    assert_int_equal(t->ram[0].base, 0x400030000000);
    assert_int_equal(t->irqchip_base, 0x2000000);
    assert_int_equal(board.irq_sources, 1023);
    assert_int_equal(t->uart_base, 0x30300020); /* reg-offset counts */
    assert_int_equal(t->uart_bytes, 0xfe0);
    assert_int_equal(t->uart_irq, 1023);
    assert_int_equal(t->uart_irq_type, 4);
}

static void aplic_alone(void **state)
{
    (void)state;
    const struct board_tree *t = &board_tree;
    parse(ours("aplic-alone")->blob);
    assert_int_equal(sim_errors, 1); /* the memory */
    assert_int_equal(t->irqchip_kind, BOARD_APLIC);
    assert_int_equal(t->irqchip_base, 0xd000000);
    assert_int_equal(t->uart_irq, 500);
    assert_int_equal(board_irq_context(&t->harts[3]), 3);
}

/* Each lack is one line that names node and property. */
static void all_wrong(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "/: no node with device_type \"memory\" has a size in reg",
        "/cpus/cpu@0: mmu-type is missing; the hart is left out",
        "/cpus/cpu@1: reg is missing; the hart is left out",
        "/cpus/cpu@2: mmu-type is riscv,none; the hart is left out",
        "/cpus/cpu@3: riscv,isa-extensions and riscv,isa are missing",
        "/cpus/cpu@3: no node below it is an interrupt-controller",
        "/cpus/cpu@4: reg is that of another hart; this one is left out",
        "/: /cpus has no timebase-frequency",
        "/interrupt-controller@c000000: riscv,ndev is 4096, expected is 1 to 1023",
        "/soc/interrupt-controller@d000000: reg gives no address that the harts reach",
        "/: no node is compatible with a PLIC",
        "/chosen: stdout-path \"serial9:115200n8\" leads to no node",
    };
    parse(ours("all-wrong")->blob);
    for (size_t n = 0; n < sizeof(lines) / sizeof(*lines); n++) {
        char line[160];
        snprintf(line, sizeof(line), "board tree: %s", lines[n]);
        if (!strstr(sim_messages, line))
            fail_msg("no line \"%s\" in:\n%s", line, sim_messages);
    }
    assert_int_equal(sim_errors, sizeof(lines) / sizeof(*lines));
    assert_int_equal(board_tree.hart_count, 1);
}

static void odd_console(void **state)
{
    (void)state;
    parse(ours("odd-console")->blob);
    assert_int_equal(sim_errors, 2);
    assert_non_null(strstr(sim_messages, "/serial@10000000: compatible \"caldarium,morse-key\" is "
                                         "no serial port that has a driver; the console is "
                                         "firmware's"));
    assert_non_null(strstr(sim_messages, "/interrupt-controller@c000000: interrupts-extended has "
                                         "no S-mode line of 1 of 2 harts, hart 1 first"));
    assert_int_equal(board_irq_context(&board_tree.harts[0]), 1);
    assert_int_equal(board_irq_context(&board_tree.harts[1]), -1);
}

static void break_copy(uint8_t *copy, size_t bytes, uint64_t *seed)
{
    static const uint32_t cells[] = {0, 1, 0xffffffff, 0x80000000, 0x7fffffff, 3};
    for (unsigned change = 1 + unit_random(seed) % 8; change; change--) {
        size_t at = unit_random(seed) % bytes;
        if (unit_random(seed) % 2)
            copy[at] ^= (uint8_t)(1u << unit_random(seed) % 8);
        else if (at + 4 <= bytes)
            memcpy(copy + at / 4 * 4, &cells[unit_random(seed) % 6], 4);
    }
}

/* Copies that are cut off, or whose bits and cells are changed: refused, or read without a step
 * outside. */
static void broken_copies(void **state)
{
    (void)state;
    uint64_t seed = 13;
    unsigned read = 0;
    for (unsigned n = 0; n < tree_count; n++) {
        for (unsigned turn = 0; turn < BROKEN_COPIES; turn++) {
            size_t bytes = trees[n].bytes;
            if (turn % 4 == 0)
                bytes = sizeof(struct fdt_header) + unit_random(&seed) % bytes;
            bytes = bytes < trees[n].bytes ? bytes : trees[n].bytes;
            uint8_t *copy = malloc(bytes);
            assert_non_null(copy);
            memcpy(copy, trees[n].blob, bytes);
            fdt_set_totalsize(copy, (uint32_t)bytes);
            if (turn % 4)
                break_copy(copy + sizeof(struct fdt_header), bytes - sizeof(struct fdt_header),
                           &seed);
            if (!tree_blob_check(copy, bytes)) {
                parse(copy);
                is_not_mute();
                read++;
            }
            free(copy);
        }
    }
    assert_true(read > tree_count); /* not all were refused before anything was read */
}

static int set_up(void **state)
{
    (void)state;
    char path[512];
    const char *cache = getenv("CALDARIUM_BOARDS"), *build = getenv("CALDARIUM_BOARDS_OURS");
    size_t bytes;
    if (cache) {
        find_trees(cache, "", false);
        snprintf(path, sizeof(path), "%s/VERSION", cache);
        char *said = (char *)read_file(path, &bytes);
        if (said)
            snprintf(version, sizeof(version), "%.*s", (int)strcspn(said, ","), said);
        free(said);
    }
    assert_non_null(build);
    find_trees(build, "tests/boards", true);
    qsort(trees, tree_count, sizeof(*trees), by_name);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned n = 0; n < tree_count; n++)
        free(trees[n].blob);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_all),   cmocka_unit_test(the_page_is_right),
        cmocka_unit_test(k3_kind),     cmocka_unit_test(high_ram),
        cmocka_unit_test(aplic_alone), cmocka_unit_test(all_wrong),
        cmocka_unit_test(odd_console), cmocka_unit_test(broken_copies),
    };
    return cmocka_run_group_tests_name("boards", tests, set_up, tear_down);
}
