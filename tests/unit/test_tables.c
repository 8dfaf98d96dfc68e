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

/* ---- Below the root of a host that lies apart ------------------------------------------------ */

#define APART 5
#define LOW 0x10000UL
#define PRIVATE 0xffff900000000000UL /* behind another entry of the guest's root than VA */
#define HOSTS_ENTRY (0x1234UL << PTE_PPN_SHIFT | PTE_V)

static int set_up_apart(void **state)
{
    set_up(state);
    s_tables_fini(&v);
    machine.s.apart = APART;
    machine.s.way[0][APART - 1] = HOSTS_ENTRY;
    machine.s.there = -(2UL << (12 + 9 * (APART - 1)));
    vm.s.levels = 4;
    v.s.satp = SATP_MODE_SV48 << SATP_MODE_SHIFT | RAM >> 12;
    return s_tables_init(&v);
}

static int tear_down_apart(void **state)
{
    int left = tear_down(state);
    memset(&machine.s, 0, sizeof(machine.s));
    return left;
}

/* What the hart finds in the root for the present view; NULL: a page fault. */
static uint64_t *find(uint64_t va)
{
    uint64_t *table = host_va((s_tables_satp(&v) & SATP_PPN_MASK) << 12);
    for (unsigned level = APART - 1;; level--) {
        uint64_t *entry = &table[va >> (12 + 9 * level) & 511];
        if (!*entry || !level)
            return *entry ? entry : NULL;
        table = host_va(*entry >> PTE_PPN_SHIFT << 12);
    }
}

/* The half of a kernel view is all kernel views', until it has something of its own there. */
static void halves(void **state)
{
    (void)state;
    const uint64_t one = v.s.satp, other = v.s.satp + 7;
    uint64_t *global = enter(VA, 12, PTE_G);
    assert_ptr_equal(find(VA), global);
    for (unsigned n = 0; n < 2; n++) {
        v.s.sstatus = n ? SSTATUS_SUM : 0;
        v.s.satp = other;
        assert_ptr_equal(find(VA), global);
        v.s.satp = one;
        assert_ptr_equal(find(VA), global);
    }
    v.s.user = true;
    assert_null(find(VA));
    uint64_t *low = enter(LOW, 12, 0);
    assert_ptr_equal(find(LOW), low);
    v.s.user = false; /* with SUM */
    assert_null(find(LOW));
    uint64_t *in_sum = enter(LOW, 12, 0);
    assert_ptr_not_equal(in_sum, low);
    v.s.sstatus = 0;
    assert_null(find(LOW));

    uint64_t *private = enter(PRIVATE, 12, 0);
    assert_ptr_equal(find(PRIVATE), private);
    assert_ptr_equal(enter(VA, 12, PTE_G), global); /* the same table again */
    assert_ptr_equal(find(VA), global);
    v.s.satp = other;
    assert_null(find(PRIVATE));
    assert_ptr_equal(find(VA), global);
    /* Global in the lower half, which this view has had nothing in and the other's has its own. */
    uint64_t *late = enter(LOW + (1UL << 40), 12, PTE_G);
    v.s.satp = one;
    assert_ptr_equal(enter(LOW + (1UL << 40), 12, PTE_G), late);
    v.s.sstatus = SSTATUS_SUM;
    assert_ptr_equal(enter(LOW + (1UL << 40), 12, PTE_G), late);
    assert_ptr_equal(find(LOW), in_sum);
    s_tables_flush_page(&v, LOW + (1UL << 40), true, 0);
    assert_int_equal(*late, 0);

    s_tables_flush_asid(&v, 0); /* entries of all kernel views' stay */
    assert_ptr_equal(find(VA), global);
    assert_null(find(LOW));
    assert_null(find(PRIVATE));
    s_tables_flush_page(&v, VA, true, 0);
    assert_int_equal(*global, 0);
    v.s.sstatus = 0;
    assert_null(find(VA));
}

/* A change of address space has the other views' roots at hand, if they are made. */
static void at_hand(void **state)
{
    (void)state;
    enter(VA, 12, PTE_G);
    v.s.user = true;
    enter(LOW, 12, 0);
    uint64_t user = s_tables_satp(&v);
    v.s.user = false;
    s_roots_unknown(&v.s);
    uint64_t kernel = s_tables_satp(&v);
    s_tables_at_hand(&v.s);
    assert_int_equal(v.s.root_at_hand[S_USER], user);
    assert_int_equal(v.s.root_at_hand[S_KERNEL], kernel);
    assert_int_equal(v.s.root_at_hand[S_KERNEL_SUM], 0);
    v.s.fence++; /* a fence of all since, which nobody has compared */
    s_roots_unknown(&v.s);
    s_tables_at_hand(&v.s);
    assert_int_equal(v.s.root_at_hand[S_USER] | v.s.root_at_hand[S_KERNEL], 0);
}

