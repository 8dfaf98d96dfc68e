/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv/isa.c: names, both kinds of device-tree property, the rules of the table. */
#include "tests/unit/unit.h"

#include "riscv/isa.h"

static struct riscv_isa parse(const char *text)
{
    struct riscv_isa isa = {0};
    isa_parse_string(&isa, text);
    return isa;
}

static void assert_string(const char *text, const char *expected)
{
    struct riscv_isa isa = parse(text);
    char out[2048];
    size_t length = isa_format_string(&isa, out, sizeof(out));
    assert_string_equal(out, expected);
    assert_int_equal(length, strlen(expected));
}

static void names(void **state)
{
    (void)state;
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        const char *name = isa_name(ext);
        assert_int_equal(isa_find(name, strlen(name)), ext); /* found, and only once there */
        for (const char *c = name; *c; c++) {
            assert_true((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9'));
        }
        assert_int_equal(strlen(name) == 1, ext <= ISA_H);
    }
    assert_int_equal(isa_find("SSTC", 4), ISA_SSTC);
    assert_int_equal(isa_find("sstcx", 4), ISA_SSTC);
    assert_int_equal(isa_find("sst", 3), ISA_EXT_COUNT);
    assert_int_equal(isa_find("sstc2", 5), ISA_EXT_COUNT);
    assert_int_equal(isa_find("", 0), ISA_EXT_COUNT);
    assert_int_equal(isa_find("m\0m", 3), ISA_EXT_COUNT);
    assert_int_equal(isa_find("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 32), ISA_EXT_COUNT);
    assert_string_equal(isa_name(ISA_EXT_COUNT), "?");
}

static void rules(void **state)
{
    (void)state;
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        const char *name = isa_name(ext);
        if (!strncmp(name, "sm", 2) || !strncmp(name, "sh", 2) || !strncmp(name, "sd", 2)) {
            assert_int_equal(isa_rule(ext), EXT_HIDDEN);
        }
        if (!strncmp(name, "zv", 2)) {
            assert_int_equal(isa_rule(ext), EXT_VECTOR);
        }
    }
    static const enum riscv_ext hidden[] = {ISA_H,      ISA_Q,        ISA_ZK,      ISA_ZKR,
                                            ISA_ZIHPM,  ISA_ZICFILP,  ISA_ZICFISS, ISA_SMAIA,
                                            ISA_SUPM,   ISA_SSCOFPMF, ISA_SSPM,    ISA_SSNPM,
                                            ISA_SDTRIG, ISA_SSDBLTRP, ISA_SSCTR,   ISA_ZCMT};
    for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        assert_int_equal(isa_rule(hidden[i]), EXT_HIDDEN);
    }
    assert_int_equal(isa_rule(ISA_SSTC), EXT_SSTC);
    assert_int_equal(isa_rule(ISA_SSAIA), EXT_SSAIA);
    assert_int_equal(isa_rule(ISA_SVADU), EXT_SVADU);
    assert_int_equal(isa_rule(ISA_SVPBMT), EXT_SVPBMT);
    assert_int_equal(isa_rule(ISA_ZICBOM), EXT_ZICBOM);
    assert_int_equal(isa_rule(ISA_ZICBOZ), EXT_ZICBOZ);
    assert_int_equal(isa_rule(ISA_D), EXT_FP);
    assert_int_equal(isa_rule(ISA_V), EXT_VECTOR);
    assert_int_equal(isa_rule(ISA_EXT_COUNT), EXT_HIDDEN);
}

static void strings(void **state)
{
    (void)state;
    assert_string("rv64gc", "rv64imafdc_zicsr_zifencei");
    assert_string("rv64imafdc", "rv64imafdc");
    assert_string("RV64IMAC_Zicsr", "rv64imac_zicsr");
    assert_string("rv64imafdcsu", "rv64imafdc");
    assert_string("rv64imafdcvh_zba_zbb_sstc", "rv64imafdcvh_zba_zbb_sstc");
    assert_string("rv64imac_sstc_zbb", "rv64imac_zbb_sstc");      /* into canonical order */
    assert_string("rv64imaczbb_svnapot", "rv64imac_zbb_svnapot"); /* no underscore before z */
    assert_string("rv64i2p1m2p0a2_zicsr2p0_zba1p0_zifencei2", "rv64ima_zicsr_zifencei_zba");
    assert_string("rv64i_zvl128b_zic64b_zvl64b1p0_za64rs", "rv64i_zic64b_za64rs_zvl64b_zvl128b");
    assert_string("rv64imac_xtheadba_unknown_zbb", "rv64imac_zbb");
    assert_string("rv64im___zbb_", "rv64im_zbb");
    assert_string("rv32imac", "rv64");
    assert_string("", "rv64");
    assert_string("rv64", "rv64");
    assert_string("rv6", "rv64");
}

static void lists(void **state)
{
    (void)state;
    static const char list[] = "i\0m\0zicsr\0nonesuch\0\0SSTC\0zbb"; /* and its own end */
    for (size_t cut = 0; cut < 2; cut++) {
        /* In a block of its own, so that ASan sees a step too far; with and without terminator. */
        size_t bytes = sizeof(list) - cut;
        char *copy = malloc(bytes);
        memcpy(copy, list, bytes);
        struct riscv_isa isa = {0};
        isa_parse_list(&isa, copy, bytes);
        free(copy);
        struct riscv_isa expected = parse("rv64im_zicsr_zbb_sstc");
        assert_memory_equal(&isa, &expected, sizeof(isa));
    }
    struct riscv_isa none = {0}, isa = {0};
    isa_parse_list(&isa, "", 0);
    assert_memory_equal(&isa, &none, sizeof(isa));
}

static void garbage(void **state)
{
    (void)state;
    static const char letters[] = "rv64imzsxp_019g\xff";
    uint64_t seed = 3;
    for (unsigned i = 0; i < 100000; i++) {
        size_t bytes = unit_random(&seed) % 24 + 5;
        char *text = malloc(bytes);
        memcpy(text, "rv64", 4);
        for (size_t k = 4; k < bytes; k++) {
            text[k] = letters[unit_random(&seed) % sizeof(letters)]; /* zero among them */
        }
        struct riscv_isa isa = {0};
        isa_parse_list(&isa, text, bytes);
        text[bytes - 1] = '\0';
        isa_parse_string(&isa, text);
        free(text);
    }
}

static void sets(void **state)
{
    (void)state;
    struct riscv_isa isa = parse("rv64imac_zbb_sstc"), other = parse("rv64imfd_zbb_svadu");
    isa_intersect(&isa, &other);
    struct riscv_isa expected = parse("rv64im_zbb");
    assert_memory_equal(&isa, &expected, sizeof(isa));
    isa_clear(&isa, ISA_M);
    assert_false(isa_has(&isa, ISA_M));
    assert_true(isa_has(&isa, ISA_I));
}

static void formatting(void **state)
{
    (void)state;
    struct riscv_isa all;
    memset(&all, 0, sizeof(all));
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        isa_set(&all, ext);
    }
    size_t length = isa_format_string(&all, NULL, 0);
    char *whole = malloc(length + 1);
    assert_int_equal(isa_format_string(&all, whole, length + 1), length);
    assert_int_equal(strlen(whole), length);
    struct riscv_isa again = parse(whole);
    assert_memory_equal(&again, &all, sizeof(all));
    for (size_t size = 1; size <= length; size++) {
        char *part = malloc(size);
        assert_int_equal(isa_format_string(&all, part, size), length);
        assert_int_equal(strlen(part), size - 1);
        assert_memory_equal(part, whole, size - 1);
        free(part);
    }
    free(whole);
}

