/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory as trees describe it: odd sizes, overlaps, trampolines, any address. */
#include "tests/unit/unit.h"

#include "host/bare/ram.h"

#define GIB (1UL << 30)
#define VA 0xffffffc000000000UL
#define ROOM (240 * GIB)

static void test_only_whole_pages_are_used(void **state)
{
    (void)state;
    static const struct {
        struct ram_range from, to;
        bool odd;
    } cases[] = {
        {{0x80000000, 0x1000}, {0x80000000, 0x1000}, false},
        {{0x80000000, 0x3ffff800}, {0x80000000, 0x3ffff000}, true},
        {{0x80000200, 0x2000}, {0x80001000, 0x1000}, true},
        {{0x80000200, 0x1000}, {0x80001000, 0}, true},
        {{0x80000000, 0}, {0x80000000, 0}, false},
        {{UINT64_MAX - 4095, 4096}, {UINT64_MAX - 4095, 0}, true},
        {{0x80000000, UINT64_MAX}, {0x80000000, RAM_LIMIT - 0x80000000}, true},
        {{RAM_LIMIT - 4096, 4096}, {RAM_LIMIT - 4096, 4096}, false},
    };
    for (unsigned n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
        struct ram_range range = cases[n].from;
        assert_int_equal(ram_clip(&range), cases[n].odd);
        assert_int_equal(range.size, cases[n].to.size);
        if (range.size)
            assert_int_equal(range.base, cases[n].to.base);
    }
}

static void test_what_overlaps_is_one(void **state)
{
    (void)state;
    struct ram_range list[] = {
        {0x90000000, 0x1000}, {0x80000000, 0x10000000}, {0, 0},
        {0x88000000, 0x1000}, {0xa0000000, 0x2000},     {0x8ffff000, 0x3000}};
    assert_int_equal(ram_tidy(list, 6), 2);
    assert_int_equal(list[0].base, 0x80000000);
    assert_int_equal(list[0].size, 0x10002000);
    assert_int_equal(list[1].base, 0xa0000000);
    assert_int_equal(list[1].size, 0x2000);
}

static void check_window(const struct ram_window *window, uint64_t pa, uint64_t va, uint64_t size)
{
    assert_int_equal(window->pa, pa);
    assert_int_equal(window->va, va);
    assert_int_equal(window->size, size);
}

/* RAM where some boards have it: low, high, in four nodes far apart. */
static void test_windows_follow_the_ram(void **state)
{
    (void)state;
    struct ram_window windows[4];
    struct ram_range high[] = {{0x400030000000, 0x40000000}};
    unsigned count = 1;
    assert_int_equal(ram_windows(high, &count, VA, ROOM, windows), 1);
    check_window(&windows[0], 0x400000000000, VA, 2 * GIB);
    assert_int_equal(count, 1);

    struct ram_range nodes[] = {
        {0x2000000, 31 * GIB}, {64 * GIB, 32 * GIB}, {128 * GIB, 32 * GIB}, {192 * GIB, 32 * GIB}};
    count = 4;
    assert_int_equal(ram_windows(nodes, &count, VA, ROOM, windows), 4);
    check_window(&windows[0], 0, VA, 32 * GIB);
    for (unsigned n = 1; n < 4; n++)
        check_window(&windows[n], n * 64 * GIB, VA + n * 33 * GIB, 32 * GIB);
    assert_int_equal(count, 4);

    /* Two in one GiB, and one that touches it, are in one window. */
    struct ram_range close[] = {
        {0x80000000, 0x1000}, {0x80002000, 0x1000}, {0xc0000000, 0x1000}, {8 * GIB, 0x1000}};
    count = 4;
    assert_int_equal(ram_windows(close, &count, VA, ROOM, windows), 2);
    check_window(&windows[0], 2 * GIB, VA, 2 * GIB);
    check_window(&windows[1], 8 * GIB, VA + 3 * GIB, GIB);
}

