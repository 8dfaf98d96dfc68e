/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/irq/imsic.c: a guest's interrupt file in memory. */
#include "tests/unit/unit.h"

#include <pthread.h>

#include "lib/irq/imsic.h"
#include "riscv/csr.h"

#define INDIRECT CSR_SIREG
enum { WRITE = 1, SET, CLEAR };

static struct imsic file;

static int setup(void **state)
{
    (void)state;
    memset(&file, 0xff, sizeof(file));
    imsic_init(&file, 127);
    return 0;
}

static bool csr(unsigned number, unsigned kind, bool writes, uint64_t select, uint64_t value,
                uint64_t *before)
{
    struct riscv_csr_op op = {.csr = (uint16_t)number, .funct3 = (uint8_t)kind, .writes = writes};
    *before = UINT64_MAX;
    return imsic_csr(&file, &op, select, value, before);
}

static uint64_t rd(uint64_t select)
{
    uint64_t before;
    assert_true(csr(INDIRECT, SET, false, select, 0, &before));
    return before;
}

static void wr(uint64_t select, unsigned kind, uint64_t value)
{
    uint64_t before;
    assert_true(csr(INDIRECT, kind, true, select, value, &before));
}

static unsigned claim(void)
{
    uint64_t before;
    assert_true(csr(CSR_STOPEI, WRITE, true, 0, 0, &before));
    assert_int_equal(before >> 16, before & 0xffff);
    return (unsigned)(before >> 16);
}

static void registers(void **state)
{
    (void)state;
    wr(IMSIC_EIDELIVERY, WRITE, UINT64_MAX);
    assert_int_equal(rd(IMSIC_EIDELIVERY), 1);
    wr(IMSIC_EITHRESHOLD, WRITE, UINT64_MAX);
    assert_int_equal(rd(IMSIC_EITHRESHOLD), 127);
    for (unsigned n = 0; n < 64; n += 2) {
        uint64_t all = n == 0 ? ~1ULL : n == 2 ? UINT64_MAX : 0;
        wr(IMSIC_EIP0 + n, WRITE, UINT64_MAX);
        assert_int_equal(rd(IMSIC_EIP0 + n), all);
        wr(IMSIC_EIE0 + n, WRITE, UINT64_MAX);
        assert_int_equal(rd(IMSIC_EIE0 + n), all);
        wr(IMSIC_EIP0 + n, CLEAR, 0xf0);
        wr(IMSIC_EIE0 + n, CLEAR, 0xf0);
        assert_int_equal(rd(IMSIC_EIP0 + n), all & ~0xf0ULL);
        assert_int_equal(rd(IMSIC_EIE0 + n), all & ~0xf0ULL);
        wr(IMSIC_EIP0 + n, SET, 0x30);
        wr(IMSIC_EIE0 + n, SET, 0x30);
        assert_int_equal(rd(IMSIC_EIP0 + n), all & ~0xc0ULL);
        assert_int_equal(rd(IMSIC_EIE0 + n), all & ~0xc0ULL);
    }
    assert_int_equal(rd(IMSIC_IPRIO0), 0);
}

/* Whatever is selected: an answer or none, never a step outside. */
static void every_number(void **state)
{
    (void)state;
    uint64_t seed = 7, before;
    for (uint64_t select = 0; select < 0x1000; select++) {
        bool is = (select >= 0x30 && select <= 0x3f && !(select & 1)) || select == 0x70 ||
                  select == 0x72 || (select >= 0x80 && select <= 0xff && !(select & 1));
        for (unsigned kind = WRITE; kind <= CLEAR; kind++)
            assert_int_equal(csr(INDIRECT, kind, true, select, unit_random(&seed), &before), is);
    }
    assert_false(csr(INDIRECT, SET, false, UINT64_MAX, 0, &before));
    assert_false(csr(CSR_SIP, SET, false, IMSIC_EIDELIVERY, 0, &before));
}

