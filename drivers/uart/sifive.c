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
#define TXCTRL_WATERMARK (7u << 16) /* interrupt when fewer bytes than this wait */
#define TXCTRL_EMPTY (1u << 16)
#define IE_TX 1u
#define IE_RX 2u

static volatile uint8_t *reg_at(const struct uart *uart, unsigned offset)
{
    return (volatile uint8_t *)uart->base + offset;
}

static bool sifive_init(struct uart *uart)
{
    mmio_write32(reg_at(uart, REG_IE), 0);
    uint32_t tx = mmio_read32(reg_at(uart, REG_TXCTRL)) & ~TXCTRL_WATERMARK;
    mmio_write32(reg_at(uart, REG_TXCTRL), tx | TXCTRL_EMPTY | CTRL_ENABLE);
    uint32_t rx = mmio_read32(reg_at(uart, REG_RXCTRL)) & ~RXCTRL_WATERMARK;
    mmio_write32(reg_at(uart, REG_RXCTRL), rx | CTRL_ENABLE);
    return true;
}

static unsigned sifive_room(struct uart *uart)
{
    return mmio_read32(reg_at(uart, REG_TXDATA)) & DATA_BUSY ? 0 : 1;
}

static void sifive_send(struct uart *uart, uint8_t byte)
{
    mmio_write32(reg_at(uart, REG_TXDATA), byte);
}

static int sifive_get(struct uart *uart)
{
    /* One read tells whether there is a byte and takes it. */
    uint32_t data = mmio_read32(reg_at(uart, REG_RXDATA));
    return data & DATA_BUSY ? -1 : (int)(data & 0xff);
}

static bool sifive_interrupt(struct uart *uart, bool received, bool empty)
{
    mmio_write32(reg_at(uart, REG_IE), (received ? IE_RX : 0) | (empty ? IE_TX : 0));
    return true;
}

static const char *const sifive_names[] = {"sifive,uart0", NULL};

const struct uart_driver uart_sifive = {
    .name = "sifive",
    .compatible = sifive_names,
    .init = sifive_init,
    .room = sifive_room,
    .send = sifive_send,
    .get = sifive_get,
    .interrupt = sifive_interrupt,
};
