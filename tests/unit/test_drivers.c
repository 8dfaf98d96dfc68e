/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: all of drivers/uart, and the interrupt controllers. Registers are plain memory: what is
 * shown is that each access lands where it should, and that nothing waits for ever. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "drivers/aplic/aplic.h"
#include "drivers/imsic/imsic.h"
#include "drivers/plic/plic.h"
#include "drivers/uart/uart.h"

static void finding(void **state)
{
    (void)state;
    static const char fu540[] = "sifive,fu540-c000-uart\0sifive,uart0";
    assert_ptr_equal(uart_find(fu540, sizeof(fu540)), &uart_sifive);
    assert_ptr_equal(uart_find("ns16550a", 9), &uart_ns16550a);
    assert_ptr_equal(uart_find("starfive,jh7110-uart\0snps,dw-apb-uart", 38), &uart_dw_apb);
    static const char k1[] = "spacemit,k1-uart\0intel,xscale-uart";
    static const char k3[] = "spacemit,k3-uart\0intel,xscale-uart";
    assert_ptr_equal(uart_find(k1, sizeof(k1)), &uart_xscale);
    assert_ptr_equal(uart_find(k1, 17), &uart_xscale);
    assert_ptr_equal(uart_find(k3, sizeof(k3)), &uart_xscale);
    assert_null(uart_find("ns16550a", 8)); /* no end */
    assert_null(uart_find("ns16550", 0));
    assert_null(uart_find("\0\0", 2));
    assert_null(uart_find("arm,pl011", 10));
}

static void ns16550a(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift <= 2; shift += 2) {
        uint32_t words[32] = {0};
        uint8_t *regs = (uint8_t *)words;
        struct uart uart = {&uart_ns16550a, .base = words, .reg_shift = shift,
                            .reg_width = shift ? 4 : 1};
        regs[3 << shift] = 0x83;
        assert_true(uart.driver->init(&uart));
        assert_int_equal(regs[3 << shift], 0x03);
        assert_int_equal(regs[2 << shift], 0x01);
        uart_put(&uart, 'x'); /* never ready */
        assert_true(uart.stuck);
        assert_int_equal(regs[0], 0);
        assert_int_equal(uart.driver->get(&uart), -1);
        regs[5 << shift] = 0x61;
        uart_put(&uart, 'y');
        assert_false(uart.stuck);
        assert_int_equal(regs[0], 'y');
        assert_int_equal(uart.driver->get(&uart), 'y');
        assert_true(uart.driver->interrupt(&uart, true, false));
        assert_int_equal(regs[1 << shift], 1);
        assert_true(uart.driver->interrupt(&uart, true, true));
        assert_int_equal(regs[1 << shift], 3);
        assert_int_equal(uart.driver->room(&uart), 1); /* IIR showed no FIFO here */
        regs[5 << shift] = 0;
        assert_int_equal(uart.driver->room(&uart), 0);
    }
    struct uart wrong = {&uart_ns16550a, .reg_shift = 40, .reg_width = 1};
    assert_false(wrong.driver->init(&wrong));
    wrong.reg_shift = 0;
    wrong.reg_width = 4;
    assert_false(wrong.driver->init(&wrong));
}

/* The line status shows a break with its zero byte, or before that: who sends may see it first, and
 * some ports show it while older bytes are on top. */
static void a_break(void **state)
{
    (void)state;
    static const struct uart_driver *const drivers[] = {&uart_ns16550a, &uart_dw_apb, &uart_xscale};
    for (unsigned n = 0; n < 3; n++) {
        uint8_t regs[8] = {0};
        struct uart uart = {drivers[n], .base = regs};
        regs[1] = 0x40;
        assert_true(uart.driver->init(&uart));
        regs[5] = 0xf9; /* BI, FE, data */
        assert_int_equal(uart.driver->get(&uart), UART_BREAK);
        regs[5] = 0x61; /* a zero byte is none */
        assert_int_equal(uart.driver->get(&uart), 0);
        regs[5] = 0xf9;
        assert_true(uart.driver->room(&uart) > 0);
        regs[5] = 0x61; /* that look has cleared it */
        regs[0] = 'x';
        assert_int_equal(uart.driver->get(&uart), 'x');
        regs[0] = 0;
        assert_int_equal(uart.driver->get(&uart), UART_BREAK);
        assert_int_equal(uart.driver->get(&uart), 0);
    }
}

/* A model that is deaf and mute while the unit is off. */
static void xscale(void **state)
{
    (void)state;
    uint32_t regs[32] = {0};
    struct uart uart = {&uart_xscale, .base = regs, .reg_shift = 2, .reg_width = 4};
    regs[1] = 0x40; /* as firmware leaves it */
    assert_true(uart.driver->init(&uart));
    assert_int_equal(regs[1], 0x40);
    regs[5] = 0x60;
    uart_put(&uart, 'k');
    assert_int_equal(regs[0], 'k');
    assert_int_equal(uart.driver->get(&uart), -1);
    assert_true(uart.driver->interrupt(&uart, true, false));
    assert_int_equal(regs[1], 0x51); /* the unit, its time-out, received data */
    assert_true(uart.driver->interrupt(&uart, false, true));
    assert_int_equal(regs[1], 0x42);
    regs[5] = 0x61;
    assert_int_equal(uart.driver->get(&uart), 'k');
}