static void test_more_than_there_is_room_for_is_cut_off(void **state)
{
    (void)state;
    struct ram_window windows[3];
    struct ram_range one[] = {{2 * GIB, 256 * GIB}};
    unsigned count = 1;
    assert_int_equal(ram_windows(one, &count, VA, ROOM, windows), 1);
    check_window(&windows[0], 2 * GIB, VA, ROOM);
    assert_int_equal(count, 1);
    assert_int_equal(one[0].size, ROOM);

    struct ram_range three[] = {{0, 200 * GIB}, {300 * GIB, 50 * GIB}, {400 * GIB, GIB}};
    count = 3;
    assert_int_equal(ram_windows(three, &count, VA, ROOM, windows), 2);
    check_window(&windows[1], 300 * GIB, VA + 201 * GIB, 39 * GIB);
    assert_int_equal(count, 2);
    assert_int_equal(three[1].size, 39 * GIB);

    struct ram_range full[] = {{0, ROOM}, {ROOM + GIB, GIB}};
    count = 2;
    assert_int_equal(ram_windows(full, &count, VA, ROOM, windows), 1);
    assert_int_equal(count, 1);

    struct ram_range late[] = {{0, ROOM}, {ROOM, GIB}}; /* would be of a window that is full */
    count = 2;
    assert_int_equal(ram_windows(late, &count, VA, ROOM, windows), 1);
    assert_int_equal(count, 1);
}

/* Against a map of single pages. */
static void test_free_runs_are_what_nobody_uses(void **state)
{
    (void)state;
    uint64_t seed = 5;
    for (unsigned round = 0; round < 2000; round++) {
        struct ram_range used[6], run;
        bool taken[64] = {false}, given[64] = {false};
        for (unsigned n = 0; n < 6; n++) {
            used[n] = (struct ram_range){unit_random(&seed) % (60 * 4096),
                                         unit_random(&seed) % (8 * 4096)};
            for (uint64_t p = used[n].base / 4096;
                 used[n].size && p <= (used[n].base + used[n].size - 1) / 4096; p++)
                taken[p < 64 ? p : 63] |= p < 64;
        }
        uint64_t at = 2 * 4096;
        while (ram_next_free(used, 6, &at, 62 * 4096, &run)) {
            assert_true(run.size && run.base % 4096 == 0 && run.size % 4096 == 0);
            for (uint64_t p = run.base / 4096; p < (run.base + run.size) / 4096; p++) {
                assert_false(given[p]);
                given[p] = true;
            }
        }
        for (unsigned p = 0; p < 64; p++)
            assert_int_equal(given[p], p >= 2 && p < 62 && !taken[p]);
    }
}

static void test_below_the_image_is_the_firmwares(void **state)
{
    (void)state;
    static const struct ram_range ram[] = {{0x40000000, 0x1000000}, {0x80000000, 0x40000000}};
    static const struct ram_range other[] = {{0xa0000000, 0x100000}, {0x80100000, 0x1000}};
    static const struct ram_range said[] = {{0xa0000000, 0x100000}, {0x80000000, 0x60000}};
    struct ram_range all = ram_firmware(ram, 2, NULL, 0, 0x80200000);
    assert_int_equal(all.base, 0x80000000);
    assert_int_equal(all.size, 0x200000);
    /* Whatever else is reserved. */
    all = ram_firmware(ram, 2, other, 2, 0x80200000);
    assert_int_equal(all.base, 0x80000000);
    assert_int_equal(all.size, 0x200000);
    /* The tree knows: what it doesn't reserve is free, wherever the image is. */
    assert_int_equal(ram_firmware(ram, 2, said, 2, 0xbc000000).size, 0);
    /* An image at the very start, or outside of RAM, has nothing below it. */
    assert_int_equal(ram_firmware(ram, 2, other, 2, 0x80000000).size, 0);
    assert_int_equal(ram_firmware(ram, 2, other, 2, 0x20000000).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_whole_pages_are_used),
        cmocka_unit_test(test_what_overlaps_is_one),
        cmocka_unit_test(test_windows_follow_the_ram),
        cmocka_unit_test(test_more_than_there_is_room_for_is_cut_off),
        cmocka_unit_test(test_free_runs_are_what_nobody_uses),
        cmocka_unit_test(test_below_the_image_is_the_firmwares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
