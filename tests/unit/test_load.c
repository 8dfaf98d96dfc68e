/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels in their three forms, whole and damaged, and the tree that goes with them. */
#include "tests/unit/guests.h"

#include <libfdt.h>

#include "appliance/load/load.h"
#include "appliance/tree/tree.h"

#define RAM_BYTES (16 * GUEST_MIB)
static uint8_t file[0x20000], ramdisk[5000];
static struct loaded loaded;

static int set_up(void **state)
{
    (void)state;
    guest_describe(16);
    memset(file, 0, sizeof(file));
    guest_config.kernel = (struct config_image){"linux", file, sizeof(file)};
    assert_int_equal(memory_take(&guest_vm), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    guest_end();
    return 0;
}

static void put(unsigned at, uint64_t value, unsigned bytes)
{
    memcpy(file + at, &value, bytes);
}

static uint32_t word_at(uint64_t gpa)
{
    uint32_t word = 0;
    assert_true(vm_read(guest, gpa, &word, 4));
    return word;
}

static void linux_header(uint64_t offset, uint64_t bytes)
{
    put(0, 0x6f, 4);
    put(8, offset, 8);
    put(16, bytes, 8);
    memcpy(file + 56, "RSC\x05", 4);
}

static void elf_header(void)
{
    memcpy(file, "\177ELF\2\1\1", 7);
    put(18, 243, 2);
    put(24, 0xffffffff80000010, 8); /* entry, virtual */
    put(32, 64, 8);
    put(54, 56, 2);
    put(56, 1, 2);
    put(64, 1, 4);          /* PT_LOAD */
    put(64 + 8, 0x1000, 8); /* offset */
    put(64 + 16, 0xffffffff80000000, 8);
    put(64 + 24, 0x80300000, 8); /* physical */
    put(64 + 32, 0x2000, 8);
    put(64 + 40, 0x5000, 8);
    put(0x1010, 0x6f, 4);
}

static void refused(const char *why)
{
    assert_false(load_images(&guest_vm, &loaded));
    assert_int_equal(sim_errors, 1);
    assert_non_null(strstr(sim_messages, "vm web: property "));
    assert_non_null(strstr(sim_messages, why));
}

static void test_linux(void **state)
{
    (void)state;
    linux_header(0x200000, 0x300000);
    assert_true(load_images(&guest_vm, &loaded));
    assert_int_equal(loaded.entry, 0x80200000);
    assert_int_equal(loaded.kernel_end, 0x80500000);
    assert_int_equal(word_at(loaded.entry), 0x6f);
    assert_int_equal(loaded.fdt % 8, 0);
}

static void test_linux_too_large(void **state)
{
    (void)state;
    linux_header(0x200000, RAM_BYTES);
    refused("needs more RAM");
}

static void test_linux_offset_wraps(void **state)
{
    (void)state;
    linux_header(UINT64_MAX - 0xfff, 0x300000);
    refused("needs more RAM");
}

static void test_elf(void **state)
{
    (void)state;
    elf_header();
    assert_true(load_images(&guest_vm, &loaded));
    assert_int_equal(loaded.entry, 0x80300010);
    assert_int_equal(word_at(0x80300010), 0x6f);
    assert_int_equal(word_at(0x80302000), 0); /* bss */
}

static void test_elf_outside(void **state)
{
    (void)state;
    elf_header();
    put(64 + 24, GUEST_RAM + RAM_BYTES - 0x1000, 8);
    refused("outside the VM's memory");
}

static void test_elf_cut(void **state)
{
    (void)state;
    elf_header();
    guest_config.kernel.size = 0x1800;
    refused("beyond the end of the file");
}

static void test_elf_for_another_machine(void **state)
{
    (void)state;
    elf_header();
    put(18, 62, 2);
    refused("no 64-bit little-endian RISC-V ELF");
}

static void test_flat(void **state)
{
    (void)state;
    put(0, 0x6f, 4);
    guest_config.has_load_address = true;
    guest_config.load_address = 0x80400000;
    assert_true(load_images(&guest_vm, &loaded));
    assert_int_equal(word_at(0x80400000), 0x6f);
}

static void test_entry_outside(void **state)
{
    (void)state;
    guest_config.has_entry = true;
    guest_config.entry = 0x1000;
    refused("property entry");
}

/* A header with every byte changed in turn: refused with one line, or loaded within RAM. */
static void test_damaged_headers(void **state)
{
    (void)state;
    for (unsigned at = 0; at < 128; at++) {
        for (unsigned value = 0; value < 256; value += 15) {
            memset(file, 0, 256);
            elf_header();
            file[at] = (uint8_t)value;
            sim_errors = 0;
            bool ok = load_images(&guest_vm, &loaded);
            assert_int_equal(sim_errors, !ok);
        }
    }
}

static const void *prop(const void *fdt, const char *path, const char *name, int *bytes)
{
    return fdt_getprop(fdt, fdt_path_offset(fdt, path), name, bytes);
}

static void test_tree(void **state)
{
    (void)state;
    linux_header(0x200000, 0x300000);
    guest_config.bootargs = "quiet";
    guest_config.ramdisk = (struct config_image){"initramfs", ramdisk, sizeof(ramdisk)};
    assert_true(load_images(&guest_vm, &loaded));
    size_t room = tree_room(&guest_config);
    const void *fdt = cald_vm_ram(guest, loaded.fdt, room);
    assert_int_equal(fdt_check_full(fdt, room), 0);
    int bytes;
    assert_string_equal(prop(fdt, "/chosen", "bootargs", &bytes), "quiet");
    const fdt64_t *start = prop(fdt, "/chosen", "linux,initrd-start", &bytes);
    const fdt64_t *end = prop(fdt, "/chosen", "linux,initrd-end", &bytes);
    assert_int_equal(fdt64_ld(end) - fdt64_ld(start), sizeof(ramdisk));
    assert_true(cald_vm_is_ram(guest, fdt64_ld(start), sizeof(ramdisk)));
    assert_non_null(prop(fdt, "/chosen", "rng-seed", &bytes));
    assert_true(bytes >= 32);
    const fdt64_t *reg = prop(fdt, "/memory", "reg", &bytes);
    assert_int_equal(bytes, 16);
    assert_int_equal(fdt64_ld(reg), GUEST_RAM);
    assert_int_equal(fdt64_ld(reg + 1), RAM_BYTES);
    const fdt32_t *timebase = prop(fdt, "/cpus", "timebase-frequency", &bytes);
    assert_int_equal(fdt32_to_cpu(*timebase), board.timebase);
    unsigned cpus = 0;
    int node;
    fdt_for_each_subnode(node, fdt, fdt_path_offset(fdt, "/cpus")) cpus +=
        fdt_getprop(fdt, node, "riscv,isa-extensions", NULL) != NULL;
    assert_int_equal(cpus, GUEST_VCPUS);
}

/* Half of the RAM behind the kernel, unless that is inside of it or too near to the end. */
static void test_ramdisk_place(void **state)
{
    (void)state;
    linux_header(0x200000, 0x300000);
    guest_config.ramdisk = (struct config_image){"initramfs", ramdisk, sizeof(ramdisk)};
    assert_true(load_images(&guest_vm, &loaded));
    assert_int_equal(loaded.ramdisk_start, 0x80200000 + RAM_BYTES / 2);
    linux_header(0x200000, 0x900000);
    assert_true(load_images(&guest_vm, &loaded));
    assert_true(loaded.ramdisk_start >= loaded.kernel_end);
    assert_true(loaded.ramdisk_end <= loaded.fdt);
    assert_true(loaded.fdt - loaded.ramdisk_end < 4096);
}

/* Each of 64 vCPUs can do all that there is. */
static void test_tree_of_64_vcpus(void **state)
{
    (void)state;
    struct riscv_isa before = board.isa;
    linux_header(0x200000, 0x300000);
    guest_config.vcpus = 64;
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++)
        isa_set(&board.isa, ext);
    bool ok = load_images(&guest_vm, &loaded);
    board.isa = before;
    assert_true(ok);
    size_t room = tree_room(&guest_config);
    const void *fdt =
        cald_vm_ram(guest, loaded.fdt, fdt_totalsize(cald_vm_ram(guest, loaded.fdt, room)));
    assert_non_null(fdt);
    assert_true(fdt_path_offset(fdt, "/cpus/cpu@3f/interrupt-controller") > 0);
}