static void sifive(void **state)
{
    (void)state;
    uint32_t regs[8] = {0};
    struct uart uart = {&uart_sifive, .base = regs};
    regs[3] = 7u << 16;
    assert_true(uart.driver->init(&uart));
    assert_int_equal(regs[2], 1 | 1 << 16);
    assert_int_equal(regs[3], 1);
    assert_true(uart.driver->interrupt(&uart, false, true));
    assert_int_equal(regs[4], 1);
    regs[0] = 1u << 31;
    assert_int_equal(uart.driver->room(&uart), 0);
    regs[0] = 0;
    uart_put(&uart, 'z');
    assert_int_equal(regs[0], 'z');
    regs[1] = 'q';
    assert_int_equal(uart.driver->get(&uart), 'q');
    regs[1] = 1u << 31;
    assert_int_equal(uart.driver->get(&uart), -1);
}

static bool has_dbcn;
static struct uart sbi_uart;
static uint64_t last_extension, last_byte;
static int64_t legacy_answer;

static struct sbi_ret firmware(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
                               uint64_t a2)
{
    (void)a1;
    (void)a2;
    if (extension == SBI_EXT_BASE)
        return (struct sbi_ret){0, a0 != SBI_EXT_DBCN || has_dbcn};
    last_extension = extension;
    last_byte = a0;
    if (extension == SBI_EXT_DBCN && function == 1) {
        sbi_uart.sbi_byte = 'd';
        return (struct sbi_ret){0, 1};
    }
    if (extension == SBI_EXT_LEGACY_GETCHAR)
        return (struct sbi_ret){legacy_answer, 0};
    return (struct sbi_ret){0, 0};
}

static void sbi(void **state)
{
    (void)state;
    sbi_uart = (struct uart){&uart_sbi, .sbi_byte_pa = 0x1000};
    assert_false(sbi_uart.driver->init(&sbi_uart));
    sbi_uart.sbi = firmware;
    has_dbcn = true;
    assert_true(sbi_uart.driver->init(&sbi_uart));
    uart_put(&sbi_uart, 'w');
    assert_int_equal(last_extension, SBI_EXT_DBCN);
    assert_int_equal(last_byte, 'w');
    assert_int_equal(sbi_uart.driver->get(&sbi_uart), 'd');
    has_dbcn = false;
    assert_true(sbi_uart.driver->init(&sbi_uart));
    uart_put(&sbi_uart, 'v');
    assert_int_equal(last_extension, SBI_EXT_LEGACY_PUTCHAR);
    legacy_answer = -1;
    assert_int_equal(sbi_uart.driver->get(&sbi_uart), -1);
    legacy_answer = 0; /* RustSBI's "nothing" */
    assert_int_equal(sbi_uart.driver->get(&sbi_uart), -1);
    legacy_answer = 'k';
    assert_int_equal(sbi_uart.driver->get(&sbi_uart), 'k');
}

static void plic(void **state)
{
    (void)state;
    uint64_t bytes = 0x200000 + 3 * 0x1000;
    uint8_t *regs = calloc(1, bytes);
    uint32_t *words = (uint32_t *)(void *)regs;
    struct plic_hw plic;

    assert_non_null(regs);
    assert_false(plic_hw_init(&plic, regs, 0x200000, 53));
    assert_false(plic_hw_init(&plic, regs, bytes, 0));
    assert_false(plic_hw_init(&plic, regs, bytes, 1024));
    assert_true(plic_hw_init(&plic, regs, bytes, 53));
    assert_int_equal(plic.contexts, 3);
    words[(0x2000 + 0x80) / 4] = 0xffffffff;
    words[0x201000 / 4] = 7;
    assert_true(plic_hw_context_init(&plic, 1));
    assert_false(plic_hw_context_init(&plic, 3));
    assert_int_equal(words[(0x2000 + 0x80) / 4], 0);
    assert_int_equal(words[0x201000 / 4], 0);
    assert_true(plic_hw_enable(&plic, 1, 42, 1));
    assert_int_equal(words[42], 1);
    assert_int_equal(words[(0x2000 + 0x80) / 4 + 1], 1 << 10);
    assert_true(plic_hw_enable(&plic, 1, 42, 0));
    assert_int_equal(words[(0x2000 + 0x80) / 4 + 1], 0);
    assert_false(plic_hw_enable(&plic, 1, 54, 1));
    assert_false(plic_hw_enable(&plic, 1, 0, 1));
    assert_false(plic_hw_enable(&plic, 3, 1, 1));
    words[0x201004 / 4] = 10;
    assert_int_equal(plic_hw_claim(&plic, 1), 10);
    plic_hw_complete(&plic, 1, 11);
    assert_int_equal(words[0x201004 / 4], 11);
    free(regs);
}

