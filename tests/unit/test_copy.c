/* SPDX-License-Identifier: BSD-2-Clause */
/* Execution copies: when a page of code has one, and what ends it. */
#include "tests/unit/unit.h"

#include "lib/engine/hot.h"
#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/scan.h"

#define RAM 0x80000000UL
#define PAGES 1024UL /* 4 MiB */
#define PA 0x90000000UL
#define CSRR 0x10002573u
#define C_RET 0x8082u
#define LUI 0x25730537u /* its upper half looks like a csrr's lower */

static _Alignas(4096) uint16_t memory[PAGES][S_SCAN_HALVES];
static struct engine_vm vm;
static struct engine_vcpu v;
static struct s_fetch_line lines[S_FETCH_LINES];
static unsigned fences, resets;
static uint64_t fenced, shown;

static void (*others)(void);
/* All vCPUs: this one. */
void hot_fence(struct engine_vcpu *eng, const struct fence *fence)
{
    fences++;
    if (others)
        others();
    if (fence->kind == FENCE_TABLES)
        resets++;
    else if (fence->kind == FENCE_POKED)
        s_copy_unpoke(eng, fence->start);
    else
        s_copy_drop(eng, fence->start);
    fenced = fence->start;
}

void s_tables_flush(struct engine_vcpu *vcpu)
{
    (void)vcpu;
    resets++;
}

void s_tables_forget_entry(struct engine_vcpu *vcpu, uint64_t gva)
{
    (void)vcpu, (void)gva;
}

uint64_t s_tables_leaf(const struct s_vcpu *s, uint64_t gva)
{
    (void)s, (void)gva;
    return 0;
}

static uint64_t at(unsigned page)
{
    return RAM + page * 4096UL;
}

static enum s_copy_show fetch(unsigned page)
{
    v.pc = at(page);
    return s_copy_fetch(&v, &vm.memory.slot[0], at(page), at(page), PTE_X, &shown);
}

/* Until something can be entered. */
static enum s_copy_show fetch_until(unsigned page)
{
    enum s_copy_show show = S_COPY_AGAIN;
    for (unsigned n = 0; show == S_COPY_AGAIN && n < 8; n++)
        show = fetch(page);
    return show;
}

static const uint16_t *copy_at(uint64_t pa)
{
    return host_va(pa);
}

static struct s_space spaces[S_SPACES];

static int set_up(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    v.s.space = spaces;
    for (unsigned page = 0; page < PAGES; page++) {
        memory[page][0] = CSRR & 0xffff;
        memory[page][1] = CSRR >> 16;
        for (unsigned n = 2; n < S_SCAN_HALVES; n++)
            memory[page][n] = C_RET;
    }
    struct slot *slot = &vm.memory.slot[0];
    slot->gpa = RAM;
    slot->pa = PA;
    slot->va = (uint8_t *)memory;
    slot->size = sizeof(memory);
    slot->flags = SLOT_PRIVATE;
    slot->mask = slot_mask_of(SLOT_PRIVATE);
    vm.memory.slots = 1;
    v.vm = &vm;
    v.s.fetch = lines;
    fences = resets = 0;
    return s_copies_take(&v) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    s_copies_give(&v);
    s_copies_fini(&vm);
    return 0;
}

static void test_shown_with_its_replacement(void **state)
{
    (void)state;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[0], INSN_C_EBREAK);
    assert_int_equal(copy_at(shown)[1], CSRR >> 16);
    assert_int_equal(copy_at(shown)[2], C_RET);
    assert_int_equal(memory[3][0], CSRR & 0xffff);
    assert_int_equal(fences, 0); /* nobody had it writable */
}

static void test_nothing_to_replace(void **state)
{
    (void)state;
    memory[5][0] = memory[5][1] = C_RET;
    assert_int_equal(fetch_until(5), S_COPY_NONE);
    memory[6][0] = 0x2573; /* looks like one, and is the end of the page before */
    memory[6][1] = 0x0000;
    assert_int_equal(fetch_until(6), S_COPY_NONE);
}

