/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine shadow's tables of a vCPU: what goes with a fence, and what doesn't. */
#include "tests/unit/unit.h"

#include "lib/engine/shadow/shadow.h"
#include "lib/machine/machine.h"
#include "riscv/csr.h"

#define RAM 0x80000000UL
#define VA 0xffffffff80205000UL
#define FLAGS (PTE_V | PTE_X | PTE_A | PTE_D)

/* What trampoline.c names of entry.S. */
char s_trampoline_code[4096], s_in_asid[1], s_in_flush[1], s_out_asid[1], s_out_flush[1];
void s_trap(void)
{
}

void s_trap_here(void)
{
}

void s_out_here_asid(void)
{
}

void s_out_here_flush(void)
{
}

static struct cald_machine machine = {.told = {.harts = 1, .satp_levels = 3, .asids = 256}};
static struct engine_vm vm;
static struct engine_vcpu v;

static int set_up(void **state)
{
    (void)state;
    sim_reset();
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    vm.machine = &machine;
    vm.s.levels = 3;
    v.vm = &vm;
    v.s.satp = SATP_MODE_SV39 << SATP_MODE_SHIFT | RAM >> 12;
    return s_tables_init(&v);
}

static int tear_down(void **state)
{
    (void)state;
    s_tables_fini(&v);
    return sim_pages_taken != 0;
}

static uint64_t *enter(uint64_t va, unsigned whole, uint64_t flags)
{
    struct s_made *made;
    struct s_leaf leaf = {.gva = va,
                          .pa = RAM + (va & 0xfffff000),
                          .shift = 12,
                          .whole = whole,
                          .flags = FLAGS | flags};
    uint64_t *entry = s_tables_fill(&v, &leaf, &made);
    assert_non_null(entry);
    assert_int_not_equal(*entry, 0);
    return entry;
}

/* The guest's fence of any address of its page ends all that was entered of that; where we enter
 * one address anew, its other pieces stay. In all views. */
static void pieces(void **state)
{
    (void)state;
    const uint64_t kinds[] = {PTE_G, 0};
    for (unsigned n = 0; n < 2; n++) {
        uint64_t *piece = enter(VA, 21, kinds[n]), *other = enter(VA + 0x3000, 21, kinds[n]);
        v.s.sstatus = SSTATUS_SUM;
        uint64_t *in_sum = enter(VA, 21, kinds[n]);
        assert_int_equal(in_sum == piece, kinds[n] == PTE_G);
        s_tables_forget_entry(&v, VA);
        assert_int_equal(*piece | *in_sum, 0);
        assert_int_not_equal(*other, 0);
        s_tables_forget_entry(&v, VA + 0x2000); /* there is none */
        assert_int_not_equal(*other, 0);
        s_tables_flush_page(&v, VA + 0x2000, true, 0);
        assert_int_equal(*other, 0);
        s_tables_flush(&v);
        v.s.sstatus = 0;
    }
}

/* What is a page of the guest's too goes by its own address alone. */
static void pages(void **state)
{
    (void)state;
    uint64_t *one = enter(VA, 12, PTE_G), *other = enter(VA + 0x3000, 12, PTE_G);
    s_tables_flush_page(&v, VA + 0x2000, true, 0);
    assert_int_not_equal(*one, 0);
    s_tables_flush_page(&v, VA, true, 0);
    assert_int_equal(*one, 0);
    s_tables_forget_entry(&v, VA + 0x3000);
    assert_int_equal(*other, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