#define OWN_CPU 7 /* phandle of the only hart's interrupt controller */
#define OWN_OTHER 0x1101

/* A tree of the user's own: one hart, with a cache, and a controller that is wired to it alone. */
static void own_tree(const char *compatible, uint64_t base, uint64_t size)
{
    static uint8_t own[4096] __attribute__((aligned(8)));
    const fdt32_t lines[] = {cpu_to_fdt32(OWN_CPU), cpu_to_fdt32(9)};
    const fdt64_t reg[] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    assert_int_equal(fdt_create(own, sizeof(own)), 0);
    fdt_finish_reservemap(own);
    fdt_begin_node(own, "");
    fdt_property_u32(own, "#address-cells", 2);
    fdt_property_u32(own, "#size-cells", 2);
    fdt_begin_node(own, "cpus");
    fdt_begin_node(own, "cpu@0");
    fdt_property_u32(own, "reg", 0);
    fdt_begin_node(own, "interrupt-controller");
    fdt_property_u32(own, "phandle", OWN_CPU);
    fdt_property(own, "interrupt-controller", "", 0);
    fdt_end_node(own);
    fdt_begin_node(own, "l2-cache");
    fdt_property_u32(own, "phandle", OWN_CPU + 1);
    fdt_end_node(own);
    fdt_end_node(own);
    fdt_end_node(own);
    fdt_begin_node(own, "irqchip");
    fdt_property_string(own, "compatible", compatible);
    fdt_property(own, "interrupt-controller", "", 0);
    fdt_property(own, "reg", reg, sizeof(reg));
    fdt_property_u32(own, "phandle", OWN_OTHER);
    fdt_property_u32(own, "riscv,hart-index-bits", 1);
    fdt_property(own, "interrupts-extended", lines, sizeof(lines));
    fdt_end_node(own);
    fdt_end_node(own);
    assert_int_equal(fdt_finish(own), 0);
    guest_config.fdt = (struct config_image){"own", own, fdt_totalsize(own)};
}