static void test_a_store_ends_it_first(void **state)
{
    (void)state;
    uint64_t entry = 0;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    entry = s_copy_entry(&v, &vm.memory.slot[0], at(3), PTE_V | PTE_R | PTE_X);
    assert_int_equal(entry & (PTE_R | PTE_X), PTE_X);
    s_copy_entered(&v, &entry);
    assert_false(s_copy_may_write(&vm.memory.slot[0], at(3)));
    uint64_t mark = v.s.place_mark;
    lines[0] = (struct s_fetch_line){.page = 1, .copy = 1};
    lines[1] = (struct s_fetch_line){.page = 2, .copy = 2};
    v.s.copy_use[1].places = UINT64_MAX;
    assert_int_equal(s_copy_write(&v, &vm.memory.slot[0], at(3)), S_COPY_AGAIN);
    assert_int_equal(entry, 0);
    assert_int_not_equal(v.s.place_mark, mark); /* nor is anything done by what was there */
    assert_int_equal(lines[0].page, UINT64_MAX);
    assert_int_equal(lines[1].page, 2);
    assert_int_equal(s_copy_write(&v, &vm.memory.slot[0], at(3)), S_COPY_SHOWN);
    entry = s_tables_entry(PA + 3 * 4096, PTE_V | PTE_R | PTE_W);
    s_copy_poked(&v, at(3), &entry);
    /* And now nobody may keep it writable. */
    memory[3][0] = C_RET;
    memory[3][1] = C_RET;
    assert_int_equal(fetch_until(3), S_COPY_NONE);
    assert_int_not_equal(entry, 0); /* but for whom there is nothing to replace */
    memory[3][0] = CSRR & 0xffff;
    memory[3][1] = CSRR >> 16;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(entry, 0);
    assert_int_equal(resets, 0);
}

static uint64_t poke(unsigned page, uint64_t *entry)
{
    const struct slot *slot = &vm.memory.slot[0];
    assert_int_equal(s_copy_write(&v, slot, at(page)), S_COPY_AGAIN);
    assert_int_equal(s_copy_write(&v, slot, at(page)), S_COPY_SHOWN);
    *entry = s_tables_entry(PA + page * 4096UL, PTE_V | PTE_R | PTE_W);
    s_copy_poked(&v, at(page), entry);
    return *entry;
}

/* A second entry by which it can be written, whoever has it: all tables go. */
static void test_pokes_that_are_not_alone(void **state)
{
    (void)state;
    const struct slot *slot = &vm.memory.slot[0];
    uint64_t entry = 0, more = 0;
    for (unsigned n = 0; n < 4; n++) {
        resets = 0;
        assert_int_equal(fetch_until(3), S_COPY_SHOWN);
        assert_int_equal(fetch_until(4), S_COPY_SHOWN);
        poke(3, &entry);
        if (n == 0) /* the same entry, which the guest's fence has ended: no second one */
            entry = 0;
        if (n < 2)
            assert_int_equal(s_copy_write(&v, slot, at(3)), n ? S_COPY_NONE : S_COPY_SHOWN);
        if (n == 2)
            assert_true(s_copy_may_write(slot, at(3))); /* another vCPU, or a neighbour */
        if (n == 3)
            poke(4, &more); /* of another page, while this is there */
        assert_int_equal(fetch_until(3), S_COPY_SHOWN);
        assert_int_equal(resets, n > 0);
        sim_time += host_timebase() + 1;
    }
    /* A large one has it too. */
    assert_true(s_copy_may_be_large(slot, at(600), true));
    assert_int_equal(fetch_until(600), S_COPY_SHOWN);
    resets = 0;
    poke(600, &entry);
    uint64_t mark = entry;
    assert_false(s_copy_may_be_large(slot, at(600), true));
    assert_int_equal(fetch_until(600), S_COPY_SHOWN);
    assert_int_equal(resets, 0);
    assert_int_not_equal(entry, mark);
    /* One of two pokes is over before the second: neither needs more. */
    assert_int_equal(fetch_until(4), S_COPY_SHOWN);
    resets = 0;
    poke(3, &entry);
    entry = 0;
    poke(4, &more);
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_not_equal(more, 0);
    assert_int_equal(fetch_until(4), S_COPY_SHOWN);
    assert_int_equal(more, 0);
    assert_int_equal(resets, 0);
}

