/* SPDX-License-Identifier: BSD-2-Clause */
/* The library's own formatter beside the C library's. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "host/sim/sim.h"
#include "lib/common/line.h"

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[LINE_BYTES], theirs[LINE_BYTES];                                                 \
        size_t length = line_format(ours, sizeof(ours), __VA_ARGS__);                              \
        assert_int_equal(length, snprintf(theirs, sizeof(theirs), __VA_ARGS__));                   \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

static void test_as_printf_does(void **state)
{
    (void)state;
    SAME("plain");
    SAME("%s at 100%%", "vm");
    SAME("%u %u %u", 0U, 7U, UINT32_MAX);
    SAME("%lu %lx", UINT64_MAX, UINT64_MAX);
    SAME("%#lx %#x %#lx", 0UL, 0x80U, UINT64_MAX);
    SAME("%016lx|%08x|%02u", 0x1234UL, 0xabcdU, 5U);
    SAME("%5u|%-6s|%c|", 42U, "ra", 'x');
}

static void test_what_is_too_long_is_cut(void **state)
{
    (void)state;
    char room[8];
    memset(room, 'z', sizeof(room));
    assert_int_equal(line_format(room, 6, "%s%u", "abc", 12345U), 5);
    assert_memory_equal(room, "abc12\0zz", 8);
    assert_int_equal(line_format(room, 0, "abc"), 0);
    assert_memory_equal(room, "abc12\0zz", 8);
}

static void test_lines_reach_the_host(void **state)
{
    (void)state;
    sim_reset();
    line_print("vm %s: %u", "web", 3U);
    line_error("pc %#lx", 0x80200000UL);
    assert_string_equal(sim_messages, "vm web: 3\npc 0x80200000\n");
    assert_int_equal(sim_errors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_printf_does),
        cmocka_unit_test(test_what_is_too_long_is_cut),
        cmocka_unit_test(test_lines_reach_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
