/* SPDX-License-Identifier: BSD-2-Clause */
/* The second stage: how many levels it needs, and that it translates as the manual says. */
#include "tests/unit/unit.h"

#include "caldarium/caldarium.h"
#include "caldarium/devices.h"
#include "lib/engine/h/gstage.h"
#include "host/host.h"
#include "riscv/csr.h"

#define ALL (1u << 3 | 1u << 4 | 1u << 5)

static void test_fewest_levels(void **state)
{
    (void)state;
    assert_int_equal(gstage_levels(0x90000000, ALL), 3);
    assert_int_equal(gstage_levels(1UL << 41, ALL), 3);
    assert_int_equal(gstage_levels((1UL << 41) + 1, ALL), 4);
    assert_int_equal(gstage_levels(1UL << 50, ALL), 4);
    assert_int_equal(gstage_levels((1UL << 50) + 1, ALL), 5);
    assert_int_equal(gstage_levels(1UL << 56, ALL), 5);
    assert_int_equal(gstage_levels(0x90000000, 1u << 4), 4);
    assert_int_equal(gstage_levels(0x90000000, 1u << 5), 5);
    assert_int_equal(gstage_levels((1UL << 41) + 1, 1u << 3), 0);
    assert_int_equal(gstage_levels((1UL << 50) + 1, 1u << 3 | 1u << 4), 0);
}

/* Privileged manual, "Two-Stage Address Translation": two more bits at the root. */
static uint64_t translate(const struct gstage *stage, uint64_t gpa)
{
    const uint64_t *table = stage->root;
    for (unsigned level = stage->levels - 1;; level--) {
        unsigned shift = 12 + 9 * level;
        uint64_t pte = table[gpa >> shift & (level == stage->levels - 1 ? 2047 : 511)];
        if (!(pte & PTE_V))
            return UINT64_MAX;
        if (pte & PTE_R)
            return (pte >> PTE_PPN_SHIFT << 12) + (gpa & ((1UL << shift) - 1));
        if (!level)
            return UINT64_MAX;
        table = host_va(pte >> PTE_PPN_SHIFT << 12);
    }
}

static void test_each_mode_translates(void **state)
{
    (void)state;
    for (unsigned levels = 3; levels <= 5; levels++) {
        uint64_t top = 1UL << (14 + 9 * levels);
        struct gstage stage;
        assert_int_equal(gstage_init(&stage, levels), 0);
        assert_int_equal(gstage_map(&stage, 0x80000000, 0xc0000000, 0x40003000), 0);
        assert_int_equal(gstage_map(&stage, top - 0x1000, 0x5000, 0x1000), 0);
        assert_int_equal(translate(&stage, 0x80000123), 0xc0000123);
        assert_int_equal(translate(&stage, 0xc0002fff), 0x100002fff);
        assert_int_equal(translate(&stage, 0xc0003000), UINT64_MAX);
        assert_int_equal(translate(&stage, top - 1), 0x5fff);
        gstage_fini(&stage);
    }
    assert_int_equal(sim_pages_taken, 0);
}

