/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/dev/ns16550a.c, above all the sequences that Linux's 8250 driver tries a port with. */
#include "tests/unit/unit.h"

#include "lib/dev/ns16550a.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

static struct ns16550a uart;
static char sent[512];
static size_t sent_count;
static bool line;

static size_t owner_room;

static bool send(void *owner, uint8_t byte)
{
    assert_ptr_equal(owner, &uart);
    if (!owner_room)
        return false;
    owner_room--;
    sent[sent_count++ % sizeof(sent)] = (char)byte;
    return true;
}

static bool hurry(void *owner, uint8_t byte)
{
    return send(owner, byte);
}

static size_t room(void *owner)
{
    assert_ptr_equal(owner, &uart);
    return owner_room;
}

static unsigned room_again;

static void taken_again(void *owner)
{
    assert_ptr_equal(owner, &uart);
    room_again++;
}

static void after(void *owner)
{
    assert_ptr_equal(owner, &uart);
    assert_int_equal(uart.lock.next, uart.lock.serving); /* it may call back */
}

static bool line_data, line_empty;
static unsigned emptied;

static void irq(void *owner, bool data, enum ns16550a_empty empty)
{
    assert_ptr_equal(owner, &uart);
    if (empty == NS16550A_EMPTIED) {
        emptied++;
    } else { /* told once */
        assert_true(data != line_data || (empty != NS16550A_FULL) != line_empty);
        assert_true(empty == NS16550A_FULL || line_empty);
    }
    line_data = data;
    line_empty = empty != NS16550A_FULL;
    line = line_data || line_empty;
}

static int setup(void **state)
{
    (void)state;
    memset(&uart, 0, sizeof(uart));
    memset(sent, 0, sizeof(sent));
    sent_count = 0;
    line = line_data = line_empty = false;
    emptied = 0;
    uart.owner = &uart;
    uart.send = send;
    uart.room = room;
    uart.sent = after;
    uart.hurry = hurry;
    uart.taken = taken_again;
    room_again = 0;
    owner_room = SIZE_MAX;
    uart.irq = irq;
    ns16550a_init(&uart);
    return 0;
}

/* Most of these were written for a port whose FIFOs are off. */
static int setup_without_fifo(void **state)
{
    setup(state);
    uart.fcr = 0;
    return 0;
}

static uint8_t rd(uint32_t reg)
{
    uint64_t value = UINT64_MAX;
    assert_true(ns16550a_read(&uart, reg, 1, &value));
    assert_true(value <= 0xff);
    return (uint8_t)value;
}

static void wr(uint32_t reg, uint8_t value)
{
    assert_int_equal(ns16550a_write(&uart, reg, 1, value), NS16550A_DONE);
}

static void reset_state(void **state)
{
    (void)state;
    assert_int_equal(rd(IER), 0);
    assert_int_equal(rd(IIR), 0xc1);
    assert_int_equal(rd(LCR), 0x03);
    assert_int_equal(rd(MCR), 0x00);
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(MSR), 0xb0);
    assert_int_equal(rd(SCR), 0);
    assert_int_equal(rd(DATA), 0);
}

static void scratch_and_divisor(void **state)
{
    (void)state;
    wr(SCR, 0xa5);
    assert_int_equal(rd(SCR), 0xa5);
    wr(IER, 0x05);
    wr(LCR, 0x83);
    wr(DATA, 0x12);
    wr(IER, 0x34);
    assert_int_equal(rd(DATA), 0x12);
    assert_int_equal(rd(IER), 0x34);
    wr(LCR, 0x03);
    assert_int_equal(rd(IER), 0x05);
    assert_int_equal(sent_count, 0);
    wr(IER, 0xff);
    assert_int_equal(rd(IER), 0x0f);
    wr(MCR, 0xff);
    assert_int_equal(rd(MCR), 0x1f);
}

