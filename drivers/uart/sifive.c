/* SPDX-License-Identifier: BSD-2-Clause */
/* SiFive's serial port. Source: SiFive FU540-C000 manual, chapter 13 "Universal Asynchronous
 * Receiver/Transmitter (UART)". All registers are 32 bits wide. */
#include "drivers/mmio.h"
#include "drivers/uart/uart.h"

#define REG_TXDATA 0x00
#define REG_RXDATA 0x04
#define REG_TXCTRL 0x08
#define REG_RXCTRL 0x0c
#define REG_IE 0x10

#define DATA_BUSY (1u << 31) /* txdata: full; rxdata: empty */
#define CTRL_ENABLE 1u
#define RXCTRL_WATERMARK (7u << 16) /* interrupt when more bytes than this wait: 0 */
#define IE_RX 2u

static volatile uint8_t *reg_at(const struct uart *uart, unsigned offset)
{
    return (volatile uint8_t *)uart->base + offset;
}

static bool sifive_init(struct uart *uart)
{
    mmio_write32(reg_at(uart, REG_IE), 0);
    mmio_write32(reg_at(uart, REG_TXCTRL), mmio_read32(reg_at(uart, REG_TXCTRL)) | CTRL_ENABLE);
    uint32_t rx = mmio_read32(reg_at(uart, REG_RXCTRL)) & ~RXCTRL_WATERMARK;
    mmio_write32(reg_at(uart, REG_RXCTRL), rx | CTRL_ENABLE);
    return true;
}

static void sifive_put(struct uart *uart, uint8_t byte)
{
    unsigned left = uart->stuck ? 1 : UART_PATIENCE;

    while (mmio_read32(reg_at(uart, REG_TXDATA)) & DATA_BUSY) {
        if (--left == 0) {
            uart->stuck = true;
            return;
        }
    }
    uart->stuck = false;
    mmio_write32(reg_at(uart, REG_TXDATA), byte);
}

static int sifive_get(struct uart *uart)
{
    /* One read tells whether there is a byte and takes it. */
    uint32_t data = mmio_read32(reg_at(uart, REG_RXDATA));
    return data & DATA_BUSY ? -1 : (int)(data & 0xff);
}

static bool sifive_enable_rx_irq(struct uart *uart)
{
    mmio_write32(reg_at(uart, REG_IE), IE_RX);
    return true;
}

static const char *const sifive_names[] = {"sifive,uart0", NULL};

const struct uart_driver uart_sifive = {
    .name = "sifive",
    .compatible = sifive_names,
    .init = sifive_init,
    .put = sifive_put,
    .get = sifive_get,
    .enable_rx_irq = sifive_enable_rx_irq,
};