static void aplic_direct(void **state)
{
    (void)state;
    uint64_t bytes = 0x4000 + 3 * 32;
    uint32_t *words = calloc(1, bytes);
    struct aplic_hw aplic;

    assert_non_null(words);
    assert_false(aplic_hw_init(&aplic, words, bytes, 0, false));
    assert_false(aplic_hw_init(&aplic, words, bytes, 1024, false));
    assert_false(aplic_hw_init(&aplic, words, 0x4000, 96, false));
    assert_false(aplic_hw_init(&aplic, words, 0x3000, 96, true));
    assert_true(aplic_hw_init(&aplic, words, bytes, 96, false));
    assert_int_equal(words[0], 0x100);
    assert_int_equal(words[0x1f0c / 4], 0xffffffff); /* source 96 is masked too */
    assert_int_equal(words[0x1f10 / 4], 0);
    words[0x4048 / 4] = 5;
    assert_true(aplic_hw_idc_init(&aplic, 2));
    assert_false(aplic_hw_idc_init(&aplic, 3));
    assert_int_equal(words[0x4040 / 4], 1);
    assert_int_equal(words[0x4048 / 4], 0);
    static const struct {
        unsigned type, mode;
    } modes[] = {{0, 6}, {1, 4}, {2, 5}, {4, 6}, {8, 7}};
    for (unsigned n = 0; n < 5; n++) {
        assert_true(aplic_hw_enable(&aplic, 96, modes[n].type, aplic_hw_target(2, 0, 1)));
        assert_int_equal(words[96], modes[n].mode);
    }
    assert_int_equal(words[0x3000 / 4 + 96], 2u << 18 | 1);
    assert_int_equal(words[0x1edc / 4], 96);
    assert_false(aplic_hw_enable(&aplic, 0, 4, 1));
    assert_false(aplic_hw_enable(&aplic, 97, 4, 1));
    words[0x405c / 4] = 96u << 16 | 1;
    assert_int_equal(aplic_hw_claim(&aplic, 2), 96);
    aplic_hw_mask(&aplic, 96);
    assert_int_equal(words[0x1fdc / 4], 96);
    free(words);
}

static void aplic_msi(void **state)
{
    (void)state;
    uint32_t *words = calloc(1, 0x4000);
    struct aplic_hw aplic;

    assert_non_null(words);
    assert_true(aplic_hw_init(&aplic, words, 0x4000, 96, true));
    assert_int_equal(words[0], 0x104);
    assert_false(aplic_hw_idc_init(&aplic, 0));
    assert_true(aplic_hw_enable(&aplic, 7, 4, aplic_hw_target(3, 2, 40)));
    assert_int_equal(words[0x301c / 4], 3u << 18 | 2u << 12 | 40);
    aplic_hw_retrigger(&aplic, 7);
    assert_int_equal(words[0x1cdc / 4], 7);
    free(words);
}

static void imsic(void **state)
{
    (void)state;
    /* Two sockets of two harts, each hart with a file of its own and three for guests. */
    struct imsic_layout layout = {.range = {{0x28000000, 0x8000}, {0x29000000, 0x8000}},
                                  .ranges = 2,
                                  .guest_bits = 2,
                                  .hart_bits = 1,
                                  .group_bits = 1,
                                  .group_shift = 24,
                                  .ids = 255,
                                  .guest_ids = 63};
    assert_true(imsic_layout_check(&layout));
    assert_int_equal(imsic_file_address(&layout, 0), 0x28000000);
    assert_int_equal(imsic_file_address(&layout, 1), 0x28004000);
    assert_int_equal(imsic_file_address(&layout, 2), 0x29000000);
    assert_int_equal(imsic_file_address(&layout, 3), 0x29004000);
    assert_int_equal(imsic_file_address(&layout, 4), 0);
    assert_int_equal(imsic_file_address(&layout, UINT32_MAX), 0);
    for (unsigned n = 0; n < 4; n++)
        assert_int_equal(imsic_hart_index(&layout, imsic_file_address(&layout, n)), n);
    struct imsic_layout wrong = layout;
    wrong.ids = 64;
    assert_false(imsic_layout_check(&wrong));
    wrong = layout;
    wrong.guest_ids = 4095;
    assert_false(imsic_layout_check(&wrong));
    wrong = layout;
    wrong.ranges = 0;
    assert_false(imsic_layout_check(&wrong));
    wrong = layout;
    wrong.guest_bits = 8;
    assert_false(imsic_layout_check(&wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finding), cmocka_unit_test(ns16550a),     cmocka_unit_test(a_break),
        cmocka_unit_test(xscale),  cmocka_unit_test(sifive),       cmocka_unit_test(sbi),
        cmocka_unit_test(plic),    cmocka_unit_test(aplic_direct), cmocka_unit_test(aplic_msi),
        cmocka_unit_test(imsic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
