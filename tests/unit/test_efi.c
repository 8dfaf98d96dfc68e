/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: host/efi, with a firmware of ours beside it: what it does not have, or has wrong, is one
 * line on its console, and everything taken from it is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/efi/efi.h"

/* The image that start.S and link.lds make. */
__asm__(".data\n.balign 4096\n.globl image_start, boot, data_end, image_end\n"
        "image_start: .skip 4096\nboot: .skip 4096, 0x5a\ndata_end: .skip 4096\nimage_end:\n"
        ".text\n");

static char said[1024];
static uint64_t taken, pages_limit, hart;
static unsigned exits, exits_refused;
static bool no_loader, no_hart, no_tree;
static uint64_t loader_bytes, loader_got;
static const char *file_name; /* that there is, or NULL */
static uint64_t file_bytes;
static struct efi_memory map[6];
static unsigned map_entries;
static char tree[4096];
static struct efi_loaded_image loaded;
static jmp_buf entered;
static uint64_t entered_hart, entered_entry;
static void *entered_tree;

static efi_status output(struct efi_text_output *this, const efi_char *text)
{
    (void)this;
    size_t at = strlen(said);
    while (*text && at < sizeof(said) - 1)
        said[at++] = (char)*text++;
    said[at] = 0;
    return EFI_SUCCESS;
}

static efi_status allocate(int how, int type, uint64_t pages, uint64_t *address)
{
    (void)how, (void)type;
    if (pages > pages_limit)
        return EFI_OUT_OF_RESOURCES;
    *address = (uint64_t)aligned_alloc(EFI_PAGE_SIZE, pages * EFI_PAGE_SIZE);
    taken++;
    return EFI_SUCCESS;
}

static efi_status free_pages(uint64_t address, uint64_t pages)
{
    (void)pages;
    free((void *)address);
    taken--;
    return EFI_SUCCESS;
}

static efi_status get_map(uint64_t *bytes, struct efi_memory *out, uint64_t *key, uint64_t *entry,
                          uint32_t *version)
{
    uint64_t needed = map_entries * sizeof(*map), room = *bytes;
    *bytes = needed;
    *entry = sizeof(*map);
    *key = 7;
    *version = 1;
    if (!out || room < needed)
        return EFI_BUFFER_TOO_SMALL;
    memcpy(out, map, needed);
    return EFI_SUCCESS;
}

static efi_status exit_services(efi_handle image, uint64_t key)
{
    (void)image;
    assert_int_equal(key, 7);
    return exits++ < exits_refused ? EFI_INVALID_PARAMETER : EFI_SUCCESS;
}

static efi_status loader(struct efi_load_file2 *this, const void *path, bool policy,
                         uint64_t *bytes, void *buffer)
{
    (void)this, (void)path, (void)policy;
    uint64_t room = *bytes;
    *bytes = buffer ? loader_got : loader_bytes;
    if (!buffer || room < loader_bytes)
        return EFI_BUFFER_TOO_SMALL;
    memset(buffer, 0xd0, loader_bytes);
    return EFI_SUCCESS;
}
static struct efi_load_file2 load_file2 = {loader};

static efi_status file_open(struct efi_file *this, struct efi_file **out, const efi_char *name,
                            uint64_t mode, uint64_t attributes)
{
    (void)mode, (void)attributes;
    size_t n = 0;
    while (file_name && file_name[n] && name[n] == (efi_char)file_name[n])
        n++;
    if (!file_name || file_name[n] || name[n])
        return EFI_NOT_FOUND;
    *out = this;
    return EFI_SUCCESS;
}

static efi_status file_close(struct efi_file *this)
{
    (void)this;
    return EFI_SUCCESS;
}

static efi_status file_read(struct efi_file *this, uint64_t *bytes, void *buffer)
{
    (void)this;
    memset(buffer, 0xd1, *bytes);
    return EFI_SUCCESS;
}

static efi_status file_get(struct efi_file *this, uint64_t *position)
{
    (void)this;
    *position = file_bytes;
    return EFI_SUCCESS;
}

static efi_status file_set(struct efi_file *this, uint64_t position)
{
    (void)this, (void)position;
    return EFI_SUCCESS;
}
static struct efi_file file = {.open = file_open,
                               .close = file_close,
                               .read = file_read,
                               .get_position = file_get,
                               .set_position = file_set};

static efi_status open_volume(struct efi_file_system *this, struct efi_file **root)
{
    (void)this;
    *root = &file;
    return EFI_SUCCESS;
}
static struct efi_file_system volume = {.open_volume = open_volume};

static efi_status locate_path(const struct efi_guid *protocol, const void **path, efi_handle *out)
{
    (void)protocol, (void)path;
    *out = &load_file2;
    return no_loader ? EFI_NOT_FOUND : EFI_SUCCESS;
}

static efi_status handle_protocol(efi_handle handle, const struct efi_guid *protocol, void **out)
{
    (void)protocol;
    *out = handle;
    return EFI_SUCCESS;
}

