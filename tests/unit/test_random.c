/* SPDX-License-Identifier: BSD-2-Clause */
/* The generator of random bytes: its block function is RFC 8439's, and its key doesn't stay. */
#include "tests/unit/unit.h"

#include "appliance/random.h"

/* RFC 8439, 2.3.2 */
static void the_block_of_the_rfc(void **state)
{
    (void)state;
    const uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x03020100, 0x07060504,
                             0x0b0a0908, 0x0f0e0d0c, 0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
                             0x00000001, 0x09000000, 0x4a000000, 0x00000000};
    const uint32_t want[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                               0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                               0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                               0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
    uint32_t out[16];
    random_block(in, out);
    assert_memory_equal(out, want, sizeof(want));
}

static void what_is_left_is_not_what_was(void **state)
{
    (void)state;
    struct random one = {{0}}, other = {{0}};
    uint8_t first[100], second[100];
    random_add(&one, "seed", 4);
    other = one;
    random_fill(&one, first, sizeof(first));
    assert_memory_not_equal(one.key, other.key, sizeof(one.key));
    random_fill(&other, second, sizeof(second));
    assert_memory_equal(first, second, sizeof(first));
    random_add(&other, "", 1);
    random_fill(&one, first, sizeof(first));
    random_fill(&other, second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_block_of_the_rfc),
                                       cmocka_unit_test(what_is_left_is_not_what_was)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