static void test_more_places_than_are_noted(void **state)
{
    (void)state;
    uint64_t entry[S_COPY_USES + 1];
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    for (unsigned n = 0; n <= S_COPY_USES; n++) {
        entry[n] = s_copy_entry(&v, &vm.memory.slot[0], at(3), PTE_V | PTE_X);
        s_copy_entered(&v, &entry[n]);
    }
    s_copy_write(&v, &vm.memory.slot[0], at(3));
    assert_int_equal(resets, 1); /* all tables go */
}

static void test_large_entries(void **state)
{
    (void)state;
    const struct slot *slot = &vm.memory.slot[0];
    assert_true(s_copy_may_be_large(slot, at(3), true));
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(resets, 1);
    assert_false(s_copy_may_be_large(slot, at(9), true));
    assert_false(s_copy_may_be_large(slot, at(9), false));
    assert_true(s_copy_may_be_large(slot, at(600), true)); /* the next 2 MiB */
}

static void test_what_others_write(void **state)
{
    (void)state;
    uint64_t before;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    before = shown;
    assert_true(s_copies_wrote(&vm, at(3) + 100, 4));
    assert_false(s_copies_wrote(&vm, at(4), 4));
    assert_int_equal(fetch(3), S_COPY_SHOWN); /* it was the same */
    assert_int_equal(shown, before);
    memory[3][50] = 0x0001;
    assert_true(s_copies_wrote(&vm, at(2) + 4000, 200));
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[50], 0x0001);
}

static void test_devices(void **state)
{
    (void)state;
    vm.s.has_devices = true;
    v.s.satp = SATP_MODE_SV39 << SATP_MODE_SHIFT;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    memory[3][50] = 0x0001; /* nobody told */
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[50], 0x0001);
    assert_int_equal(s_copy_fetch(&v, &vm.memory.slot[0], at(4), at(4), PTE_X | PTE_W, &shown),
                     S_COPY_NONE);
    v.s.satp = 0;
    assert_int_equal(fetch_until(3), S_COPY_NONE);
}

static void test_the_oldest_goes(void **state)
{
    (void)state;
    unsigned have = 0;
    assert_int_equal(fetch_until(0), S_COPY_SHOWN);
    while (!fences && have < PAGES - 1)
        assert_int_equal(fetch_until(++have), S_COPY_SHOWN);
    assert_int_equal(have, 127); /* 128 at least, and number 0 is none */
    assert_int_equal(fences, 1);
    assert_int_equal(s_copy_entry(&v, &vm.memory.slot[0], at(0), PTE_X), 0);
    assert_int_not_equal(s_copy_entry(&v, &vm.memory.slot[0], at(1), PTE_X), 0);
}

/* What looks like a privileged instruction and is the half of another takes no copy's place. */
static void test_none_needed(void **state)
{
    (void)state;
    assert_int_equal(fetch_until(0), S_COPY_SHOWN);
    for (unsigned page = 1; page < 300; page++) {
        memory[page][0] = LUI & 0xffff;
        memory[page][1] = LUI >> 16;
        memory[page][2] = 0x1000;
        assert_true(s_scan_possible(memory[page], 0));
        assert_int_equal(fetch_until(page), S_COPY_NONE);
    }
    assert_int_equal(fences, 0);
    assert_int_not_equal(s_copy_entry(&v, &vm.memory.slot[0], at(0), PTE_X), 0);
}

static void test_turns(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 33; n++) {
        assert_int_equal(fetch_until(3), S_COPY_SHOWN);
        s_copy_write(&v, &vm.memory.slot[0], at(3));
        assert_int_equal(s_copy_write(&v, &vm.memory.slot[0], at(3)), S_COPY_SHOWN);
    }
    assert_int_equal(fetch_until(3), S_COPY_NONE);
    assert_int_equal(fetch_until(4), S_COPY_SHOWN);
    sim_time += host_timebase() + 1;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
}

