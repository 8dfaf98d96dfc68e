/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine shadow's sources: a change of the guest's tables, at any level and by anybody, is seen by
 * the next look at them, and nothing else is forgotten. */
#include "tests/unit/unit.h"

#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"

#define RAM 0x80000000UL
#define VA 0x40203000UL /* entries 1, 1, 3 */
#define LEAF (PTE_V | PTE_R | PTE_A)
enum { ROOT, MIDDLE, LAST, OTHER_ROOT, OTHER_LAST, PAGES };

static uint64_t memory[PAGES][512] __attribute__((aligned(4096)));
static struct s_source sources[S_SOURCES];
static struct engine_vm vm;
static struct engine_vcpu v;
static struct s_made made;
static uint64_t shadow[S_NEIGHBOURS];

static uint64_t pte(unsigned page, uint64_t bits)
{
    return (RAM + page * 4096UL) >> 12 << PTE_PPN_SHIFT | bits;
}

static uint64_t satp(unsigned root)
{
    return SATP_MODE_SV39 << SATP_MODE_SHIFT | ((RAM >> 12) + root);
}

static uint64_t entry(unsigned n)
{
    return (n + 1UL) << PTE_PPN_SHIFT | PTE_V | PTE_R;
}

static struct s_space spaces[S_SPACES];

static int set_up(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    v.s.space = spaces;
    vm.memory.slot[0] = (struct slot){.gpa = RAM,
                                      .size = sizeof(memory),
                                      .pa = 0x1000,
                                      .va = (uint8_t *)memory,
                                      .mask = UINT64_MAX};
    vm.memory.slots = 1;
    v.vm = &vm;
    v.s.source = sources;
    v.s.satp = satp(ROOT);
    v.s.noting = true;
    s_source_reset(&v.s);
    made = (struct s_made){0};
    memory[ROOT][1] = memory[OTHER_ROOT][1] = pte(MIDDLE, PTE_V);
    memory[MIDDLE][1] = pte(LAST, PTE_V);
    for (unsigned n = 0; n < S_NEIGHBOURS; n++) {
        memory[LAST][n] = memory[OTHER_LAST][n] = pte(n, LEAF);
        shadow[n] = entry(n);
    }
    return 0;
}

/* As fault.c does for the page at VA: its run, or the one entry. */
static void note(struct s_made *list, unsigned count)
{
    struct s_found found = {.pte = memory[LAST][3], .at = RAM + LAST * 4096UL + 3 * 8, .shift = 12};
    uint64_t *first = count == 1 ? &shadow[3] : shadow, *seen = &memory[LAST][count == 1 ? 3 : 0];
    s_source_note(&v, VA, &found, list, first, seen, count);
}

static unsigned left(void)
{
    unsigned count = 0;
    for (unsigned n = 0; n < S_NEIGHBOURS; n++)
        count += shadow[n] == entry(n);
    return count;
}

static void look(struct s_made *list)
{
    unsigned before = left();
    v.s.fence++;
    bool differs = s_source_check(&v, list);
    assert_int_equal(differs, left() != before);
    assert_int_equal(list->fence, v.s.fence);
}

static void unchanged(void **state)
{
    (void)state;
    note(&made, S_NEIGHBOURS);
    look(&made);
    memory[LAST][S_NEIGHBOURS] = pte(0, LEAF); /* the next run's */
    look(&made);
    assert_int_equal(left(), S_NEIGHBOURS);
    assert_true(v.s.noting);
}

static void leaf_changed(void **state)
{
    (void)state;
    note(&made, S_NEIGHBOURS);
    memory[LAST][5] |= PTE_D;
    look(&made);
    assert_int_equal(shadow[5], 0);
    assert_int_equal(left(), S_NEIGHBOURS - 1);
    memory[LAST][15] = 0;
    look(&made);
    assert_int_equal(left(), S_NEIGHBOURS - 2);
}

static void way_changed(void **state)
{
    (void)state;
    note(&made, S_NEIGHBOURS);
    memory[MIDDLE][1] = pte(OTHER_LAST, PTE_V); /* where all is the same: that isn't looked for */
    look(&made);
    assert_int_equal(left(), 0);
    assert_int_equal(made.sources, 0);
    memory[MIDDLE][1] = pte(LAST, PTE_V);
    shadow[3] = entry(3);
    note(&made, 1);
    memory[ROOT][1] = 0;
    look(&made);
    assert_int_equal(left(), 0);
}

