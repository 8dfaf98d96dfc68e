/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/unit.h"

#include "appliance/bundle/bundle.h"
#include "tests/unit/bundles.h"

static uint8_t blob[BUNDLE_BYTES];
static struct vm_config configs[VM_MAX];
static const uint8_t loop[] = {0x6f, 0, 0, 0};

static int set_up(void **state)
{
    (void)state;
    sim_reset();
    memset(configs, 0, sizeof(configs));
    bundle_begin(blob, loop, sizeof(loop));
    return 0;
}

static int read_all(void)
{
    return bundle_read(blob, fdt_totalsize(blob), configs);
}

/* Reads a bundle of one VM whose node is still open. */
static void finish_one(void)
{
    fdt_end_node(blob);
    bundle_end(blob);
    assert_int_equal(read_all(), 1);
}

static void test_defaults(void **state)
{
    (void)state;
    bundle_vm(blob, "web", 0x80000000, 0x1000000);
    finish_one();
    const struct vm_config *c = &configs[0];
    assert_false(c->refused);
    assert_string_equal(c->name, "web");
    assert_int_equal(c->vcpus, 1);
    assert_int_equal(c->memory_ranges, 1);
    assert_int_equal(c->memory[0].base, 0x80000000);
    assert_int_equal(c->memory[0].size, 0x1000000);
    assert_int_equal(c->kernel.size, sizeof(loop));
    assert_string_equal(c->bootargs, "");
    assert_true(c->autostart);
    assert_int_equal(c->on_fault, ON_STOP);
    assert_int_equal(c->on_reset, ON_RESTART);
}

static void test_every_served_property(void **state)
{
    (void)state;
    fdt32_t harts[] = {cpu_to_fdt32(3), cpu_to_fdt32(1)};
    bundle_vm(blob, "web", 0x80000000, 0x1000000);
    fdt_property_u32(blob, "vcpus", 2);
    fdt_property_u64(blob, "load-address", 0x80400000);
    fdt_property_u32(blob, "entry", 0x80400004);
    fdt_property_u32(blob, "ramdisk", KERNEL_PHANDLE);
    fdt_property_string(blob, "bootargs", "quiet");
    fdt_property(blob, "harts", harts, sizeof(harts));
    fdt_property_string(blob, "schedule", "pinned");
    fdt_property(blob, "isa-disable", "v\0sstc", 7);
    fdt_property_string(blob, "console", "none");
    fdt_property_string(blob, "legacy-getchar", "zero");
    fdt_property_string(blob, "irqchip", "plic");
    fdt_property_string(blob, "engine", "h");
    fdt_property_string(blob, "autostart", "false");
    fdt_property_string(blob, "on-fault", "restart");
    fdt_property_string(blob, "on-reset", "pause");
    fdt_property_string(blob, "pause-time", "run");
    fdt_property_u32(blob, "restart-limit", 7);
    fdt_property_u32(blob, "watchdog-ms", 250);
    static const char shared[] = "a\0\0\0\0\0\xb0\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\x14"
                                 "bc\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\x20\0\0\0\0\x15";
    fdt_property(blob, "shared-memory", shared, sizeof(shared) - 1);
    finish_one();
    const struct vm_config *c = &configs[0];
    assert_false(c->refused);
    assert_int_equal(c->load_address, 0x80400000);
    assert_int_equal(c->entry, 0x80400004);
    assert_int_equal(c->harts[0], 3);
    assert_int_equal(c->harts[1], 1);
    assert_int_equal(c->schedule, SCHEDULE_PINNED);
    assert_int_equal(c->isa_disable[ISA_V], 1);
    assert_int_equal(c->isa_disable[ISA_SSTC], 1);
    assert_int_equal(c->isa_disable[ISA_F], 0);
    assert_int_equal(c->console, CONSOLE_NONE);
    assert_true(c->getchar_zero);
    assert_false(c->autostart);
    assert_int_equal(c->on_fault, ON_RESTART);
    assert_int_equal(c->on_reset, ON_PAUSE);
    assert_true(c->pause_time_runs);
    assert_int_equal(c->restart_limit, 7);
    assert_int_equal(c->watchdog_ms, 250);
    assert_int_equal(c->shared_count, 2);
    assert_string_equal(c->shared[1].name, "bc");
    assert_int_equal(c->shared[0].range.base, 0xb0000000);
    assert_int_equal(c->shared[1].range.base, 0x100000000);
    assert_int_equal(c->shared[1].range.size, 0x2000);
    assert_int_equal(c->shared[1].irq, 21);
}

