/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv/decode.c against tables of patterns, as the manual prints them. */
#include "tests/unit/unit.h"

#include "riscv/decode.h"

/* One line of the manual: the fixed bits, and where the register stands. */
struct rule {
    const char *name;
    uint32_t mask, match;
    unsigned reg_low, reg_bits; /* three-bit fields name x8..x15 */
    bool nonzero;               /* register 0 is reserved */
    bool store, sign_extend;
    unsigned width;
};

static const struct rule compressed[] = {
    {"c.lw", 0xe003, 0x4000, 2, 3, false, false, true, 4},
    {"c.ld", 0xe003, 0x6000, 2, 3, false, false, false, 8},
    {"c.sw", 0xe003, 0xc000, 2, 3, false, true, false, 4},
    {"c.sd", 0xe003, 0xe000, 2, 3, false, true, false, 8},
    {"c.lwsp", 0xe003, 0x4002, 7, 5, true, false, true, 4},
    {"c.ldsp", 0xe003, 0x6002, 7, 5, true, false, false, 8},
    {"c.swsp", 0xe003, 0xc002, 2, 5, false, true, false, 4},
    {"c.sdsp", 0xe003, 0xe002, 2, 5, false, true, false, 8},
    {"c.lbu", 0xfc03, 0x8000, 2, 3, false, false, false, 1},
    {"c.lhu", 0xfc43, 0x8400, 2, 3, false, false, false, 2},
    {"c.lh", 0xfc43, 0x8440, 2, 3, false, false, true, 2},
    {"c.sb", 0xfc03, 0x8800, 2, 3, false, true, false, 1},
    {"c.sh", 0xfc43, 0x8c00, 2, 3, false, true, false, 2},
};

static const struct rule full[] = {
    {"lb", 0x707f, 0x0003, 7, 5, false, false, true, 1},
    {"lh", 0x707f, 0x1003, 7, 5, false, false, true, 2},
    {"lw", 0x707f, 0x2003, 7, 5, false, false, true, 4},
    {"ld", 0x707f, 0x3003, 7, 5, false, false, false, 8},
    {"lbu", 0x707f, 0x4003, 7, 5, false, false, false, 1},
    {"lhu", 0x707f, 0x5003, 7, 5, false, false, false, 2},
    {"lwu", 0x707f, 0x6003, 7, 5, false, false, false, 4},
    {"sb", 0x707f, 0x0023, 20, 5, false, true, false, 1},
    {"sh", 0x707f, 0x1023, 20, 5, false, true, false, 2},
    {"sw", 0x707f, 0x2023, 20, 5, false, true, false, 4},
    {"sd", 0x707f, 0x3023, 20, 5, false, true, false, 8},
};

#define COUNT(table) (sizeof(table) / sizeof(table[0]))

static const struct rule *find(const struct rule *rules, size_t count, uint32_t insn, unsigned *reg)
{
    const struct rule *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if ((insn & rules[i].mask) == rules[i].match) {
            assert_null(found); /* the table itself is unambiguous */
            found = &rules[i];
        }
    }
    if (found) {
        *reg = insn >> found->reg_low & ((1u << found->reg_bits) - 1);
        *reg += found->reg_bits == 3 ? 8 : 0;
        if (found->nonzero && *reg == 0) {
            return NULL;
        }
    }
    return found;
}

static void compare(uint32_t insn, const struct rule *rule, unsigned reg, unsigned bytes,
                    bool decoded, const struct riscv_access *got)
{
    if (decoded != (rule != NULL)) {
        fail_msg("%#010x: decoded %d, manual says %s", insn, decoded, rule ? rule->name : "no");
    }
    if (rule && (got->store != rule->store || got->sign_extend != rule->sign_extend ||
                 got->width != rule->width || got->reg != reg || got->insn_bytes != bytes)) {
        fail_msg("%#010x (%s): store %d sign %d width %d reg %d bytes %d", insn, rule->name,
                 got->store, got->sign_extend, got->width, got->reg, got->insn_bytes);
    }
}

static void all_compressed(void **state)
{
    (void)state;
    for (uint32_t insn = 0; insn < 0x10000; insn++) {
        if ((insn & 3) == 3) {
            continue;
        }
        /* What follows a compressed instruction in memory must not matter. */
        for (uint32_t next = 0; next < 2; next++) {
            uint32_t word = insn | (next ? 0xffff0000u : 0);
            struct riscv_access got;
            unsigned reg = 0;
            bool decoded = riscv_decode_access(word, &got);
            const struct rule *rule = find(compressed, COUNT(compressed), insn, &reg);
            compare(word, rule, reg, 2, decoded, &got);
        }
    }
}