static efi_status boot_hart(struct efi_riscv_boot *this, uint64_t *out)
{
    (void)this;
    *out = hart;
    return EFI_SUCCESS;
}
static struct efi_riscv_boot riscv_boot = {.get_boot_hart = boot_hart};

static efi_status locate_protocol(const struct efi_guid *protocol, void *key, void **out)
{
    (void)protocol, (void)key;
    *out = &riscv_boot;
    return no_hart ? EFI_NOT_FOUND : EFI_SUCCESS;
}

void efi_enter(uint64_t id, uint64_t fdt, uint64_t entry)
{
    entered_hart = id;
    entered_tree = (void *)fdt;
    entered_entry = entry;
    longjmp(entered, 1);
}

static int setup(void **state)
{
    (void)state;
    said[0] = 0;
    taken = exits = exits_refused = 0;
    pages_limit = 4096;
    hart = 3;
    no_loader = no_hart = no_tree = false;
    loader_bytes = loader_got = 5000;
    file_name = NULL;
    file_bytes = 6000;
    memset(&loaded, 0, sizeof(loaded));
    loaded.device = &volume;
    /* In no order; 0x90000000 is the firmware's. */
    struct efi_memory entries[] = {{EFI_CONVENTIONAL, 0, 0x90002000, 0, 8, 0},
                                   {EFI_LOADER_DATA, 0, 0x80001000, 0, 0xffff, 0},
                                   {6 /* runtime data */, 0, 0x90000000, 0, 2, 0},
                                   {EFI_BOOT_SERVICES_DATA, 0, 0x80000000, 0, 1, 0},
                                   {EFI_CONVENTIONAL, 0, 0xfffffffffffff000, 0, 1UL << 60, 0},
                                   {EFI_CONVENTIONAL, 0, 0xa0000000, 0, 4, EFI_MEMORY_SP}};
    memcpy(map, entries, sizeof(map));
    map_entries = 6;
    assert_int_equal(fdt_create_empty_tree(tree, sizeof(tree)), 0);
    fdt_setprop_u32(tree, 0, "#address-cells", 2);
    fdt_setprop_u32(tree, 0, "#size-cells", 2);
    int memory = fdt_add_subnode(tree, 0, "memory@80000000");
    fdt_setprop_string(tree, memory, "device_type", "memory");
    fdt_appendprop_addrrange(tree, 0, memory, "reg", 0x80000000, 0x80000000);
    fdt_add_mem_rsv(tree, 0x80000000, 0x1000);
    return 0;
}

/* Starts the image; true: it was entered. */
static bool start(const char *options)
{
    static struct efi_boot_services boot = {.allocate_pages = allocate,
                                            .free_pages = free_pages,
                                            .get_memory_map = get_map,
                                            .handle_protocol = handle_protocol,
                                            .locate_device_path = locate_path,
                                            .exit_boot_services = exit_services,
                                            .locate_protocol = locate_protocol};
    static struct efi_text_output console = {.output_string = output};
    struct efi_table tables[] = {
        {{1, 2, 3, {4}}, NULL},
        {{0xb1b621d5, 0xf19c, 0x41a5, {0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0}}, tree}};
    struct efi_system system = {
        .boot = &boot, .console_out = &console, .table_count = no_tree ? 1 : 2, .tables = tables};
    static efi_char wide[4096];
    if (options) {
        size_t n = 0;
        do
            wide[n] = (uint8_t)options[n];
        while (options[n++]);
        loaded.options = wide;
        loaded.options_bytes = (uint32_t)(n * sizeof(*wide));
    }
    if (setjmp(entered))
        return true;
    assert_true(efi_start(&loaded, &system) & 1UL << 63);
    assert_int_equal(taken, 0); /* all is given back */
    return false;
}

static void check_said(const char *line)
{
    assert_non_null(strstr(said, line));
    assert_int_equal(strchr(said, '\n') - said, strlen(said) - 1); /* one line */
}

static const char *chosen(const char *name, int *bytes)
{
    return fdt_getprop(entered_tree, fdt_path_offset(entered_tree, "/chosen"), name, bytes);
}

static uint64_t chosen_u64(const char *name)
{
    int bytes;
    const char *value = chosen(name, &bytes);
    assert_non_null(value);
    assert_int_equal(bytes, 8);
    return fdt64_ld((const fdt64_t *)value);
}