/* What is global was found under one satp, and has to be there under the one that is looked from.
 */
static void other_root(void **state)
{
    (void)state;
    note(&v.s.shared_made, S_NEIGHBOURS);
    v.s.satp = satp(OTHER_ROOT);
    memory[ROOT][1] = 0;
    look(&v.s.shared_made);
    assert_int_equal(left(), S_NEIGHBOURS);
    memory[OTHER_ROOT][1] = 0;
    look(&v.s.shared_made);
    assert_int_equal(left(), 0);
}

static void root_in_no_memory(void **state)
{
    (void)state;
    note(&v.s.shared_made, S_NEIGHBOURS);
    v.s.satp = satp(PAGES);
    look(&v.s.shared_made);
    assert_int_equal(left(), 0);
}

static void noted_again(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3 * S_SOURCES; n++)
        note(&made, S_NEIGHBOURS);
    assert_true(v.s.noting);
    memory[LAST][4] = 0;
    v.s.place_mark = 0;
    note(&made, S_NEIGHBOURS); /* entered as it is now: a fence will find no difference */
    assert_int_not_equal(v.s.place_mark, 0);
    uint64_t mark = v.s.place_mark;
    note(&made, S_NEIGHBOURS);
    assert_int_equal(v.s.place_mark, mark);
    look(&made);
    assert_int_equal(left(), S_NEIGHBOURS);
}

/* A run and the first entry of it alone, from a table and a large page that took turns: the one
 * doesn't take the other's place. */
static void run_and_piece(void **state)
{
    (void)state;
    struct s_found found = {.pte = memory[LAST][0], .at = RAM + LAST * 4096UL, .shift = 12};
    note(&made, S_NEIGHBOURS);
    s_source_note(&v, VA - 3 * 4096, &found, &made, shadow, &found.pte, 1);
    assert_true(v.s.noting);
    memory[LAST][2] = 0;
    look(&made);
    assert_int_equal(shadow[2], 0);
    assert_int_equal(left(), S_NEIGHBOURS - 1);
}

static void table_in_its_place(void **state)
{
    (void)state;
    note(&made, 1);
    shadow[3] = 1UL << PTE_PPN_SHIFT | PTE_V;
    memory[MIDDLE][1] = 0;
    v.s.fence++;
    s_source_check(&v, &made);
    assert_int_equal(shadow[3], 1UL << PTE_PPN_SHIFT | PTE_V);
    assert_int_equal(made.sources, 0);
}

static void more_than_there_is_room_for(void **state)
{
    (void)state;
    static uint64_t many[S_SOURCES];
    struct s_found found = {.pte = memory[LAST][3], .at = RAM + LAST * 4096UL + 3 * 8, .shift = 12};
    for (unsigned n = 0; n < S_SOURCES; n++) {
        assert_true(v.s.noting);
        s_source_note(&v, VA, &found, &made, &many[n], &found.pte, 1);
    }
    assert_false(v.s.noting);
    s_source_drop(&v.s, &made);
    v.s.noting = true;
    note(&made, 1);
    assert_true(v.s.noting);
}

/* Another vCPU changed the way between the walk that entries were made from and this one. */
static void walked_elsewhere(void **state)
{
    (void)state;
    uint64_t before = memory[LAST][3];
    struct s_found found = {.pte = before, .at = RAM + LAST * 4096UL + 3 * 8, .shift = 12};
    memory[LAST][3] |= PTE_D;
    s_source_note(&v, VA, &found, &made, shadow, &before, 1);
    assert_false(v.s.noting);
    look(&made); /* what could not be noted touches nothing */
    assert_int_equal(left(), S_NEIGHBOURS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(unchanged, set_up),
        cmocka_unit_test_setup(leaf_changed, set_up),
        cmocka_unit_test_setup(way_changed, set_up),
        cmocka_unit_test_setup(other_root, set_up),
        cmocka_unit_test_setup(root_in_no_memory, set_up),
        cmocka_unit_test_setup(noted_again, set_up),
        cmocka_unit_test_setup(run_and_piece, set_up),
        cmocka_unit_test_setup(table_in_its_place, set_up),
        cmocka_unit_test_setup(more_than_there_is_room_for, set_up),
        cmocka_unit_test_setup(walked_elsewhere, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