static void test_mxr(void **state)
{
    (void)state;
    v.s.sstatus = SSTATUS_MXR;
    assert_int_equal(fetch_until(3), S_COPY_NONE);
}

static void other_fetches(void)
{
    static struct engine_vcpu w;
    uint64_t pa;
    w.vm = &vm;
    w.pc = at(3);
    assert_int_equal(s_copy_fetch(&w, &vm.memory.slot[0], at(3), at(3), PTE_X, &pa), S_COPY_AGAIN);
}
static void test_stale_kept(void **state)
{
    (void)state;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(fetch_until(4), S_COPY_SHOWN);
    memory[3][50] = 0x0001;
    assert_true(s_copies_wrote(&vm, at(3) + 100, 2));
    others = other_fetches;
    s_copy_write(&v, &vm.memory.slot[0], at(4));
    others = NULL;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[50], 0x0001);
}
static void other_writes(void)
{
    s_copy_may_write(&vm.memory.slot[0], at(3));
}
static void test_livelock(void **state)
{
    (void)state;
    enum s_copy_show show = S_COPY_AGAIN;
    other_writes();
    others = other_writes;
    for (unsigned n = 0; n < 1000 && show == S_COPY_AGAIN; n++)
        show = fetch(3);
    others = NULL;
    assert_int_equal(show, S_COPY_NONE);
}
static void test_same_low_half(void **state)
{
    (void)state;
    memory[3][50] = 0x0513; /* li a0, 0x140 */
    memory[3][51] = 0x1400;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[50], 0x0513);
    memory[3][50] = 0x2573; /* csrr a0, sscratch */
    assert_true(s_copies_wrote(&vm, at(3) + 100, 2));
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_not_equal(copy_at(shown)[50], 0x0513);
}
static void test_across(void **state)
{
    (void)state;
    enum s_copy_show show = S_COPY_AGAIN;
    memory[3][0] = 0x2573; /* second half of an auipc in the page before */
    memory[3][1] = 0x1141; /* c.addi sp,-16 */
    memory[3][2] = CSRR & 0xffff;
    memory[3][3] = CSRR >> 16;
    for (unsigned n = 0; show == S_COPY_AGAIN && n < 8; n++) {
        v.pc = at(3) - 2;
        show = s_copy_fetch(&v, &vm.memory.slot[0], at(3), at(3), PTE_X, &shown);
    }
    assert_int_equal(show, S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[0], 0x2573);
    assert_int_equal(copy_at(shown)[2], INSN_C_EBREAK);
}

/* The instruction that goes on in the next page is one to replace or not, by what lies there now.
 */
static void test_goes_on_in_the_next_page(void **state)
{
    (void)state;
    memory[3][S_SCAN_HALVES - 1] = CSRR & 0xffff;
    memory[4][0] = 0x0001; /* with this one it is the read of a CSR that is the user's */
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[S_SCAN_HALVES - 1], CSRR & 0xffff);
    s_copy_write(&v, &vm.memory.slot[0], at(3));
    memory[4][0] = CSRR >> 16;
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(copy_at(shown)[S_SCAN_HALVES - 1], INSN_C_EBREAK);
    uint64_t before = shown;
    assert_true(s_copies_wrote(&vm, at(3), 2)); /* what was there before */
    assert_int_equal(fetch_until(3), S_COPY_SHOWN);
    assert_int_equal(shown, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(test_shown_with_its_replacement),
        T(test_nothing_to_replace),
        T(test_a_store_ends_it_first),
        T(test_pokes_that_are_not_alone),
        T(test_more_places_than_are_noted),
        T(test_large_entries),
        T(test_what_others_write),
        T(test_devices),
        T(test_the_oldest_goes),
        T(test_none_needed),
        T(test_turns),
        T(test_mxr),
        T(test_stale_kept),
        T(test_livelock),
        T(test_same_low_half),
        T(test_across),
        T(test_goes_on_in_the_next_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