/* Each of these refuses the VM with one line that names the property. */
static void test_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *name, *value;
        int bytes;
    } wrong[] = {
        {"colour", "red", 4},
        {"vcpus", "\0\0\0\0", 4},
        {"vcpus", "\0\0\0\x41", 4},
        {"vcpus", "\0\0\0", 3},
        {"kernel", "\0\0\0\x63", 4},
        {"ramdisk", "\0\0\0\0\0\0\0\0", 8},
        {"bootargs", "no end", 6},
        {"load-address", "\0\0", 2},
        {"harts", "\0\0\0\1\0\0\0\1", 8},
        {"schedule", "fair", 5},
        {"schedule", "pinned", 7}, /* without harts */
        {"priority", "\0\0\0\x20", 4},
        {"budget-us", "\0\0\0\1", 4},
        {"budget-us", "\0\0\x75\x30", 4}, /* 30 ms, of 10 ms */
        {"period-us", "\0\0\0\1", 4},
        {"passthrough", "/soc", 4}, /* no end */
        {"shared-memory", "", 0},
        {"shared-memory", "ring", 5},
        {"shared-memory", "ring\0\0\0\0\0\xb0\0\0\0\0\0\0\0\0\0\x10\0\0\0\0", 24},
        {"shared-memory", "ring\0\0\0\0\0\xb0\0\0\0\0\0\0\0\0\0\x10\0\0\0\4\0", 25}, /* 1024 */
        {"shared-memory", "ring\0\0\0\0\0\xb0\0\0\0\xff\xff\xff\xff\xff\xff\xf0\0\0\0\0\1", 25},
        {"direct-map", "yes", 4},
        {"engine", "other", 6},
        {"console", "vga", 4},
        {"irqchip", "gic", 4},
        {"isa-disable", "no-such", 8},
        {"autostart", "maybe", 6},
        {"on-fault", "", 1},
        {"restart-limit", "x", 2},
        {"memory", "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\x10\0", 16},
        {"memory", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},
        {"memory", "\xff\xff\xff\xff\xff\xff\xf0\0\0\0\0\0\0\0\x20\0", 16},
        {"memory", "\0\0\0\0\x0c\x10\0\0\0\0\0\0\0\0\x10\0", 16},
        {"memory", "\0\0\0\0", 4},
    };
    for (size_t n = 0; n < sizeof(wrong) / sizeof(*wrong); n++) {
        sim_reset();
        bundle_begin(blob, loop, sizeof(loop));
        bundle_vm(blob, "bad", 0x80000000, 0x1000000);
        fdt_property(blob, wrong[n].name, wrong[n].value, wrong[n].bytes);
        fdt_end_node(blob);
        bundle_vm(blob, "good", 0x80000000, 0x1000000);
        fdt_end_node(blob);
        bundle_end(blob);
        assert_int_equal(read_all(), 2);
        assert_true(configs[0].refused);
        assert_false(configs[1].refused);
        assert_int_equal(sim_errors, 1);
        assert_non_null(strstr(sim_messages, "vm bad: "));
        assert_non_null(strstr(sim_messages, wrong[n].name));
    }
}

static void test_overlap(void **state)
{
    (void)state;
    fdt64_t memory[] = {cpu_to_fdt64(0x80000000), cpu_to_fdt64(0x2000), cpu_to_fdt64(0x80001000),
                        cpu_to_fdt64(0x1000)};
    fdt_begin_node(blob, "bad");
    fdt_property_string(blob, "compatible", "caldarium,vm");
    fdt_property(blob, "memory", memory, sizeof(memory));
    finish_one();
    assert_true(configs[0].refused);
    assert_non_null(strstr(configs[0].reason, "overlaps range 1"));
}