/* The questions that serial8250 asks to find out what it has. */
static void linux_autoconfig(void **state)
{
    (void)state;
    wr(IER, 0);
    assert_int_equal(rd(IER) & 0x0f, 0);
    wr(IER, 0x0f);
    assert_int_equal(rd(IER) & 0x0f, 0x0f);
    wr(IER, 0);
    wr(MCR, 0x1a); /* loop, OUT2, RTS: answered by DCD and CTS */
    assert_int_equal(rd(MSR) & 0xf0, 0x90);
    wr(MCR, 0x08);
    wr(LCR, 0xbf); /* an EFR at offset 2? That is still FCR */
    wr(FCR, 0);
    wr(LCR, 0);
    wr(FCR, 0x01);
    assert_int_equal(rd(IIR) >> 6, 3); /* a 16550A */
    wr(LCR, 0xbf);
    assert_int_not_equal(rd(IIR), 0); /* no EFR */
    wr(LCR, 0xe0);
    assert_int_equal((rd(IIR) ^ 0x08) & 0x10, 0); /* no NatSemi super I/O: MCR.LOOP is not there */
    wr(LCR, 0);
    wr(FCR, 0x21);
    assert_int_equal(rd(IIR) & 0xe0, 0xc0); /* no 16750 */
    wr(IER, 0x40);
    assert_int_equal(rd(IER) & 0x40, 0); /* no XScale */
    wr(IER, 0);
    /* FIFO size: 256 bytes round the loop, and 16 come back. */
    wr(FCR, 0x07);
    wr(MCR, 0x10);
    for (unsigned i = 0; i < 256; i++) {
        wr(DATA, (uint8_t)i);
    }
    unsigned count = 0;
    while (rd(LSR) & 0x01) {
        assert_int_equal(rd(DATA), count++);
    }
    assert_int_equal(count, 16);
    assert_int_equal(sent_count, 0);
}

/* serial8250_do_startup(): the transmitter's interrupt comes each time it is enabled. */
static void linux_thre_test(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        wr(IER, 0x02);
        assert_true(line);
        assert_int_equal(rd(IIR), 0x02);
        assert_false(line);
        assert_int_equal(rd(IIR), 0x01);
        wr(IER, 0);
        assert_int_equal(rd(IIR), 0x01);
    }
    wr(IER, 0x02);
    wr(IER, 0); /* and goes when it is disabled, unread */
    assert_false(line);
}

/* A handler that never reads IIR: one event for each time that the transmitter becomes empty. */
static void empty_is_told_once(void **state)
{
    (void)state;
    wr(IER, 0x03);
    assert_int_equal(emptied, 1);
    rd(LSR);
    rd(MSR);
    wr(MCR, 0x03);
    wr(IER, 0x03); /* it was enabled before */
    assert_int_equal(emptied, 1);
    wr(DATA, 'a');
    wr(DATA, 'b');
    assert_int_equal(emptied, 3);
    ns16550a_receive(&uart, 'x'); /* a change of the other reason is no event */
    assert_true(line_data && line_empty);
    rd(DATA);
    assert_true(!line_data && line_empty);
    assert_int_equal(emptied, 3);
    wr(IER, 0x01);
    assert_false(line);
    wr(IER, 0x03);
    assert_int_equal(emptied, 4);
}

/* The owner's line is slow: the transmitter stays full, and nothing is lost. */
static void owner_has_no_room(void **state)
{
    (void)state;
    owner_room = NS16550A_FIFO + 1;
    wr(IER, 0x02);
    rd(IIR);
    wr(DATA, 'a'); /* there is room for a FIFO's worth yet */
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(IIR), 0xc2);
    wr(DATA, 'b');
    assert_int_equal(rd(LSR), 0x00);
    assert_int_equal(rd(IIR), 0xc1);
    assert_false(line);
    wr(IER, 0x00);
    wr(IER, 0x02); /* not empty: no interrupt */
    assert_int_equal(rd(IIR), 0xc1);
    while (owner_room) /* a driver that found it empty before, or never looks */
        wr(DATA, 'c');
    assert_int_equal(ns16550a_write(&uart, DATA, 1, 'd'), NS16550A_AGAIN);
    assert_int_equal(sent_count, NS16550A_FIFO + 1);
    owner_room = 100; /* not worth a word yet */
    assert_int_equal(rd(LSR), 0x00);
    wr(DATA, 'd');
    assert_int_equal(rd(LSR), 0x00);
    emptied = 0;
    owner_room = 4000;
    ns16550a_ready(&uart);
    assert_int_equal(emptied, 1);
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(IIR), 0xc2);
    ns16550a_ready(&uart); /* nothing new */
    assert_false(line);
    owner_room = 2;
    wr(DATA, 'e');
    assert_int_equal(rd(LSR), 0x00);
    owner_room = 4000; /* nobody says so, as when nobody reads what goes out */
    assert_int_equal(rd(LSR), 0x60);
}