/* A part of a large page is watched, goes and comes back: what lies beside it stays. */
static void test_parts_come_and_go(void **state)
{
    (void)state;
    struct gstage stage;
    assert_int_equal(gstage_init(&stage, 3), 0);
    assert_int_equal(gstage_map(&stage, 0x80000000, 0xc0000000, 0x40000000), 0);
    assert_int_equal(stage.pages, 4); /* one page of 1 GiB */
    assert_int_equal(gstage_split(&stage, 0x80201000, 0x1000), 0);
    assert_int_equal(stage.pages, 6);
    assert_int_equal(translate(&stage, 0x80201234), 0xc0201234);
    assert_int_equal(translate(&stage, 0x80401234), 0xc0401234);
    gstage_unmap(&stage, 0x80201000, 0x1000);
    assert_int_equal(translate(&stage, 0x80200fff), 0xc0200fff);
    assert_int_equal(translate(&stage, 0x80201000), UINT64_MAX);
    assert_int_equal(translate(&stage, 0x80202000), 0xc0202000);
    gstage_page(&stage, 0x80201000, 0x7000, UINT64_MAX);
    assert_int_equal(translate(&stage, 0x80201008), 0x7008);
    gstage_unmap(&stage, 0x80401000, 0x1000); /* nobody split this: it goes as a whole */
    assert_int_equal(translate(&stage, 0x80400000), UINT64_MAX);
    assert_int_equal(translate(&stage, 0x80600000), 0xc0600000);
    gstage_again(&stage, 0x805ff000, 0x80000000, 0x40000000, 0xc0000000, UINT64_MAX);
    assert_int_equal(translate(&stage, 0x80400000), 0xc0400000);
    gstage_again(&stage, 0x80201000, 0x80000000, 0x40000000, 0xc0000000, UINT64_MAX);
    assert_int_equal(translate(&stage, 0x80201000), 0xc0201000);
    assert_int_equal(stage.pages, 6);
    gstage_fini(&stage);
    assert_int_equal(sim_pages_taken, 0);
}

/* A run of memory over one that was split before: no table is lost. */
static void test_a_split_part_is_mapped_anew(void **state)
{
    (void)state;
    struct gstage stage;
    assert_int_equal(gstage_init(&stage, 3), 0);
    assert_int_equal(gstage_split(&stage, 0x80000000, 0x200000), 0);
    assert_int_equal(gstage_map(&stage, 0x80000000, 0xc0000000, 0x600000), 0);
    assert_int_equal(translate(&stage, 0x80001000), 0xc0001000);
    assert_int_equal(translate(&stage, 0x80201000), 0xc0201000);
    gstage_protect(&stage, 0x80000000, 0x600000);
    assert_int_equal(translate(&stage, 0x80201000), 0xc0201000);
    gstage_fini(&stage);
    assert_int_equal(sim_pages_taken, 0);
}

/* What a host makes for an IOMMU: the value that it is to load is all that there is of it. */
static void test_a_table_of_the_hosts_own(void **state)
{
    (void)state;
    for (unsigned levels = 3; levels <= 5; levels++) {
        uint64_t top = 1UL << (14 + 9 * levels), table = cald_table_create(top, ALL);
        assert_int_equal(table >> SATP_MODE_SHIFT, SATP_MODE_SV39 + levels - 3);
        assert_int_equal(cald_table_map(table, top - 0x2000, 0x5000, 0x2000), CALD_OK);
        struct gstage stage = {.root = host_va((table & SATP_PPN_MASK) << 12), .levels = levels};
        assert_int_equal(translate(&stage, top - 0x1001), 0x5fff);
        assert_int_equal(cald_table_map(table, top - 0x1000, 0x5000, 0x2000), CALD_EINVAL);
        assert_int_equal(cald_table_map(table, top, 0x5000, 0x1000), CALD_EINVAL);
        assert_int_equal(cald_table_map(table, 0x1000, 0x5000, UINT64_MAX - 0xfff), CALD_EINVAL);
        assert_int_equal(cald_table_map(table, 0x1000, 0x5800, 0x1000), CALD_EINVAL);
        assert_int_equal(translate(&stage, 0x1000), UINT64_MAX);
        assert_int_equal(translate(&stage, 0), UINT64_MAX);
        cald_table_destroy(table);
    }
    assert_int_equal(cald_table_create(1UL << 42, 1u << 3), 0);
    assert_int_equal(cald_table_map(0, 0, 0, 0x1000), CALD_EINVAL);
    cald_table_destroy(0);
    assert_int_equal(sim_pages_taken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fewest_levels),
        cmocka_unit_test(test_each_mode_translates),
        cmocka_unit_test(test_parts_come_and_go),
        cmocka_unit_test(test_a_split_part_is_mapped_anew),
        cmocka_unit_test(test_a_table_of_the_hosts_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