static void test_names(void **state)
{
    (void)state;
    bundle_vm(blob, "twice", 0x80000000, 0x1000000);
    fdt_end_node(blob);
    bundle_vm(blob, "twice", 0x80000000, 0x1000000);
    fdt_end_node(blob);
    bundle_vm(blob, "a-name-of-more-than-thirty-one-characters", 0x80000000, 0x1000000);
    fdt_end_node(blob);
    bundle_vm(blob, "with space", 0x80000000, 0x1000000);
    fdt_end_node(blob);
    bundle_end(blob);
    /* libfdt itself may take a repeated name for damage; both answers keep the bundle out. */
    int count = read_all();
    if (count < 0)
        return;
    assert_int_equal(count, 4);
    assert_false(configs[0].refused);
    assert_true(configs[1].refused);
    assert_true(configs[2].refused);
    assert_true(configs[3].refused);
}

static void test_no_bundle(void **state)
{
    (void)state;
    bundle_vm(blob, "web", 0x80000000, 0x1000000);
    fdt_end_node(blob);
    bundle_end(blob);
    size_t whole = fdt_totalsize(blob);
    assert_int_equal(bundle_read(blob, 10, configs), -1);
    assert_int_equal(bundle_read(blob, whole - 1, configs), -1);
    assert_int_equal(bundle_read("this is no device tree blob, but it is long enough", 48, configs),
                     -1);
    assert_int_equal(sim_errors, 3);
}

/* Properties of / and /vms that nobody would read, and cells that numbers are not read by. */
static void test_unknown_around_the_vms(void **state)
{
    (void)state;
    static const struct {
        int node; /* of the tree: 0 is /, 1 is /vms */
        const char *name;
        uint32_t value;
        int count;
    } cases[] = {{0, "#address-cells", 2, 1}, {0, "#address-cells", 1, -1},
                 {0, "#size-cells", 1, -1},   {0, "frob", 2, -1},
                 {1, "frob", 2, -1},          {1, "#size-cells", 2, 1}};
    bundle_vm(blob, "web", 0x80000000, 0x1000000);
    fdt_end_node(blob);
    bundle_end(blob);
    for (unsigned n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        static uint8_t edited[BUNDLE_BYTES];
        assert_int_equal(fdt_open_into(blob, edited, sizeof(edited)), 0);
        int node = cases[n].node ? fdt_path_offset(edited, "/vms") : 0;
        assert_int_equal(fdt_setprop_u32(edited, node, cases[n].name, cases[n].value), 0);
        assert_int_equal(bundle_read(edited, fdt_totalsize(edited), configs), cases[n].count);
    }
    assert_int_equal(sim_errors, 4);
}

/* Bytes changed at random, and lengths cut: any answer, no crash. */
static void test_damage(void **state)
{
    (void)state;
    uint64_t seed = 4711;
    static uint8_t damaged[BUNDLE_BYTES];
    bundle_vm(blob, "web", 0x80000000, 0x1000000);
    fdt_property_u32(blob, "vcpus", 2);
    fdt_end_node(blob);
    bundle_end(blob);
    size_t whole = fdt_totalsize(blob);
    for (unsigned round = 0; round < 20000; round++) {
        memcpy(damaged, blob, whole);
        for (unsigned n = 0; n <= round % 4; n++)
            damaged[unit_random(&seed) % whole] = (uint8_t)unit_random(&seed);
        bundle_read(damaged, unit_random(&seed) % 2 ? whole : unit_random(&seed) % whole, configs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_defaults, set_up),
        cmocka_unit_test_setup(test_every_served_property, set_up),
        cmocka_unit_test_setup(test_refused_by_name, set_up),
        cmocka_unit_test_setup(test_overlap, set_up),
        cmocka_unit_test_setup(test_names, set_up),
        cmocka_unit_test_setup(test_no_bundle, set_up),
        cmocka_unit_test_setup(test_unknown_around_the_vms, set_up),
        cmocka_unit_test_setup(test_damage, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
