/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port: accesses, what is typed, an owner that has room or not, state items. */
#include "tests/fuzz/fuzz.h"

#include "lib/dev/ns16550a.h"

static struct ns16550a uart;
static size_t owner_room;
static unsigned floods;

static bool send(void *owner, uint8_t byte)
{
    REQUIRE(owner == &uart);
    (void)byte;
    if (!owner_room)
        return false;
    owner_room--;
    return true;
}

static size_t room(void *owner)
{
    REQUIRE(owner == &uart);
    return owner_room;
}

static void unlocked(void *owner)
{
    REQUIRE(owner == &uart && uart.lock.next == uart.lock.serving);
}

static void taken(void *owner)
{
    REQUIRE(owner == &uart);
}

static void irq(void *owner, bool data, enum ns16550a_empty empty)
{
    REQUIRE(owner == &uart && empty <= NS16550A_EMPTIED);
    (void)data;
}

/* A few keys as a rule; in each input some times as many as fit, and more. */
static void type(unsigned count, uint16_t key)
{
    count %= floods ? NS16550A_BACKLOG + 40 : 40;
    floods -= floods && count > 40;
    for (; count; count--)
        ns16550a_receive(&uart, key ? key : (uint16_t)(count & 0xff));
}

static void step(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1), reg = what >> 4 & 7;
    uint64_t value = UINT64_MAX;
    uint8_t byte;
    switch (what & 15) {
    case 0:
    case 1:
    case 2:
        if (ns16550a_read(&uart, reg, 1, &value))
            REQUIRE(value <= 0xff);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        ns16550a_write(&uart, reg, 1, input_number(in, 1));
        break;
    case 7:
        type((unsigned)input_number(in, 2), what & 0x80 ? NS16550A_BREAK : 0);
        break;
    case 8:
        owner_room = what >> 4;
        ns16550a_ready(&uart);
        break;
    case 9:
        ns16550a_take(&uart, &byte);
        break;
    case 10:
        ns16550a_freeze(&uart, what & 0x80);
        break;
    case 11:
        ns16550a_send_now(&uart, (uint8_t)what);
        break;
    case 12:
        REQUIRE(ns16550a_status_now(&uart) <= 0xff);
        break;
    case 13: {
        uint32_t at = (uint32_t)input_number(in, 2);
        if (ns16550a_read(&uart, at, 1U << (what >> 4 & 3), &value))
            ns16550a_write(&uart, at, 1U << (what >> 4 & 3), input_number(in, 8));
        break;
    }
    default: {
        uint32_t index = (uint32_t)input_number(in, what & 0x80 ? 4 : 2);
        if (!ns16550a_get(&uart, index, &value) && what & 0x10)
            ns16550a_set(&uart, index, value);
        else
            ns16550a_set(&uart, index, input_number(in, what & 0x20 ? 8 : 1));
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    memset(&uart, 0, sizeof(uart));
    uart.owner = &uart;
    uart.send = uart.hurry = send;
    uart.room = room;
    uart.sent = unlocked;
    uart.taken = taken;
    uart.irq = irq;
    owner_room = 3;
    floods = 3;
    ns16550a_init(&uart);
    while (in.left) {
        step(&in);
        REQUIRE(uart.lock.next == uart.lock.serving);
        REQUIRE(uart.fifo_count <= NS16550A_FIFO && uart.fifo_head < NS16550A_FIFO);
        REQUIRE(uart.rx_count <= NS16550A_BACKLOG && uart.rx_head < NS16550A_BACKLOG);
    }
    return 0;
}
