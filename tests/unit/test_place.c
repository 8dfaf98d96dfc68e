/* SPDX-License-Identifier: BSD-2-Clause */
/* Places of privileged instructions in a guest's kernel: which are noted, what is noted to do each,
 * and when they are no good any more. What that code does is guests/code's and guests/diff's to
 * see.
 */
#include "tests/unit/unit.h"

#include "lib/engine/shadow/shadow.h"
#include "riscv/asm.h"
#include "lib/engine/shadow/scan.h"

#define PAGE 4096
#define VA 0xffffffff80005000UL

/* In the place of place_entry.S. What does the nth is n * 4 behind s_place_here. */
const char s_place_here[256];
const int32_t s_place_does[] = {0,  4,  8,  12, 16, 20, 24, 28, 32, 36, 40, 44,  48,  52,
                                56, 60, 64, 68, 72, 76, 80, 84, 88, 92, 96, 100, 104, 108};
const char s_place_get[33 * 16], s_place_put[32 * 16], s_place_put_then[32 * 16];
enum { READ, WRITE = 4, EXCHANGE = 8, READ_SIE = 12, READ_SIP, READ_SATP, STATUS_READ, STATUS_SET };
enum {
    STATUS_CLEAR = STATUS_SET + 1,
    STATUS_WRITE,
    SIE_ON,
    SIE_OFF,
    RETURN,
    FENCE_PAGE,
    WRITE_SENVCFG,
    FENCE_FULL,
    WRITE_SATP,
    WRITE_SATP_AND_FENCE,
    WRITE_STVEC
};
enum { NOTHING = WRITE_STVEC + 1 };
_Static_assert(NOTHING == sizeof(s_place_does) / sizeof(s_place_does[0]), "all of them");

static _Alignas(PAGE) uint8_t code[PAGE];
static struct engine_vcpu v;
static struct s_fetch_line lines[S_FETCH_LINES];
static struct s_place places[S_PLACES];
static struct s_copy_use uses[3];

static unsigned copy_of;
unsigned s_copy_of(const struct slot *slot, uint64_t gpa)
{
    (void)slot, (void)gpa;
    return copy_of;
}

static uint64_t copy_entry, leaf_entry;
uint64_t s_copy_entry(const struct engine_vcpu *vcpu, const struct slot *slot, uint64_t gpa,
                      uint64_t flags)
{
    (void)vcpu, (void)slot, (void)gpa, (void)flags;
    return copy_entry;
}

uint64_t s_tables_leaf(const struct s_vcpu *s, uint64_t gva)
{
    (void)s, (void)gva;
    return leaf_entry;
}

static struct s_space spaces[S_SPACES];

static int set_up(void **state)
{
    (void)state;
    memset(&v, 0, sizeof(v));
    memset(code, 0, sizeof(code));
    memset(places, 0, sizeof(places));
    v.s.fetch = lines;
    memset(uses, 0, sizeof(uses));
    v.s.place = places;
    v.s.space = spaces;
    v.s.copy_use = uses;
    s_fetch_flush(&v.s, true);
    *s_fetch_line(&v.s, VA) = (struct s_fetch_line){VA >> 12, code, 1};
    v.pc = VA;
    return 0;
}

static uint32_t csr(unsigned number, unsigned rs1, unsigned funct3, unsigned rd)
{
    return number << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x73;
}

static void put32(unsigned at, uint32_t insn)
{
    memcpy(code + at, &insn, 4);
}

static const struct s_place *place_at(uint64_t pc)
{
    const struct s_place *place = &places[pc >> 1 & (S_PLACES - 1)];
    return place->tag == (pc ^ v.s.place_mark) ? place : NULL;
}

/* Which of the codes is noted for that instruction, and the registers it is given. */
static unsigned noted(uint32_t insn, unsigned get, unsigned put)
{
    s_places_flush(&v.s);
    put32(0x100, insn);
    v.pc = VA + 0x100;
    s_place_note(&v);
    const struct s_place *place = place_at(v.pc);
    if (!place)
        return NOTHING;
    assert_int_equal(place->get, (uint64_t)s_place_get + get * 16);
    assert_int_equal(place->put, (uint64_t)s_place_put + put * 16);
    return (unsigned)(place->does - (uint64_t)s_place_here) / 4;
}

