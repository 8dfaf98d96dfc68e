/* SPDX-License-Identifier: BSD-2-Clause */
/* What engine shadow takes for a VM of one vCPU: all of it is told, and bounded. */
#include "tests/unit/unit.h"

#include "host/sim/sim.h"
#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/shadow.h"

#define MIB (1UL << 20)

const uint64_t s_trampoline_va[S_TRAMPOLINES];

void s_trampoline_choose(struct engine_vcpu *vcpu, unsigned trampoline)
{
    (void)vcpu, (void)trampoline;
}

static struct cald_machine machine;
static struct engine_vm vm;
static struct engine_vcpu v;
static uint8_t ram[4096];

static void takes(uint64_t bytes, uint64_t gpa)
{
    sim_reset();
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    vm.machine = &machine;
    vm.memory.slots = 1;
    vm.memory.slot[0] = (struct slot){
        .gpa = gpa, .size = bytes, .va = ram, .mask = UINT64_MAX, .flags = SLOT_PRIVATE};
    vm.s.levels = 3;
    v.vm = &vm;
    uint64_t before = host_pages_available();
    assert_int_equal(s_tables_init(&v), 0);
    uint64_t taken = before - host_pages_available(), most = bytes / 50;
    assert_int_equal(taken, vm.s.table_pages * HOST_PAGE_SIZE + s_copies_bytes(&vm));
    assert_true(taken <= (most > 2 * MIB ? most : 2 * MIB));
    assert_non_null(vm.s.copies); /* and it has some */
    s_tables_fini(&v);
    s_copies_fini(&vm);
    assert_int_equal(host_pages_available(), before);
}

static void test_bound(void **state)
{
    (void)state;
    for (uint64_t mib = 1; mib < 300; mib++)
        takes(mib * MIB, 0x80000000UL);
    for (uint64_t bytes = MIB; bytes <= 16384 * MIB; bytes += bytes / 4)
        takes(bytes & ~0xfffUL, 0x801ff000UL); /* not aligned to anything larger than a page */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
