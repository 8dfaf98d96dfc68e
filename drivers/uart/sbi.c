/* SPDX-License-Identifier: BSD-2-Clause */
/* The console that firmware offers. Source: RISC-V SBI specification 2.0, chapters "Debug Console
 * Extension" and "Legacy Extensions". There is no interrupt: input is polled. */
#include "drivers/uart/uart.h"

#define DBCN_READ 1
#define DBCN_WRITE_BYTE 2
#define BASE_PROBE 3

static bool probe(const struct uart *uart, uint64_t extension)
{
    struct sbi_ret ret = uart->sbi(SBI_EXT_BASE, BASE_PROBE, extension, 0, 0);
    return ret.error == SBI_SUCCESS && ret.value != 0;
}

static bool sbi_init(struct uart *uart)
{
    if (!uart->sbi)
        return false;
    uart->sbi_dbcn = probe(uart, SBI_EXT_DBCN);
    return uart->sbi_dbcn || probe(uart, SBI_EXT_LEGACY_PUTCHAR);
}

static unsigned sbi_room(struct uart *uart)
{
    (void)uart;
    return 1;
}

static void sbi_send(struct uart *uart, uint8_t byte)
{
    if (uart->sbi_dbcn)
        uart->sbi(SBI_EXT_DBCN, DBCN_WRITE_BYTE, byte, 0, 0);
    else
        uart->sbi(SBI_EXT_LEGACY_PUTCHAR, 0, byte, 0, 0);
}

static int sbi_get(struct uart *uart)
{
    if (uart->sbi_dbcn && uart->sbi_byte_pa) {
        /* The address is two XLEN-wide halves; a 64-bit hart's upper half is zero. */
        struct sbi_ret ret = uart->sbi(SBI_EXT_DBCN, DBCN_READ, 1, uart->sbi_byte_pa, 0);
        return ret.error == SBI_SUCCESS && ret.value == 1 ? uart->sbi_byte : -1;
    }
    /* The legacy call answers in a0 alone. OpenSBI says -1 for nothing, RustSBI says 0. */
    int64_t byte = uart->sbi(SBI_EXT_LEGACY_GETCHAR, 0, 0, 0, 0).error;
    return byte > 0 && byte <= 0xff ? (int)byte : -1;
}

static bool sbi_interrupt(struct uart *uart, bool received, bool empty)
{
    (void)uart;
    (void)received;
    (void)empty;
    return false;
}

const struct uart_driver uart_sbi = {
    .name = "sbi",
    .init = sbi_init,
    .room = sbi_room,
    .send = sbi_send,
    .get = sbi_get,
    .interrupt = sbi_interrupt,
    .blocks = true,
};