static void trap_csrs(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 0, 2, 7), 0, 7), READ + n);
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 0, 3, 2), 0, 2), READ + n);
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 0, 6, 31), 0, 31), READ + n);
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 5, 1, 0), 5, 0), WRITE + n);
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 0, 1, 0), 0, 0), WRITE + n);
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 4, 1, 4), 4, 4), EXCHANGE + n);
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 4, 2, 4), 4, 4), NOTHING);
        assert_int_equal(noted(csr(CSR_SSCRATCH + n, 4, 5, 0), 4, 0), NOTHING);
    }
}

static void status(void **state)
{
    (void)state;
    assert_int_equal(noted(csr(CSR_SSTATUS, 0, 2, 7), 0, 7), STATUS_READ);
    assert_int_equal(noted(csr(CSR_SSTATUS, 0, 7, 7), 0, 7), STATUS_READ);
    assert_int_equal(noted(csr(CSR_SSTATUS, 3, 1, 7), 3, 7), STATUS_WRITE);
    assert_int_equal(noted(csr(CSR_SSTATUS, 0, 1, 0), 0, 0), STATUS_WRITE);
    assert_int_equal(noted(csr(CSR_SSTATUS, 3, 2, 7), 3, 7), STATUS_SET);
    assert_int_equal(noted(csr(CSR_SSTATUS, 3, 3, 0), 3, 0), STATUS_CLEAR);
    assert_int_equal(noted(csr(CSR_SSTATUS, 2, 6, 0), 2, 0), SIE_ON);
    assert_int_equal(noted(csr(CSR_SSTATUS, 2, 7, 0), 2, 0), SIE_OFF);
    /* With a place for what was there before: 32 is SIE in place of a register. */
    assert_int_equal(noted(csr(CSR_SSTATUS, 2, 6, 9), 32, 9), STATUS_SET);
    assert_int_equal(noted(csr(CSR_SSTATUS, 2, 7, 9), 32, 9), STATUS_CLEAR);
    assert_int_equal(noted(csr(CSR_SSTATUS, 3, 7, 9), 32, 9), NOTHING);
    assert_int_equal(noted(csr(CSR_SSTATUS, 2, 5, 0), 2, 0), NOTHING);
}

static void others(void **state)
{
    (void)state;
    assert_int_equal(noted(INSN_SRET, 0, 0), RETURN);
    assert_int_equal(noted(csr(CSR_SIE, 0, 2, 7), 0, 7), READ_SIE);
    assert_int_equal(noted(csr(CSR_SIP, 0, 2, 7), 0, 7), READ_SIP);
    assert_int_equal(noted(csr(CSR_SATP, 0, 2, 7), 0, 7), READ_SATP);
    assert_int_equal(noted(csr(CSR_SENVCFG, 7, 1, 0), 7, 0), WRITE_SENVCFG);
    assert_int_equal(noted(csr(CSR_SENVCFG, 7, 1, 6), 7, 6), NOTHING);
    assert_int_equal(noted(csr(CSR_SENVCFG, 7, 2, 0), 7, 0), NOTHING);
    assert_int_equal(noted(csr(CSR_SENVCFG, 0, 2, 7), 0, 7), NOTHING);
    assert_int_equal(noted(csr(CSR_SATP, 7, 1, 6), 7, 6), NOTHING);
    assert_int_equal(noted(csr(CSR_STVEC, 7, 1, 0), 7, 0), WRITE_STVEC);
    assert_int_equal(noted(csr(CSR_STVEC, 7, 2, 0), 7, 0), NOTHING);
    assert_int_equal(noted(csr(CSR_SIE, 7, 2, 0), 7, 0), NOTHING);
    assert_int_equal(noted(csr(CSR_STIMECMP, 7, 1, 0), 7, 0), NOTHING);
    assert_int_equal(noted(csr(0xc01, 0, 2, 7), 0, 7), NOTHING); /* time */
    assert_int_equal(noted(INSN_WFI, 0, 0), NOTHING);
    assert_int_equal(noted(INSN_EBREAK, 0, 0), NOTHING);
    assert_int_equal(noted(0x9002, 0, 0), NOTHING); /* c.ebreak */
    assert_int_equal(noted(0x12000073, 0, 0), FENCE_FULL);
    assert_int_equal(noted(0x12a00073, 0, 0), NOTHING); /* of the ASID in a0 */
    assert_int_equal(noted(csr(CSR_SATP, 7, 1, 0), 7, 0), WRITE_SATP);
    put32(0x104, 0x12000073); /* then they are one */
    v.pc = VA + 0x100;
    s_places_flush(&v.s);
    s_place_note(&v);
    assert_int_equal((place_at(v.pc)->does - (uint64_t)s_place_here) / 4, WRITE_SATP_AND_FENCE);
    put32(0x104, 0);
    assert_int_equal(noted(0x12098073, 19, 0), FENCE_PAGE); /* of s3 */
    assert_int_equal(noted(0x12a98073, 19, 0), NOTHING);    /* and the ASID in a0 */
}

