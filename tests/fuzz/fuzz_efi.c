/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What EFI hands over: options, a tree with whatever in it, a map of memory in any order and with
 * entries of any size. What becomes memory is what the map leaves to us, and the tree is a good
 * one.
 */
#include "tests/fuzz/fuzz.h"

#include <libfdt.h>

#include "appliance/tree/blob.h"
#include "host/efi/efi.h"

#define ENTRIES 40
#define PAGES 256U /* of the memory that its map tells of */

static struct efi start;
static unsigned said;

void efi_say(const struct efi *efi, const char *text, ...)
{
    (void)efi, (void)text;
    said++;
}

efi_status efi_take(const struct efi *efi, struct efi_block *block, uint64_t bytes,
                    const char *what)
{
    (void)efi, (void)what;
    block->pages = (bytes + EFI_PAGE_SIZE - 1) / EFI_PAGE_SIZE;
    block->address = (uint64_t)aligned_alloc(EFI_PAGE_SIZE, block->pages * EFI_PAGE_SIZE);
    return EFI_SUCCESS;
}

static efi_status no_protocol(const struct efi_guid *guid, void *key, void **out)
{
    (void)guid, (void)key, (void)out;
    return EFI_NOT_FOUND;
}

static bool is_ours(const struct efi_memory *entry)
{
    bool type = (entry->type >= 1 && entry->type <= 4) || entry->type == 7;
    return type && !(entry->attribute & EFI_MEMORY_SP);
}

static void options(struct input *in)
{
    static struct efi_loaded_image loaded;
    size_t count = input_number(in, 2) % (EFI_OPTIONS + 20);
    efi_char *text = malloc(count * 2 + 2); /* to the byte */
    static const char *const words[] = {"bundle=", "initrd=", "x=1", " ", "BOOT_IMAGE=", "\\a\\b"};
    size_t n = 0;
    while (n < count && in->left) {
        unsigned what = (unsigned)input_number(in, 1);
        if (what & 1) {
            for (const char *w = words[(what >> 1) % 6]; *w && n < count; w++)
                text[n++] = (efi_char)*w;
        } else {
            text[n++] = what & 2 ? 'a' : (efi_char)input_number(in, 2);
        }
    }
    while (n < count)
        text[n++] = 'z';
    loaded = (struct efi_loaded_image){.options = text, .options_bytes = (uint32_t)(count * 2)};
    start.loaded = &loaded;
    if (!efi_read_options(&start))
        REQUIRE(memchr(start.options, 0, sizeof(start.options)) &&
                memchr(start.bundle_name, 0, sizeof(start.bundle_name)) &&
                memchr(start.initrd_name, 0, sizeof(start.initrd_name)));
    free(text);
}

static size_t make_tree(struct input *in, void *blob, int room)
{
    fdt_create(blob, room);
    for (unsigned n = (unsigned)input_number(in, 1) % 4; n; n--)
        fdt_add_reservemap_entry(blob, input_number(in, 2) << 12, 4096);
    fdt_finish_reservemap(blob);
    fdt_begin_node(blob, "");
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    for (unsigned n = (unsigned)input_number(in, 1) % 6; n; n--) {
        char name[16];
        snprintf(name, sizeof(name), n & 1 ? "chosen" : "memory@%x", n);
        fdt_begin_node(blob, name);
        fdt_property_string(blob, n & 1 ? "bootargs" : "device_type", n & 1 ? "a=b" : "memory");
        fdt_property_u32(blob, n & 1 ? "boot-hartid" : "reg", (uint32_t)input_number(in, 1));
        fdt_end_node(blob);
    }
    fdt_end_node(blob);
    fdt_finish(blob);
    size_t bytes = fdt_totalsize(blob);
    for (unsigned n = (unsigned)input_number(in, 1) % 8; n && in->left; n--)
        ((uint8_t *)blob)[input_number(in, 2) % bytes] = (uint8_t)input_number(in, 1);
    return bytes;
}

/* Which pages the tree has as memory; each once. */
static void memory_of(const void *fdt, bool *has)
{
    int bytes, node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory", 7);
    const fdt64_t *reg = fdt_getprop(fdt, node, "reg", &bytes);
    REQUIRE(reg && bytes % 16 == 0);
    for (int n = 0; n < bytes / 16; n++) {
        uint64_t start = fdt64_to_cpu(reg[2 * n]), end = start + fdt64_to_cpu(reg[2 * n + 1]);
        REQUIRE(end > start && start % EFI_PAGE_SIZE == 0 && end / EFI_PAGE_SIZE <= 2 * PAGES);
        for (uint64_t page = start / EFI_PAGE_SIZE; page < end / EFI_PAGE_SIZE; page++) {
            REQUIRE(!has[page]);
            has[page] = true;
        }
    }
}

static void map_memory(struct input *in)
{
    bool ours[2 * PAGES] = {0}, has[2 * PAGES] = {0};
    uint64_t entry_bytes = sizeof(struct efi_memory) + (input_number(in, 1) & 3) * 8;
    unsigned count = (unsigned)input_number(in, 1) % ENTRIES;
    uint8_t *map = malloc(count * entry_bytes + 1);
    for (unsigned n = 0; n < count; n++) {
        struct efi_memory entry = {.type = (uint32_t)input_number(in, 1) % 16};
        entry.start = input_number(in, 1) % PAGES * EFI_PAGE_SIZE;
        entry.pages = input_number(in, 1) % 24;
        entry.attribute = input_number(in, 1) & 15 ? 0 : EFI_MEMORY_SP;
        memset(map + n * entry_bytes, 0xff, entry_bytes);
        memcpy(map + n * entry_bytes, &entry, sizeof(entry));
        for (uint64_t page = 0; page < entry.pages && is_ours(&entry); page++)
            ours[entry.start / EFI_PAGE_SIZE + page] = true;
    }
    start.map.address = (uint64_t)map;
    const void *fdt = (const void *)start.tree.address;
    bool simple = fdt_address_cells(fdt, 0) == 2 && fdt_size_cells(fdt, 0) == 2;
    if (!efi_set_memory(&start, count * entry_bytes, entry_bytes) && simple) {
        REQUIRE(!fdt_check_full(fdt, start.tree.pages * EFI_PAGE_SIZE));
        memory_of(fdt, has);
        for (unsigned page = 0; page < 2 * PAGES; page++)
            REQUIRE(!has[page] || ours[page]);
    }
    free(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static uint8_t room[8192];
    static struct efi_boot_services boot = {.locate_protocol = no_protocol};
    struct input in = {data, bytes};
    memset(&start, 0, sizeof(start));
    options(&in);
    bytes = make_tree(&in, room, sizeof(room));
    uint8_t *blob = malloc(bytes); /* to the byte */
    memcpy(blob, room, bytes);
    struct efi_table table = {
        {0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}}, blob};
    static struct efi_system system;
    system = (struct efi_system){.boot = &boot, .table_count = 1, .tables = &table};
    start.system = &system;
    start.boot = &boot;
    start.bundle_bytes = input_number(&in, 1);
    said = 0;
    /* The firmware says itself how long its tree is. */
    if (fdt_check_header(blob) || fdt_totalsize(blob) <= bytes) {
        if (!efi_copy_tree(&start))
            map_memory(&in);
        else
            REQUIRE(said);
    }
    free((void *)start.tree.address);
    free(blob);
    return 0;
}