/* What is answered without waiting is what the registers would say; anything odd is not. */
static void plain_cases(void **state)
{
    (void)state;
    assert_int_equal(ns16550a_status_now(&uart), rd(LSR));
    ns16550a_receive(&uart, 'r');
    assert_int_equal(ns16550a_status_now(&uart), rd(LSR));
    assert_true(ns16550a_send_now(&uart, 'a'));
    assert_int_equal(sent_count, 1);
    wr(IER, 0x02);
    assert_false(ns16550a_send_now(&uart, 'b'));
    wr(IER, 0);
    wr(LCR, 0x83);
    assert_false(ns16550a_send_now(&uart, 'b'));
    wr(LCR, 0x03);
    wr(MCR, 0x10);
    assert_false(ns16550a_send_now(&uart, 'b'));
    for (unsigned n = 0; n < 20; n++)
        wr(DATA, 'l'); /* overrun */
    assert_int_equal(ns16550a_status_now(&uart), -1);
    rd(LSR);
    wr(MCR, 0);
    lock_take(&uart.lock);
    assert_false(ns16550a_send_now(&uart, 'b'));
    lock_release(&uart.lock);
    owner_room = 0;
    assert_false(ns16550a_send_now(&uart, 'b'));
    ns16550a_write(&uart, DATA, 1, 'b');
    assert_int_equal(ns16550a_status_now(&uart), -1); /* full */
    owner_room = 4000;
    assert_false(ns16550a_send_now(&uart, 'b')); /* not before it is known to have room */
    rd(LSR);
    assert_true(ns16550a_send_now(&uart, 'b'));
    assert_int_equal(sent_count, 2);
}

static void transmit(void **state)
{
    (void)state;
    wr(FCR, 0x01);
    wr(IER, 0x02);
    assert_int_equal(rd(IIR), 0xc2);
    assert_false(line);
    for (const char *c = "hello"; *c; c++) {
        assert_int_equal(rd(LSR), 0x60);
        wr(DATA, (uint8_t)*c);
        assert_true(line);
    }
    assert_string_equal(sent, "hello");
    assert_int_equal(rd(IIR), 0xc2);
    assert_false(line);
}

/* Without OUT2 too: on a memory-mapped port it gates nothing. */
static void receive_without_fifo(void **state)
{
    (void)state;
    wr(MCR, 0);
    wr(IER, 0x01);
    assert_true(ns16550a_receive(&uart, 'a'));
    assert_true(ns16550a_receive(&uart, 'b')); /* waits its turn, no overrun */
    assert_true(line);
    assert_int_equal(rd(IIR), 0x04);
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(DATA), 'a');
    assert_true(line);
    assert_int_equal(rd(DATA), 'b');
    assert_false(line);
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(DATA), 'b'); /* the register keeps its last byte */
}

static void receive_with_fifo(void **state)
{
    (void)state;
    wr(FCR, 0x81); /* trigger at 8 */
    wr(IER, 0x01);
    for (unsigned i = 0; i < 7; i++) {
        ns16550a_receive(&uart, (uint8_t)i);
        assert_int_equal(rd(IIR), 0xcc); /* fewer than the trigger: timeout */
    }
    assert_true(line);
    ns16550a_receive(&uart, 7);
    assert_int_equal(rd(IIR), 0xc4);
    assert_int_equal(rd(DATA), 0);
    assert_int_equal(rd(IIR), 0xcc);
    for (unsigned i = 1; i < 8; i++) {
        assert_true(line);
        assert_int_equal(rd(DATA), i);
    }
    assert_false(line);
    assert_int_equal(rd(IIR), 0xc1);
    assert_int_equal(rd(DATA), 0);
}