static void order_and_line(void **state)
{
    (void)state;
    static const unsigned ids[] = {100, 3, 64, 1, 63, 127};
    static const unsigned expected[] = {1, 3, 63, 64, 100, 127, 0};
    wr(IMSIC_EIE0, WRITE, UINT64_MAX);
    wr(IMSIC_EIE0 + 2, WRITE, UINT64_MAX);
    for (size_t i = 0; i < 6; i++)
        assert_true(imsic_post(&file, ids[i]));
    assert_false(imsic_line(&file)); /* not delivered yet */
    assert_int_equal(imsic_top(&file), 1);
    wr(IMSIC_EIDELIVERY, WRITE, 1);
    assert_true(imsic_line(&file));
    wr(IMSIC_EITHRESHOLD, WRITE, 1);
    assert_false(imsic_line(&file));
    assert_int_equal(claim(), 0);
    wr(IMSIC_EITHRESHOLD, WRITE, 2);
    assert_int_equal(imsic_top(&file), 1);
    wr(IMSIC_EITHRESHOLD, WRITE, 0);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(claim(), expected[i]);
    assert_false(imsic_line(&file));
    assert_true(imsic_post(&file, 5));
    assert_false(imsic_post(&file, 5)); /* it pends: nobody is told once more */
    wr(IMSIC_EIE0, CLEAR, 1 << 5);
    assert_false(imsic_line(&file));
    assert_int_equal(rd(IMSIC_EIP0), 1 << 5); /* pending all the same */
    uint64_t before;
    wr(IMSIC_EIE0, SET, 1 << 5);
    assert_true(csr(CSR_STOPEI, SET, false, 0, 0, &before)); /* a read claims nothing */
    assert_int_equal(before, 5 << 16 | 5);
    assert_int_equal(claim(), 5);
}

static void stores(void **state)
{
    (void)state;
    bool posted;
    assert_true(imsic_store(&file, 0, 4, 9, &posted));
    assert_true(posted);
    assert_true(imsic_store(&file, 4, 4, 0x0a000000, &posted));
    assert_true(posted);
    assert_int_equal(rd(IMSIC_EIP0), 1 << 9 | 1 << 10);
    static const uint32_t nobody[] = {0, 128, 255, 2047, 0xffffffff};
    for (size_t i = 0; i < 5; i++) {
        assert_true(imsic_store(&file, 0, 4, nobody[i], &posted));
        assert_false(posted);
    }
    for (uint32_t offset = 8; offset < 4096; offset += 4) {
        assert_true(imsic_store(&file, offset, 4, 1, &posted));
        assert_false(posted);
    }
    static const unsigned widths[] = {0, 1, 2, 3, 8, 16};
    for (size_t i = 0; i < 6; i++)
        assert_false(imsic_store(&file, 0, widths[i], 1, &posted));
    assert_false(imsic_store(&file, 2, 4, 1, &posted));
    assert_int_equal(rd(IMSIC_EIP0), 1 << 9 | 1 << 10);
}

/* Senders set bits while their owner claims and clears: each message that found its bit clear is
 * claimed once. */
#define SENDERS 3
#define MESSAGES 20000
static _Atomic unsigned taken[SENDERS + 1];

static void *sender(void *argument)
{
    unsigned id = (unsigned)(uintptr_t)argument;
    for (unsigned n = 0; n < MESSAGES; n++) {
        unsigned before = atomic_load(&taken[id]);
        imsic_post(&file, id);
        while (atomic_load(&taken[id]) == before) {
        }
    }
    return NULL;
}

static void many_senders(void **state)
{
    (void)state;
    pthread_t threads[SENDERS];
    unsigned sum = 0;
    memset(taken, 0, sizeof(taken));
    wr(IMSIC_EIE0, WRITE, UINT64_MAX);
    for (uintptr_t n = 0; n < SENDERS; n++)
        pthread_create(&threads[n], NULL, sender, (void *)(n + 1));
    while (sum < SENDERS * MESSAGES) {
        unsigned id = claim();
        wr(IMSIC_EIP0, SET, 1ULL << 40); /* read and write at once must lose nothing */
        wr(IMSIC_EIP0, CLEAR, 1ULL << 40);
        if (!id || id == 40)
            continue;
        sum++;
        atomic_fetch_add(&taken[id], 1);
    }
    for (unsigned n = 0; n < SENDERS; n++)
        pthread_join(threads[n], NULL);
    assert_int_equal(claim(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers, setup),      cmocka_unit_test_setup(every_number, setup),
        cmocka_unit_test_setup(order_and_line, setup), cmocka_unit_test_setup(stores, setup),
        cmocka_unit_test_setup(many_senders, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