static const void *load_own_tree(void)
{
    linux_header(0x200000, 0x300000);
    guest_config.irqchip = tree_irqchip(&guest_config);
    assert_true(load_images(&guest_vm, &loaded));
    const void *fdt = cald_vm_ram(guest, loaded.fdt,
                                  fdt_totalsize(cald_vm_ram(guest, loaded.fdt, GUEST_MIB / 16)));
    assert_non_null(fdt);
    assert_string_equal(fdt_get_name(fdt, fdt_node_offset_by_phandle(fdt, OWN_OTHER), NULL),
                        "irqchip");
    return fdt;
}

/* Every hart has `lines` entries, in the harts' order; the last of them is S-mode's. */
static void wired(const void *fdt, unsigned lines)
{
    int bytes;
    const fdt32_t *cells = prop(fdt, "/irqchip", "interrupts-extended", &bytes);
    assert_int_equal(bytes, 8 * lines * guest_config.vcpus);
    for (unsigned n = 0; n < lines * guest_config.vcpus; n++) {
        char path[48];
        snprintf(path, sizeof(path), "/cpus/cpu@%x/interrupt-controller", n / lines);
        int intc = fdt_node_offset_by_phandle(fdt, fdt32_ld(cells + 2 * n));
        assert_true(intc > 0);
        assert_int_equal(intc, fdt_path_offset(fdt, path));
        assert_int_equal(fdt32_ld(cells + 2 * n + 1), (n + 1) % lines ? 11 : 9);
    }
    assert_int_equal(fdt32_ld(cells), OWN_CPU);
}

/* The controller is wired as Caldarium's is, whatever the tree's own says. */
static void test_own_tree_plic(void **state)
{
    (void)state;
    own_tree("sifive,plic-1.0.0", GUEST_PLIC_BASE, GUEST_PLIC_SIZE);
    wired(load_own_tree(), 2);
}

static void test_own_tree_aplic(void **state)
{
    (void)state;
    own_tree("riscv,aplic", GUEST_APLIC_BASE, GUEST_APLIC_SIZE);
    wired(load_own_tree(), 1);
}

static void test_own_tree_imsic(void **state)
{
    (void)state;
    int bytes;
    own_tree("riscv,imsics", GUEST_IMSIC_BASE, GUEST_IMSIC_PAGE);
    const void *fdt = load_own_tree();
    wired(fdt, 1);
    const fdt64_t *reg = prop(fdt, "/irqchip", "reg", &bytes);
    assert_int_equal(bytes, 16);
    assert_int_equal(fdt64_ld(reg), GUEST_IMSIC_BASE);
    assert_int_equal(fdt64_ld(reg + 1), GUEST_VCPUS * GUEST_IMSIC_PAGE);
    assert_null(prop(fdt, "/irqchip", "riscv,hart-index-bits", &bytes));
}

/* Somebody else's, M-mode's for instance: left as it is. */
static void test_own_tree_other_controller(void **state)
{
    (void)state;
    int bytes;
    own_tree("riscv,imsics", 0x24000000, GUEST_IMSIC_PAGE);
    prop(load_own_tree(), "/irqchip", "interrupts-extended", &bytes);
    assert_int_equal(bytes, 8);
}

static void test_ramdisk_too_large(void **state)
{
    (void)state;
    linux_header(0x200000, RAM_BYTES - 0x400000);
    guest_config.ramdisk = (struct config_image){"initramfs", ramdisk, 8 * GUEST_MIB};
    refused("property ramdisk: image initramfs");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_linux),
        TEST(test_linux_too_large),
        TEST(test_elf),
        TEST(test_linux_offset_wraps),
        TEST(test_elf_outside),
        TEST(test_elf_for_another_machine),
        TEST(test_elf_cut),
        TEST(test_ramdisk_too_large),
        TEST(test_flat),
        TEST(test_entry_outside),
        TEST(test_tree),
        TEST(test_damaged_headers),
        TEST(test_tree_of_64_vcpus),
        TEST(test_ramdisk_place),
        TEST(test_own_tree_plic),
        TEST(test_own_tree_aplic),
        TEST(test_own_tree_imsic),
        TEST(test_own_tree_other_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