/* All opcodes, funct3 and register fields of interest; the other bits are random. */
static void full_width(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (uint32_t low = 0; low < 0x8000; low++) {
        if ((low & 3) != 3) {
            continue;
        }
        for (unsigned i = 0; i < 16; i++) {
            uint32_t insn = low | (uint32_t)unit_random(&seed) << 15;
            struct riscv_access got;
            unsigned reg = 0;
            bool decoded = riscv_decode_access(insn, &got);
            const struct rule *rule = find(full, COUNT(full), insn, &reg);
            compare(insn, rule, reg, 4, decoded, &got);
        }
    }
}

static void random_bits(void **state)
{
    (void)state;
    uint64_t seed = 42;
    for (unsigned i = 0; i < 2000000; i++) {
        uint32_t insn = (uint32_t)unit_random(&seed);
        struct riscv_access access = {0};
        struct riscv_csr_op csr;
        if (riscv_decode_access(insn, &access) || riscv_decode_transformed(insn, &access)) {
            assert_true(access.reg < 32 && access.width <= 8 && access.insn_bytes <= 4);
            riscv_load_value(&access, unit_random(&seed));
        }
        if (riscv_decode_csr(insn, &csr)) {
            assert_true(csr.csr < 4096 && csr.rd < 32 && csr.rs1_or_imm < 32);
        }
    }
}

static void transformed(void **state)
{
    (void)state;
    struct riscv_access got;
    /* lw a0 as it arrives: immediate gone. The same from c.lw: bit 1 clear, two bytes long. */
    assert_true(riscv_decode_transformed(0x00002503, &got));
    assert_int_equal(got.reg, 10);
    assert_int_equal(got.width, 4);
    assert_int_equal(got.insn_bytes, 4);
    assert_true(got.sign_extend && !got.store);
    assert_true(riscv_decode_transformed(0x00002501, &got));
    assert_int_equal(got.reg, 10);
    assert_int_equal(got.insn_bytes, 2);
    /* sd a1, from c.sd */
    assert_true(riscv_decode_transformed(0x00b03021, &got));
    assert_true(got.store);
    assert_int_equal(got.reg, 11);
    assert_int_equal(got.width, 8);
    assert_int_equal(got.insn_bytes, 2);
    /* Zero, the four pseudoinstructions, FP, atomic, and HLV (not a guest's own access here). */
    static const uint32_t others[] = {0,          0x00002000, 0x00002020, 0x00003000, 0x00003020,
                                      0x00002507, 0x00002527, 0x00a5252f, 0x6c054573, 0x00002505};
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_false(riscv_decode_transformed(others[i], &got));
    }
}

static void csr(void **state)
{
    (void)state;
    for (uint32_t low = 0; low < 0x100000; low++) {
        uint32_t insn = low | 0xc0100000u; /* csr = time */
        uint32_t funct3 = low >> 12 & 7, rd = low >> 7 & 31, rs1 = low >> 15 & 31;
        struct riscv_csr_op op;
        bool expected = (low & 0x7f) == 0x73 && funct3 != 0 && funct3 != 4;
        bool decoded = riscv_decode_csr(insn, &op);
        if (decoded != expected) {
            fail_msg("%#010x: decoded %d", insn, decoded);
        }
        if (!expected) {
            continue;
        }
        bool swap = funct3 == 1 || funct3 == 5;
        if (op.csr != 0xc01 || op.rd != rd || op.rs1_or_imm != rs1 || op.funct3 != funct3 ||
            op.reads != (!swap || rd != 0) || op.writes != (swap || rs1 != 0)) {
            fail_msg("%#010x: fields are wrong", insn);
        }
    }
}

static uint64_t loaded(unsigned width, bool sign_extend, uint64_t raw)
{
    struct riscv_access access = {.width = (uint8_t)width, .sign_extend = sign_extend};
    return riscv_load_value(&access, raw);
}

static void load_values(void **state)
{
    (void)state;
    const uint64_t raw = 0xfedcba9887868584;
    assert_int_equal(loaded(1, false, raw), 0x84);
    assert_int_equal(loaded(2, false, raw), 0x8584);
    assert_int_equal(loaded(4, false, raw), 0x87868584);
    assert_int_equal(loaded(8, false, raw), raw);
    assert_int_equal(loaded(1, true, raw), 0xffffffffffffff84);
    assert_int_equal(loaded(2, true, raw), 0xffffffffffff8584);
    assert_int_equal(loaded(4, true, raw), 0xffffffff87868584);
    assert_int_equal(loaded(1, true, 0xffffff7f), 0x7f);
    assert_int_equal(loaded(4, true, 0xff7fffffff), 0x7fffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_compressed),
        cmocka_unit_test(full_width),
        cmocka_unit_test(random_bits),
        cmocka_unit_test(transformed),
        cmocka_unit_test(csr),
        cmocka_unit_test(load_values),
    };
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