/* The last-level table for an address below that one of so many levels; NULL: there is none. */
static const uint64_t *last_level(const uint64_t *table, unsigned levels, uint64_t va)
{
    for (unsigned level = levels - 1; table && level; level--) {
        uint64_t entry = table[va >> (12 + 9 * level) & 511];
        if (!entry)
            return NULL;
        assert_false(entry & (PTE_R | PTE_W | PTE_X));
        table = host_va(entry >> PTE_PPN_SHIFT << 12);
    }
    return table;
}

/* What place_entry.S goes by: a fence of an address in that region clears an entry of these tables
 * and no others. So every table is one of them, and each of them leads there. */
static void check_near(void)
{
    const struct s_near *near = &v.s.near;
    if (near->region == S_NO_REGION)
        return;
    uint64_t va = near->region << 21;
    /* What all kernel views have, where no root shows it just now, too. */
    const uint64_t *common =
        v.s.shared_levels ? last_level(v.s.shared[va >> 63], v.s.shared_levels, va) : NULL;
    bool leads[S_NEAR] = {!near->table[0] || near->table[0] == common,
                          !near->table[1] || near->table[1] == common};
    for (struct s_space *space = v.s.space; space < v.s.space + S_SPACES; space++) {
        for (enum s_view view = 0; space->stamp && view < S_VIEWS; view++) {
            uint64_t satp = space->view[view].satp;
            const uint64_t *root = satp ? host_va((satp & SATP_PPN_MASK) << 12) : NULL;
            const uint64_t *table = last_level(root, APART, va);
            assert_true(!table || table == near->table[0] || table == near->table[1]);
            for (unsigned n = 0; n < S_NEAR; n++)
                leads[n] |= table && table == near->table[n];
        }
    }
    assert_true(leads[0] && leads[1]);
}

/* A table that is made where there was none belongs to them, too. */
static void near(void **state)
{
    (void)state;
    enter(VA, 12, 0);
    v.s.user = true;
    enter(VA + (1UL << 30), 12, 0); /* so that only VA's last-level table is missing */
    s_tables_flush_page(&v, VA, true, 0);
    assert_int_equal(v.s.near.region, VA >> 21);
    check_near();
    uint64_t *entry = enter(VA, 12, 0);
    check_near();
    s_tables_flush_page(&v, VA, true, 0);
    assert_int_equal(*entry, 0);
    assert_int_equal(v.s.near.region, VA >> 21);
    check_near();
}

/* Whatever came before, an entry that is made is the one that the hart finds; and one that is
 * fenced is not. */
static void any_order(void **state)
{
    (void)state;
    static const uint64_t places[] = {LOW, LOW + (1UL << 40), 0x40000000,
                                      VA,  VA + (1UL << 30),  PRIVATE};
    static const unsigned wholes[] = {12, 12, 12, 21, 30};
    const uint64_t first = v.s.satp;
    uint64_t seed = 15;
    for (unsigned n = 0; n < 60000; n++) {
        uint64_t r = unit_random(&seed);
        if (r % 4 == 0) {
            v.s.satp = first + (r >> 3) % 12;
            v.s.user = (r >> 8) % 3 == 0;
            v.s.sstatus = r >> 12 & 1 ? SSTATUS_SUM : 0;
        }
        uint64_t va = places[(r >> 16) % 6] + (r >> 20) % 4 * 4096, kind = (r >> 24) % 64;
        bool global = !v.s.user && r >> 32 & 1;
        uint64_t *entry = enter(va, wholes[(r >> 34) % 5], global ? PTE_G : 0);
        assert_ptr_equal(find(va), entry);
        if (kind < 4)
            s_tables_flush_page(&v, va, true, 0);
        else if (kind < 6)
            s_tables_forget_entry(&v, va);
        else if (kind == 6)
            s_tables_flush_asid(&v, 0);
        else if (kind == 7)
            s_tables_flush(&v);
        if (kind < 6 || kind == 7 || (kind == 6 && v.s.user))
            assert_null(find(va));
        check_near();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(halves, set_up_apart, tear_down_apart),
        cmocka_unit_test_setup_teardown(at_hand, set_up_apart, tear_down_apart),
        cmocka_unit_test_setup_teardown(near, set_up_apart, tear_down_apart),
        cmocka_unit_test_setup_teardown(any_order, set_up_apart, tear_down_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