static void typed_ahead(void **state)
{
    (void)state;
    wr(FCR, 0x01);
    unsigned taken = 0;
    while (ns16550a_receive(&uart, (uint8_t)taken)) {
        taken++;
        assert_true(taken < 10000);
    }
    assert_int_equal(room_again, 0);
    assert_int_equal(taken, NS16550A_FIFO + NS16550A_BACKLOG);
    for (unsigned round = 0; round < 6000; round++) { /* more than once round the ring */
        assert_int_equal(rd(LSR), 0x61);
        assert_int_equal(rd(DATA), (uint8_t)round);
        assert_true(ns16550a_receive(&uart, (uint8_t)(taken + round)));
    }
    assert_int_equal(room_again, 0);
    while (rd(LSR) & 1) {
        rd(DATA);
    }
    assert_int_equal(room_again, 1); /* whoever was refused is told, once */
}

static void fifo_reset(void **state)
{
    (void)state;
    wr(FCR, 0x01);
    for (unsigned i = 0; i < 20; i++) {
        ns16550a_receive(&uart, (uint8_t)i);
    }
    wr(FCR, 0x03); /* empties the 16; what flow control held back comes after them */
    assert_int_equal(rd(DATA), 16);
    wr(FCR, 0x00); /* switching off empties too */
    assert_int_equal(rd(LSR), 0x60);
    assert_int_equal(rd(IIR), 0x01);
}

/* Shown when its byte is on top, neither earlier nor later, in its place among the bytes. */
static void a_break(void **state)
{
    (void)state;
    wr(FCR, 0x01);
    wr(IER, 0x05);
    ns16550a_receive(&uart, 'a');
    ns16550a_receive(&uart, NS16550A_BREAK);
    ns16550a_receive(&uart, 'b');
    ns16550a_receive(&uart, NS16550A_BREAK);
    assert_int_equal(ns16550a_status_now(&uart), 0x61);
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(DATA), 'a');
    for (unsigned n = 0; n < 2; n++) {
        assert_true(line);
        assert_int_equal(rd(IIR), 0xc6); /* receiver line status */
        assert_int_equal(ns16550a_status_now(&uart), -1);
        assert_int_equal(rd(LSR), 0xf9); /* an error in the FIFO, BI, FE, and data */
        assert_int_equal(rd(LSR), 0x61); /* reading it clears them */
        assert_int_equal(rd(IIR), 0xc4);
        assert_int_equal(rd(DATA), 0);
        if (!n) {
            assert_int_equal(rd(LSR), 0x61);
            assert_int_equal(rd(DATA), 'b');
        }
    }
    assert_int_equal(rd(LSR), 0x60);
    assert_false(line);
    ns16550a_receive(&uart, 0); /* a zero byte is none */
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(DATA), 0);
}

/* A zero byte has the wrong parity where the bit should be one. No bit 7 without FIFO. */
static void a_break_with_parity(void **state)
{
    (void)state;
    static const struct {
        uint8_t lcr, lsr;
    } modes[] = {{0x03, 0x79}, {0x0b, 0x7d}, {0x1b, 0x79}, {0x2b, 0x7d}, {0x3b, 0x79}};
    for (unsigned n = 0; n < 5; n++) {
        wr(LCR, modes[n].lcr);
        ns16550a_receive(&uart, NS16550A_BREAK);
        assert_int_equal(rd(LSR), modes[n].lsr);
        assert_int_equal(rd(DATA), 0);
    }
    ns16550a_receive(&uart, NS16550A_BREAK);
    wr(FCR, 0x03); /* emptied: the error goes with its byte */
    assert_int_equal(rd(LSR), 0x60);
}

static void loopback(void **state)
{
    (void)state;
    static const struct {
        uint8_t mcr, msr;
    } wires[] = {{0x10, 0}, {0x11, 0x20}, {0x12, 0x10}, {0x14, 0x40}, {0x18, 0x80}, {0x1f, 0xf0}};
    for (size_t i = 0; i < 6; i++) {
        wr(MCR, wires[i].mcr);
        assert_int_equal(rd(MSR), wires[i].msr);
    }
    wr(IER, 0x01);
    ns16550a_receive(&uart, 'x'); /* the outside is cut off */
    assert_int_equal(rd(LSR), 0x60);
    wr(DATA, 'a');
    assert_true(line);
    wr(DATA, 'b'); /* overrun: without FIFO the new byte wins */
    wr(IER, 0x05);
    assert_int_equal(rd(IIR), 0x06);
    assert_int_equal(rd(LSR), 0x63);
    assert_int_equal(rd(LSR), 0x61);
    assert_int_equal(rd(IIR), 0x04);
    assert_int_equal(rd(DATA), 'b');
    assert_false(line);
    wr(MCR, 0x08);
    assert_true(line);
    assert_int_equal(rd(DATA), 'x');
    assert_int_equal(sent_count, 0);
}

