/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMs of the unit tests, without cmocka: what a test asserts is required here. */
#ifndef TESTS_FUZZ_GUESTS_H
#define TESTS_FUZZ_GUESTS_H

#include "tests/fuzz/fuzz.h"

#define TESTS_UNIT_UNIT_H
#define assert_int_equal(a, b) REQUIRE((a) == (b))

#endif