/* Of two that follow each other the first goes on with the second, inside of a page and the table.
 */
static void goes_on(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        bool then;
    } want[] = {{0, true},     {0x7f8, true}, {0x7fc, false},
                {0xff8, true}, {0xff6, true}, {0xffa, false}};
    for (unsigned n = 0; n < sizeof(want) / sizeof(want[0]); n++) {
        put32(want[n].at, csr(CSR_SEPC, 0, 2, 7));
        if (want[n].at + 8 <= PAGE)
            put32(want[n].at + 4, csr(CSR_SCAUSE, 0, 2, 7));
        v.pc = VA + want[n].at;
        s_place_note(&v);
        const struct s_place *place = place_at(v.pc);
        assert_non_null(place);
        bool then = place->put == (uint64_t)s_place_put_then + 7 * 16;
        assert_int_equal(then, want[n].then && (want[n].at & 0x7fe) + 4 <= 0x7fe);
        if (then)
            assert_ptr_equal(place_at(VA + want[n].at + 4), NULL); /* not before it was met */
    }
    v.pc = VA + PAGE - 2; /* goes on in the next page */
    s_place_note(&v);
    assert_null(place_at(v.pc));
}

static void only_of_a_copy(void **state)
{
    (void)state;
    put32(0, INSN_SRET);
    s_fetch_line(&v.s, VA)->copy = 0;
    s_place_note(&v);
    assert_null(place_at(VA));
    s_fetch_line(&v.s, VA)->copy = 1;
    s_place_note(&v);
    assert_non_null(place_at(VA));
    /* What is noted once is not read again. */
    uint64_t does = place_at(VA)->does;
    put32(0, csr(CSR_SEPC, 0, 2, 7));
    s_place_note(&v);
    assert_int_equal(place_at(VA)->does, does);
    s_places_flush(&v.s);
    s_place_note(&v);
    assert_int_not_equal(place_at(VA)->does, does);
}

static void fences(void **state)
{
    (void)state;
    put32(0, INSN_SRET);
    s_place_note(&v);
    v.s.code_low = VA & ~0x1fffffUL; /* a large page */
    v.s.code_end = VA | 0x1fffffUL;
    s_fetch_flush(&v.s, false); /* it is global */
    assert_non_null(place_at(VA));
    s_fetch_flush_page(&v.s, v.s.code_low - 1, true);
    s_fetch_flush_page(&v.s, v.s.code_end + 1, true);
    s_fetch_flush_page(&v.s, v.s.code_low, false);
    assert_non_null(place_at(VA));
    assert_int_equal(s_fetch_line(&v.s, VA)->page, VA >> 12);
    s_fetch_flush_page(&v.s, v.s.code_end, true);
    assert_null(place_at(VA));
    assert_int_equal(s_fetch_line(&v.s, VA)->page, UINT64_MAX);

    set_up(NULL);
    put32(0, INSN_SRET);
    v.s.fetch_local = UINT16_MAX;
    s_place_note(&v);
    assert_non_null(place_at(VA));
    s_fetch_flush(&v.s, false);
    assert_null(place_at(VA));
}

