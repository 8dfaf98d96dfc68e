/* SPDX-License-Identifier: BSD-2-Clause */
/* Privileged instructions in a page of code: what is replaced, and what is left alone. */
#include "tests/unit/unit.h"

#include "lib/engine/shadow/scan.h"

#define CSRR_SSTATUS 0x10002573u
#define CSRW_SATP 0x18051073u
#define CSRR_CYCLE 0xc0002573u
#define CSRR_TIME 0xc0102573u
#define CSRR_FCSR 0x00302573u
#define CSRR_MSTATUS 0x30002573u
#define CSRR_HSTATUS 0x60002573u
#define SRET 0x10200073u
#define WFI 0x10500073u
#define SFENCE_VMA 0x12b50073u
#define ECALL 0x00000073u
#define RET 0x00008067u
#define ADDI 0x00150513u
#define C_NOP 0x0001u
#define C_RET 0x8082u

static _Alignas(8) uint16_t code[S_SCAN_HALVES];
static unsigned at;

static int set_up(void **state)
{
    (void)state;
    for (unsigned n = 0; n < S_SCAN_HALVES; n++)
        code[n] = C_NOP;
    at = 0;
    return 0;
}

static void put(uint32_t insn)
{
    code[at++] = (uint16_t)insn;
    if ((insn & 3) == 3)
        code[at++] = (uint16_t)(insn >> 16);
}

static void test_which_are_privileged(void **state)
{
    (void)state;
    const uint32_t yes[] = {CSRR_SSTATUS, CSRW_SATP, CSRR_CYCLE, SRET, WFI, SFENCE_VMA};
    const uint32_t no[] = {CSRR_TIME,   CSRR_FCSR, CSRR_MSTATUS, CSRR_HSTATUS, ECALL,
                           INSN_EBREAK, ADDI,      RET,          0x6c05c573u /* hlv.d */};
    for (unsigned n = 0; n < sizeof(yes) / sizeof(*yes); n++)
        assert_true(s_scan_privileged(yes[n]));
    for (unsigned n = 0; n < sizeof(no) / sizeof(*no); n++)
        assert_false(s_scan_privileged(no[n]));
}

static void test_possible(void **state)
{
    (void)state;
    assert_false(s_scan_possible(code, 0));
    for (unsigned n = 0; n < S_SCAN_HALVES; n++) {
        at = n;
        code[at++] = CSRR_SSTATUS & 0xffff;
        if (at < S_SCAN_HALVES) /* else it goes on in the next page */
            code[at] = CSRR_SSTATUS >> 16;
        assert_int_equal(s_scan_possible(code, 0), at < S_SCAN_HALVES);
        assert_true(s_scan_possible(code, CSRR_SSTATUS >> 16));
        if (at < S_SCAN_HALVES)
            code[at] = ECALL >> 16;
        assert_false(s_scan_possible(code, 0));
        set_up(state);
    }
}

static void test_before_and_behind_the_known_one(void **state)
{
    (void)state;
    put(CSRR_SSTATUS); /* 0 */
    put(C_NOP);
    put(CSRW_SATP);  /* 3 */
    put(ADDI);       /* 5: known */
    put(SRET);       /* 7 */
    put(SFENCE_VMA); /* 9 */
    assert_int_equal(s_scan_replace(code, 5 * 2, 0), 3);
    assert_int_equal(code[0], CSRR_SSTATUS & 0xffff); /* may be another's second half */
    assert_int_equal(code[3], INSN_C_EBREAK);
    assert_int_equal(code[4], CSRW_SATP >> 16);
    assert_int_equal(code[7], INSN_C_EBREAK);
    assert_int_equal(code[9], INSN_C_EBREAK);
}

/* 0x1000 2573 is a csrr; the same halves are the end of one instruction and the start of another
 * where they begin one half later. */
static void test_the_second_half_of_another_is_left(void **state)
{
    (void)state;
    put(0x25730537u); /* lui a0, whose upper half looks like a csrr's lower */
    put(0x00001000u); /* c.addi4spn's kind: a half of its own */
    at = 2;
    put(C_NOP);
    s_scan_replace(code, 0, 0);
    assert_int_equal(code[1], 0x2573);
}

static void test_data_behind_a_jump(void **state)
{
    (void)state;
    put(CSRR_SSTATUS); /* 0: known */
    put(C_RET);        /* 2 */
    put(CSRR_SSTATUS); /* 3: in a run with what is no instruction */
    put(0xffff);
    code[at++] = 0xffff;
    put(C_RET);
    unsigned next = at;
    put(CSRW_SATP); /* a run of its own again */
    put(C_RET);
    assert_int_equal(s_scan_replace(code, 0, 0), 2);
    assert_int_equal(code[0], INSN_C_EBREAK);
    assert_int_equal(code[3], CSRR_SSTATUS & 0xffff);
    assert_int_equal(code[next], INSN_C_EBREAK);
}