static void interrupt_order(void **state)
{
    (void)state;
    wr(FCR, 0x01);
    wr(MCR, 0x18);
    for (unsigned i = 0; i < 17; i++) {
        wr(DATA, (uint8_t)i);
    }
    wr(IER, 0x0f);
    assert_int_equal(rd(IIR), 0xc6);
    rd(LSR);
    assert_int_equal(rd(IIR), 0xc4);
    while (rd(LSR) & 1) {
        rd(DATA);
    }
    assert_true(line);
    assert_int_equal(rd(IIR), 0xc2);
    assert_int_equal(rd(IIR), 0xc1);
    assert_false(line);
}

static void widths_and_offsets(void **state)
{
    (void)state;
    uint64_t value;
    for (unsigned width = 1; width <= 8; width *= 2) {
        assert_true(ns16550a_read(&uart, LSR, width, &value));
        assert_int_equal(value, 0x60);
        assert_int_equal(ns16550a_write(&uart, SCR, width, 0xffffff00 | width), NS16550A_DONE);
        assert_int_equal(rd(SCR), width);
    }
    static const unsigned bad[] = {0, 3, 16, 0xffffffff};
    for (size_t i = 0; i < 4; i++) {
        assert_false(ns16550a_read(&uart, LSR, bad[i], &value));
        assert_int_equal(ns16550a_write(&uart, SCR, bad[i], 0), NS16550A_NONE);
    }
    assert_false(ns16550a_read(&uart, 8, 1, &value));
    assert_int_equal(ns16550a_write(&uart, 8, 1, 0), NS16550A_NONE);
    assert_false(ns16550a_read(&uart, 0xffffffff, 1, &value));
}

static void noise(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t bits = unit_random(&seed);
        if (bits & 0x100) {
            wr(bits & 7, (uint8_t)(bits >> 16));
        } else {
            rd(bits & 7);
        }
        if ((bits & 0x600) == 0) {
            ns16550a_receive(&uart, bits & 0x3800 ? (uint8_t)(bits >> 24) : NS16550A_BREAK);
        }
        assert_true(uart.fifo_count <= NS16550A_FIFO && uart.rx_count <= NS16550A_BACKLOG);
    }
    assert_int_equal(uart.line_data, line_data);
    assert_int_equal(uart.line_empty, line_empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_state, setup),
        cmocka_unit_test_setup(scratch_and_divisor, setup),
        cmocka_unit_test_setup(linux_autoconfig, setup),
        cmocka_unit_test_setup(linux_thre_test, setup_without_fifo),
        cmocka_unit_test_setup(empty_is_told_once, setup),
        cmocka_unit_test_setup(owner_has_no_room, setup),
        cmocka_unit_test_setup(plain_cases, setup),
        cmocka_unit_test_setup(transmit, setup),
        cmocka_unit_test_setup(receive_without_fifo, setup_without_fifo),
        cmocka_unit_test_setup(receive_with_fifo, setup),
        cmocka_unit_test_setup(typed_ahead, setup),
        cmocka_unit_test_setup(fifo_reset, setup),
        cmocka_unit_test_setup(a_break, setup),
        cmocka_unit_test_setup(a_break_with_parity, setup_without_fifo),
        cmocka_unit_test_setup(loopback, setup_without_fifo),
        cmocka_unit_test_setup(interrupt_order, setup),
        cmocka_unit_test_setup(widths_and_offsets, setup_without_fifo),
        cmocka_unit_test_setup(noise, setup),
    };
    return cmocka_run_group_tests_name("ns16550a", tests, NULL, NULL);
}