static void starts(void **state)
{
    (void)state;
    exits_refused = 2; /* the map became another one */
    assert_true(start("caldarium.efi when-done=poweroff  console=sbi"));
    assert_string_equal(said, "");
    assert_int_equal(entered_hart, 3);
    assert_int_equal((entered_entry - 4096) & 0x1fffff, 0);
    assert_int_equal(*(uint8_t *)entered_entry, 0x5a);
    assert_string_equal(chosen("bootargs", NULL), "when-done=poweroff console=sbi");
    uint64_t bundle = chosen_u64("linux,initrd-start");
    assert_int_equal(chosen_u64("linux,initrd-end") - bundle, 5000);
    assert_int_equal(*(uint8_t *)bundle, 0xd0);
    assert_int_equal(fdt_num_mem_rsv(entered_tree), 0);
    int bytes, node = fdt_path_offset(entered_tree, "/memory");
    const fdt64_t *reg = fdt_getprop(entered_tree, node, "reg", &bytes);
    assert_int_equal(bytes, 32);
    assert_int_equal(fdt64_ld(&reg[0]), 0x80000000);
    assert_int_equal(fdt64_ld(&reg[1]), 0x10000000);
    assert_int_equal(fdt64_ld(&reg[2]), 0x90002000);
    assert_int_equal(fdt64_ld(&reg[3]), 0x8000);
}

static void the_bundles_ways(void **state)
{
    (void)state;
    file_name = "\\a\\b.dtb";
    assert_true(start("BOOT_IMAGE=/x bundle=/a/b.dtb engine=h"));
    assert_string_equal(chosen("bootargs", NULL), "engine=h");
    assert_int_equal(*(uint8_t *)chosen_u64("linux,initrd-start"), 0xd1);
    assert_true(start("initrd=/a/b.dtb"));
    assert_int_equal(*(uint8_t *)chosen_u64("linux,initrd-start"), 0xd0); /* the loader's */
    no_loader = true;
    assert_true(start("initrd=/a/b.dtb"));
    assert_int_equal(*(uint8_t *)chosen_u64("linux,initrd-start"), 0xd1);
    loaded.options = NULL;
    assert_true(start(NULL));
    assert_null(chosen("linux,initrd-start", NULL)); /* the monitor says so */
    assert_string_equal(said, "");
}

static void bundles_that_fail(void **state)
{
    (void)state;
    assert_false(start("bundle=none"));
    check_said("there is no file none where the image came from");
    setup(NULL);
    loaded.device = NULL;
    assert_false(start("bundle=none"));
    check_said("there is no file none");
    setup(NULL);
    file_name = "big";
    file_bytes = UINT64_MAX;
    assert_false(start("bundle=big"));
    check_said("no memory for the bundle: 18014398509481984 KiB are not to be had");
    setup(NULL);
    loader_bytes = 1UL << 40;
    assert_false(start(NULL));
    check_said("no memory for the bundle: 1073741824 KiB");
    setup(NULL);
    loader_got = 5001;
    assert_false(start(NULL));
    check_said("the bundle could not be read from the loader");
    setup(NULL);
    loader_bytes = 0;
    assert_false(start(NULL));
    check_said("the loader offers an initrd and has none");
}

static void options_that_are_wrong(void **state)
{
    (void)state;
    static char text[3000];
    memset(text, 'x', sizeof(text) - 1);
    assert_false(start(text));
    check_said("the load options have 2999 characters; 1023 are the most");
    setup(NULL);
    memcpy(text, "bundle=", 7);
    text[7 + 256] = 0;
    assert_false(start(text));
    check_said("a file's name in the options is longer than 255 characters");
    setup(NULL);
    assert_true(start("\x01\x80 binary"));
    check_said("the load options are no text, and ignored");
    setup(NULL);
    static const efi_char odd[2] = {'a', 'b'};
    loaded.options = odd;
    loaded.options_bytes = 3;
    assert_true(start(NULL));
    check_said("the load options are no text, and ignored");
}

static void firmware_that_lacks_something(void **state)
{
    (void)state;
    no_tree = true;
    assert_false(start(NULL));
    check_said("the firmware gives no device tree, and ACPI alone is not enough");
    setup(NULL);
    no_hart = true;
    assert_false(start(NULL));
    check_said("the firmware does not tell its boot hart");
    setup(NULL);
    no_hart = true;
    fdt_setprop_u32(tree, fdt_add_subnode(tree, 0, "chosen"), "boot-hartid", 9);
    assert_true(start(NULL));
    assert_int_equal(entered_hart, 9);
    setup(NULL);
    memset(tree + 64, 0xff, 200);
    assert_false(start(NULL));
    check_said("the firmware's device tree is damaged");
    setup(NULL);
    pages_limit = 8;
    assert_false(start(NULL));
    check_said("no memory for Caldarium itself: 2060 KiB");
    setup(NULL);
    exits_refused = 99;
    assert_false(start(NULL));
    check_said("the firmware does not end its boot services");
    setup(NULL);
    map_entries = 0;
    assert_false(start(NULL));
    check_said("the memory map has nothing that is left to us");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts, setup),
        cmocka_unit_test_setup(the_bundles_ways, setup),
        cmocka_unit_test_setup(bundles_that_fail, setup),
        cmocka_unit_test_setup(options_that_are_wrong, setup),
        cmocka_unit_test_setup(firmware_that_lacks_something, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What a started image keeps is lost on purpose. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
