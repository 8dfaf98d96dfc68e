/* SPDX-License-Identifier: BSD-2-Clause */
/* The page-table walk in software, against tables built here by hand. */
#include "tests/unit/unit.h"

#include "riscv/csr.h"
#include "riscv/walk.h"

#define BASE 0x80000000UL
#define PAGES 16
static uint64_t memory[PAGES][512];

static bool read_pte(void *owner, uint64_t pa, uint64_t *pte)
{
    (void)owner;
    if (pa < BASE || pa >= BASE + sizeof(memory) || pa & 7)
        return false;
    *pte = memory[(pa - BASE) / 4096][pa % 4096 / 8];
    return true;
}

static uint64_t pte(uint64_t pa, uint64_t bits)
{
    return pa >> 12 << 10 | bits;
}

static bool walk(uint64_t mode, uint64_t va, struct riscv_leaf *leaf)
{
    return riscv_walk(mode << SATP_MODE_SHIFT | BASE >> 12, va, read_pte, NULL, leaf);
}

static void test_bare(void **state)
{
    (void)state;
    struct riscv_leaf leaf;
    assert_true(walk(0, 0xffffffff80001234, &leaf));
    assert_int_equal(leaf.pa, 0xffffffff80001234);
    assert_int_equal(leaf.pte, 0);
    assert_false(walk(1, 0, &leaf));
}

static void test_every_level(void **state)
{
    (void)state;
    for (int levels = 3; levels <= 5; levels++) {
        for (int leaf_level = 0; leaf_level < levels; leaf_level++) {
            memset(memory, 0, sizeof(memory));
            uint64_t va = 0x123456789ab & ((1UL << (11 + 9 * levels)) - 1);
            for (int level = levels - 1; level >= leaf_level; level--) {
                unsigned index = va >> (12 + 9 * level) & 511;
                memory[levels - 1 - level][index] =
                    level == leaf_level ? pte(0x4000000000000, PTE_V | PTE_R)
                                        : pte(BASE + 4096UL * (unsigned)(levels - level), PTE_V);
            }
            struct riscv_leaf leaf;
            assert_true(walk((uint64_t)levels + 5, va, &leaf));
            unsigned shift = 12 + 9 * (unsigned)leaf_level;
            assert_int_equal(leaf.shift, shift);
            assert_int_equal(leaf.pa, 0x4000000000000 | (va & ((1UL << shift) - 1)));
        }
    }
}

static void test_refused(void **state)
{
    (void)state;
    struct riscv_leaf leaf;
    memset(memory, 0, sizeof(memory));
    assert_false(walk(SATP_MODE_SV39, 0, &leaf)); /* not valid */
    memory[0][0] = pte(BASE, PTE_V | PTE_W);
    assert_false(walk(SATP_MODE_SV39, 0, &leaf)); /* write without read is reserved */
    memory[0][0] = pte(BASE + 4096, PTE_V | PTE_R);
    assert_false(walk(SATP_MODE_SV39, 0, &leaf)); /* a gigabyte page that is not aligned */
    memory[0][0] = pte(BASE, PTE_V);              /* a table that points to itself has no leaf */
    assert_false(walk(SATP_MODE_SV39, 0, &leaf));
    memory[0][0] = pte(0x1000, PTE_V);
    assert_false(walk(SATP_MODE_SV39, 0, &leaf)); /* a table where nothing is */
    memory[0][0] = pte(0x40000000, PTE_V | PTE_R);
    assert_true(walk(SATP_MODE_SV39, 0, &leaf));
    assert_false(walk(SATP_MODE_SV39, 1UL << 39, &leaf)); /* not canonical */
    assert_false(walk(SATP_MODE_SV39, 1UL << 38, &leaf));
}

static void test_reserved_bits_of_a_table(void **state)
{
    (void)state;
    struct riscv_leaf leaf;
    memset(memory, 0, sizeof(memory));
    memory[1][0] = pte(0x40000000, PTE_V | PTE_R);
    memory[0][0] = pte(BASE + 4096, PTE_V);
    assert_true(walk(SATP_MODE_SV39, 0, &leaf));
    static const uint64_t reserved[] = {PTE_A, PTE_D, PTE_U, 1UL << 54, 1UL << 61, 1UL << 63};
    for (unsigned n = 0; n < sizeof(reserved) / sizeof(*reserved); n++) {
        memory[0][0] = pte(BASE + 4096, PTE_V | reserved[n]);
        assert_false(walk(SATP_MODE_SV39, 0, &leaf));
    }
    memory[0][0] = pte(BASE + 4096, PTE_V | PTE_G | 3UL << 8); /* global; the software's own bits */
    assert_true(walk(SATP_MODE_SV39, 0, &leaf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare),
        cmocka_unit_test(test_every_level),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_reserved_bits_of_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
