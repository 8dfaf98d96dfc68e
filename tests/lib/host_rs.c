/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the host in Rust (tests/lib/host.rs) with a scripted guest, and compares the layout of what
 * both sides know. */
#include "tests/unit/unit.h"

#include "tests/unit/scripted.h"

void rust_sizes(size_t sizes[3]);
int rust_host(uint64_t pc);

static const struct script_op guest_script[] = {
    {.what = SCRIPT_SBI, .a = SBI_EXT_BASE, .b = 3, .c = SBI_EXT_HSM, .value = 1},
    {.what = SCRIPT_STORE, .a = 0x10000000, .b = 1, .c = 'o'},
    {.what = SCRIPT_STORE, .a = 0x10000000, .b = 1, .c = 'k'},
    {.what = SCRIPT_SBI, .a = SBI_EXT_SRST, .error = SCRIPT_ANY, .value = SCRIPT_ANY},
    {.what = SCRIPT_END},
};
static const struct script_op *const guest_scripts[] = {guest_script};

static void test_rust(void **state)
{
    size_t sizes[3];
    (void)state;
    sim_reset();
    rust_sizes(sizes);
    assert_int_equal(sizes[0], sizeof(struct cald_machine_params));
    assert_int_equal(sizes[1], sizeof(struct cald_vm_params));
    assert_int_equal(sizes[2], sizeof(struct cald_exit));
    scripts = guest_scripts;
    assert_int_equal(rust_host(SCRIPT_RAM), 2);
    assert_int_equal(sim_pages_taken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rust)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