static struct riscv_isa shown(const char *text)
{
    struct riscv_isa isa = parse(text);
    isa_hide_units(&isa, isa_can_switch_fp(&isa), isa_can_switch_vector(&isa));
    return isa;
}

/* Whatever sstatus.FS and VS do: without F and D, or V, in the tree nothing of them is touched or
 * shown. */
static void units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fp, vector;
    } cases[] = {
        {"rv64imac", false, false},
        {"rv64imafc", false, false},
        {"rv64imafdc", true, false},
        {"rv64gcv", true, true},
        {"rv64imac_zve64x", false, false},
        {"rv64imafdc_zve64d_zvl128b", true, false},
        {"rv64imac_zfinx_zdinx", false, false},
        {"rv64imafc_zfa_zfh_zve32f", false, false},
    };
    for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
        struct riscv_isa has = parse(cases[n].text), isa = shown(cases[n].text);
        assert_int_equal(isa_can_switch_fp(&has), cases[n].fp);
        assert_int_equal(isa_can_switch_vector(&has), cases[n].vector);
        for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
            enum riscv_ext_rule rule = isa_rule((enum riscv_ext)ext);
            bool hidden =
                (rule == EXT_FP && !cases[n].fp) || (rule == EXT_VECTOR && !cases[n].vector);
            assert_int_equal(isa_has(&isa, ext), isa_has(&has, ext) && !hidden);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),      cmocka_unit_test(rules),   cmocka_unit_test(strings),
        cmocka_unit_test(lists),      cmocka_unit_test(garbage), cmocka_unit_test(sets),
        cmocka_unit_test(formatting), cmocka_unit_test(units),
    };
    return cmocka_run_group_tests_name("isa", tests, NULL, NULL);
}