/* A copy takes its own places with it, and no others; and those of one address more all of them. */
static void copy_goes(void **state)
{
    (void)state;
    const uint64_t other = VA + 5 * PAGE; /* another line and another place */
    put32(0, INSN_SRET);
    put32(0x10, INSN_SRET);
    *s_fetch_line(&v.s, other) = (struct s_fetch_line){other >> 12, code, 2};
    s_place_note(&v);
    v.pc = other + 0x10;
    s_place_note(&v);
    assert_non_null(place_at(VA));
    assert_non_null(place_at(v.pc));
    s_places_drop(&v.s, 1);
    assert_null(place_at(VA));
    assert_int_equal(s_fetch_line(&v.s, VA)->page, UINT64_MAX);
    assert_non_null(place_at(v.pc));
    assert_int_equal(s_fetch_line(&v.s, other)->page, other >> 12);
    s_places_drop(&v.s, 1); /* it has none any more */
    assert_non_null(place_at(v.pc));

    *s_fetch_line(&v.s, VA) = (struct s_fetch_line){VA >> 12, code, 2};
    v.pc = VA;
    s_place_note(&v); /* the same copy, at its second address */
    s_places_drop(&v.s, 2);
    assert_null(place_at(VA));
    assert_null(place_at(other + 0x10));
}

/*
 * With sources noted a place is good as long as its view's entry is made from the same. So none is
 * noted of what the guest's tables lead to by now, where the hart still executes from another page:
 * if they lead back before the fence, nothing has changed, and the place would stay.
 */
static void of_the_entry(void **state)
{
    (void)state;
    static _Alignas(PAGE) uint8_t other[PAGE];
    static struct engine_vm vm;
    struct slot *slot = &vm.memory.slot[0];
    *slot = (struct slot){.gpa = VA, .va = code, .size = PAGE};
    vm.memory.slots = 1;
    v.vm = &vm;
    v.s.noting = true;
    v.s.current = &spaces[0];
    put32(0, INSN_SRET);
    for (unsigned n = 0; n < 6; n++) {
        s_places_flush(&v.s);
        spaces[0].view[S_KERNEL].place_mark = v.s.place_mark;
        spaces[0].view[S_KERNEL_SUM].place_mark = v.s.place_mark + (1UL << 48);
        v.s.sstatus = n == 1 ? SSTATUS_SUM : 0;
        copy_of = n == 2 ? 2 : 1;
        slot->va = n == 3 ? other : code;
        copy_entry = 5UL << PTE_PPN_SHIFT | PTE_V;
        leaf_entry = (n == 4 ? 6UL : 5UL) << PTE_PPN_SHIFT | PTE_V | PTE_X;
        if (n == 5)
            v.s.current = NULL;
        s_place_note(&v);
        assert_int_equal(place_at(VA) != NULL, n == 0);
    }
}

/* Nothing comes back when marks begin anew. */
static void marks(void **state)
{
    (void)state;
    put32(0, INSN_SRET);
    s_place_note(&v);
    assert_non_null(place_at(VA));
    for (unsigned n = 0; n < 70000; n++) {
        s_places_flush(&v.s);
        assert_null(place_at(VA));
        assert_int_not_equal(v.s.place_mark, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(trap_csrs, set_up),      cmocka_unit_test_setup(status, set_up),
        cmocka_unit_test_setup(others, set_up),         cmocka_unit_test_setup(goes_on, set_up),
        cmocka_unit_test_setup(only_of_a_copy, set_up), cmocka_unit_test_setup(fences, set_up),
        cmocka_unit_test_setup(marks, set_up),          cmocka_unit_test_setup(copy_goes, set_up),
        cmocka_unit_test_setup(of_the_entry, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