/* Linux has eight bytes in front of each function, which lead to what traces it. */
static void test_data_before_a_function(void **state)
{
    (void)state;
    const uint16_t before[][4] = {{0, 0, 0, 0},
                                  {0xb510, 0x8126, 0xffff, 0xffff},
                                  {0xb513, 0x8127, 0xffff, 0xffff}, /* like firsts of two */
                                  {0xb510, 0x0073, 0xffff, 0xffff}};
    for (unsigned n = 0; n < 4; n++) {
        set_up(state);
        put(C_RET); /* 0: known */
        for (unsigned half = 0; half < 4; half++)
            put(before[n][half]);
        at = 5;
        put(ADDI);
        put(ADDI);
        put(C_NOP);
        put(WFI); /* 10 */
        put(C_RET);
        assert_int_equal(s_scan_replace(code, 0, 0), 1);
        assert_int_equal(code[10], INSN_C_EBREAK);
    }
}

/* An instruction is looked for only where one starts for certain: behind data that is not told by
 * what is two halves in any case. */
static void test_right_behind_data(void **state)
{
    (void)state;
    put(C_RET); /* 0: known */
    code[at++] = 0xffff;
    code[at++] = 0xffff;
    code[at++] = 0x0513; /* like the first half of an addi */
    put(0x25730537u);    /* a lui; from its upper half on there seems to be a csrr ... */
    put(0x10731537u);    /* ... that goes on in this one */
    put(C_RET);
    assert_int_equal(s_scan_replace(code, 0, 0), 0);
}

static void test_the_last_one_goes_on_in_the_next_page(void **state)
{
    (void)state;
    at = S_SCAN_HALVES - 1;
    code[at] = CSRR_SSTATUS & 0xffff;
    assert_true(s_scan_may_go_on(code));
    assert_int_equal(s_scan_replace(code, at * 2, 0), 0);
    assert_int_equal(code[at], CSRR_SSTATUS & 0xffff);
    assert_int_equal(s_scan_replace(code, at * 2, CSRR_SSTATUS >> 16), 1);
    assert_int_equal(code[at], INSN_C_EBREAK);
    assert_false(s_scan_may_go_on(code));
}

static uint64_t seed = 42;
static unsigned below(unsigned limit)
{
    seed = seed * 6364136223846793005 + 1442695040888963407;
    return (unsigned)(seed >> 33) % limit;
}

/* Code alone, whatever it is: all of it is found behind the first instruction that can't be half of
 * another, and nothing else is touched. */
static void test_random_code(void **state)
{
    (void)state;
    static const uint32_t some[] = {CSRR_SSTATUS, CSRW_SATP, SRET,   ADDI,       RET,
                                    C_RET,        C_NOP,     0x852e, 0x00b50533, 0xfe0516e3,
                                    SFENCE_VMA,   ECALL,     WFI,    0x25730537, 0x1073e073};
    for (unsigned round = 0; round < 2000; round++) {
        static uint16_t before[S_SCAN_HALVES];
        static bool starts[S_SCAN_HALVES];
        memset(starts, 0, sizeof(starts));
        for (at = 0; at < S_SCAN_HALVES - 1;) {
            starts[at] = true;
            put(some[below(sizeof(some) / sizeof(*some))]);
        }
        uint16_t behind = 0;
        if (at < S_SCAN_HALVES) {
            starts[at] = true;
            code[at] = WFI & 0xffff;
            behind = round % 2 ? WFI >> 16 : ECALL >> 16;
        }
        memcpy(before, code, sizeof(code));
        unsigned known = below(S_SCAN_HALVES - 2);
        while (!starts[known])
            known--;
        s_scan_replace(code, known * 2, behind);
        for (unsigned n = 0; n < S_SCAN_HALVES; n++) {
            uint16_t next = n + 1 < S_SCAN_HALVES ? before[n + 1] : behind;
            bool privileged = starts[n] && s_scan_privileged((uint32_t)next << 16 | before[n]);
            if (code[n] != before[n])
                assert_true(privileged && code[n] == INSN_C_EBREAK);
            else if (n >= known)
                assert_false(privileged);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_are_privileged),
        cmocka_unit_test_setup(test_possible, set_up),
        cmocka_unit_test_setup(test_before_and_behind_the_known_one, set_up),
        cmocka_unit_test_setup(test_the_second_half_of_another_is_left, set_up),
        cmocka_unit_test_setup(test_data_behind_a_jump, set_up),
        cmocka_unit_test_setup(test_data_before_a_function, set_up),
        cmocka_unit_test_setup(test_right_behind_data, set_up),
        cmocka_unit_test_setup(test_the_last_one_goes_on_in_the_next_page, set_up),
        cmocka_unit_test(test_random_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
