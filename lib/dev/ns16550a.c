/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/dev/ns16550a.h"

#include <string.h>

/* Registers, data sheet table "Summary of Registers". */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR, REG_COUNT };

#define IER_RDI 0x01  /* received data */
#define IER_THRI 0x02 /* transmitter holding register empty */
#define IER_RLSI 0x04 /* receiver line status */
#define IER_MASK 0x0f

#define IIR_NONE 0x01
#define IIR_THRE 0x02
#define IIR_RX 0x04
#define IIR_LINE 0x06
#define IIR_TIMEOUT 0x0c
#define IIR_FIFO 0xc0

#define FCR_ENABLE 0x01
#define FCR_RESET_RX 0x02
#define FCR_RESET_TX 0x04
#define FCR_KEPT 0xc9 /* the reset bits clear themselves */
#define FCR_TRIGGER_SHIFT 6

#define LCR_8N1 0x03
#define LCR_PARITY 0x08
#define LCR_EVEN 0x10
#define LCR_DLAB 0x80

#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

/* A guest that finds the transmitter empty may send a FIFO's worth. Once told that it is not, it is
 * told so until there is room for a while. */
#define ROOM_FEW NS16550A_FIFO
#define ROOM_AGAIN 1024

#define LSR_DR 0x01
#define LSR_OE 0x02
#define LSR_PE 0x04
#define LSR_FE 0x08
#define LSR_BI 0x10
#define LSR_THRE 0x20
#define LSR_TEMT 0x40
#define LSR_FIFO_ERROR 0x80 /* one of PE, FE, BI in the FIFO */

#define MSR_CTS 0x10
#define MSR_DSR 0x20
#define MSR_RI 0x40
#define MSR_DCD 0x80

/* Bytes that the receiver holds before it overruns: one without FIFO. */
static unsigned capacity(const struct ns16550a *uart)
{
    return uart->fcr & FCR_ENABLE ? NS16550A_FIFO : 1;
}

/* A byte waits, or something was wrong with one, and the guest wants to know. */
static bool data_asks(const struct ns16550a *uart)
{
    return (uart->ier & IER_RLSI && uart->lsr_errors) ||
           (uart->ier & IER_RDI && uart->fifo_count > 0);
}

static bool empty_asks(const struct ns16550a *uart)
{
    return uart->ier & IER_THRI && uart->thre_pending;
}

/*
 * The interrupt that IIR names, highest priority first (data sheet table "Interrupt Control
 * Functions"). With fewer bytes than the trigger level the data sheet waits for four character
 * times; here that time is over at once, since nobody would be better off for the wait. Modem
 * status never changes, so its interrupt never comes.
 */
static uint8_t interrupt(const struct ns16550a *uart)
{
    static const uint8_t trigger[] = {1, 4, 8, 14};
    if (uart->ier & IER_RLSI && uart->lsr_errors) {
        return IIR_LINE;
    }
    if (uart->ier & IER_RDI && uart->fifo_count > 0) {
        bool few =
            uart->fcr & FCR_ENABLE && uart->fifo_count < trigger[uart->fcr >> FCR_TRIGGER_SHIFT];
        return few ? IIR_TIMEOUT : IIR_RX;
    }
    if (uart->ier & IER_THRI && uart->thre_pending) {
        return IIR_THRE;
    }
    return IIR_NONE;
}

/*
 * Tells the owner what the interrupt wire shows, if that has changed. `anew`: the transmitter has
 * just become empty, or its interrupt was just enabled. OUT2 switches the wire on a PC; on a
 * memory-mapped port it goes straight through.
 */
static void update_line(struct ns16550a *uart, bool anew)
{
    bool data = data_asks(uart), empty = empty_asks(uart);
    if (data == uart->line_data && empty == uart->line_empty && !(anew && empty)) {
        return;
    }
    enum ns16550a_empty what = NS16550A_FULL;
    if (empty) {
        what = anew || !uart->line_empty ? NS16550A_EMPTIED : NS16550A_EMPTY;
    }
    uart->line_data = data;
    uart->line_empty = empty;
    uart->irq(uart->owner, data, what);
}

static void fifo_put(struct ns16550a *uart, uint8_t byte)
{
    if (uart->fifo_count < capacity(uart)) {
        uart->fifo[(uart->fifo_head + uart->fifo_count++) % NS16550A_FIFO] = byte;
        return;
    }
    /* A full FIFO loses the new byte; without FIFO the new one takes the old one's place. */
    uart->lsr_errors |= LSR_OE;
    if (!(uart->fcr & FCR_ENABLE)) {
        uart->fifo[uart->fifo_head] = byte;
    }
}

static uint8_t fifo_get(struct ns16550a *uart)
{
    /* Reading an empty receiver gives its last byte without FIFO, and zero with it. */
    uint8_t byte = uart->fifo[uart->fifo_head];
    if (uart->fifo_count == 0) {
        return uart->fcr & FCR_ENABLE ? 0 : byte;
    }
    if (uart->fcr & FCR_ENABLE) {
        uart->fifo_head = (uart->fifo_head + 1) % NS16550A_FIFO;
    }
    uart->fifo_count--;
    return byte;
}

/*
 * A break is one zero byte, without the stop bit that it should have, and without the parity bit
 * where that should be one: with odd parity, or stuck at one (data sheet, "Line Control Register").
 * The errors are there before the byte is: ns16550a_status_now().
 */
static void put_break(struct ns16550a *uart)
{
    bool parity = (uart->lcr & (LCR_PARITY | LCR_EVEN)) == LCR_PARITY;
    uint8_t errors = uart->lsr_errors | LSR_BI | LSR_FE | (parity ? LSR_PE : 0);
    __atomic_store_n(&uart->lsr_errors, errors, __ATOMIC_RELAXED);
    atomic_thread_fence(memory_order_release);
    fifo_put(uart, 0);
}

/* Errors are shown when their byte is on top: a break waits until it would be. */
static bool may_enter(const struct ns16550a *uart, uint16_t next)
{
    return uart->fifo_count < (next == NS16550A_BREAK ? 1 : capacity(uart));
}

/* Lets in what was typed ahead, as flow control would. In loopback the outside is cut off. */
static void refill(struct ns16550a *uart)
{
    while (uart->rx_count > 0 && may_enter(uart, uart->rx[uart->rx_head]) &&
           !(uart->mcr & MCR_LOOP)) {
        uint16_t next = uart->rx[uart->rx_head];
        if (next == NS16550A_BREAK)
            put_break(uart);
        else
            fifo_put(uart, (uint8_t)next);
        uart->rx_head = (uart->rx_head + 1) % NS16550A_BACKLOG;
        uart->rx_count--;
    }
    if (uart->rx_refused && uart->rx_count <= NS16550A_BACKLOG / 2) {
        uart->rx_refused = false;
        uart->taken(uart->owner);
    }
}

/* As firmware leaves the port of QEMU's virt: 8 bits, no parity, FIFOs on, 115,200 baud of the
 * 3.6864 MHz that the guest's tree names; no modem output is set. */
void ns16550a_init(struct ns16550a *uart)
{
    uart->ier = uart->mcr = uart->scr = uart->lsr_errors = 0;
    uart->lcr = LCR_8N1;
    uart->fcr = FCR_ENABLE;
    uart->dll = 2;
    uart->dlm = 0;
    uart->thre_pending = uart->line_data = uart->line_empty = false;
    atomic_store(&uart->full, false);
    uart->fifo_head = uart->fifo_count = 0;
    uart->rx_head = uart->rx_count = 0;
    if (uart->rx_refused) {
        uart->rx_refused = false;
        uart->taken(uart->owner);
    }
    memset(uart->fifo, 0, sizeof(uart->fifo));
}

static uint8_t read_iir(struct ns16550a *uart)
{
    uint8_t id = interrupt(uart);
    if (id == IIR_THRE) {
        uart->thre_pending = false; /* telling it acknowledges it */
    }
    return id | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

/* The owner looks at `full` after it has made room, and we for room after we have set `full`: one
 * of the two sees the other. */
static void look_for_room(struct ns16550a *uart)
{
    if (uart->room(uart->owner) >= ROOM_FEW)
        return;
    atomic_store(&uart->full, true);
    if (uart->room(uart->owner) >= ROOM_AGAIN)
        atomic_store(&uart->full, false);
}

static bool is_full(struct ns16550a *uart)
{
    if (!atomic_load(&uart->full))
        return false;
    if (uart->room(uart->owner) < ROOM_AGAIN)
        return true;
    atomic_store(&uart->full, false); /* whoever has room for it says nothing if nobody reads */
    return false;
}

static uint8_t read_lsr(struct ns16550a *uart)
{
    uint8_t lsr = uart->lsr_errors | (uart->fifo_count > 0 ? LSR_DR : 0);
    if (!is_full(uart)) {
        lsr |= LSR_THRE | LSR_TEMT;
    }
    if (uart->fcr & FCR_ENABLE && uart->lsr_errors & (LSR_PE | LSR_FE | LSR_BI)) {
        lsr |= LSR_FIFO_ERROR; /* no byte behind the top has errors: refill() */
    }
    uart->lsr_errors = 0;
    return lsr;
}

/* In loopback the four outputs are wired to the inputs (data sheet, "Modem Control Register"). */
static uint8_t read_msr(const struct ns16550a *uart)
{
    uint8_t mcr = uart->mcr;
    if (!(mcr & MCR_LOOP)) {
        return MSR_CTS | MSR_DSR | MSR_DCD;
    }
    return (mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) |
           (mcr & MCR_OUT1 ? MSR_RI : 0) | (mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t read_register(struct ns16550a *uart, uint32_t reg)
{
    bool divisor = uart->lcr & LCR_DLAB;
    uint8_t byte = 0;
    switch (reg) {
    case REG_DATA:
        if (divisor) {
            return uart->dll;
        }
        byte = fifo_get(uart);
        refill(uart);
        break;
    case REG_IER:
        return divisor ? uart->dlm : uart->ier;
    case REG_IIR_FCR:
        byte = read_iir(uart);
        break;
    case REG_LCR:
        return uart->lcr;
    case REG_MCR:
        return uart->mcr;
    case REG_LSR:
        byte = read_lsr(uart);
        break;
    case REG_MSR:
        return read_msr(uart);
    case REG_SCR:
        return uart->scr;
    }
    update_line(uart, false);
    return byte;
}

static void write_ier(struct ns16550a *uart, uint8_t value)
{
    /* Enabling the transmitter's interrupt while the transmitter is empty asks for it anew, even if
     * IIR was read before. Drivers start to send that way, though the data sheet doesn't say so. */
    if ((uart->ier ^ value) & IER_THRI) {
        uart->thre_pending = value & IER_THRI && !is_full(uart);
    }
    uart->ier = value & IER_MASK;
}

static void write_fcr(struct ns16550a *uart, uint8_t value)
{
    /* Switching the FIFOs on or off empties them. */
    if ((uart->fcr ^ value) & FCR_ENABLE) {
        value |= FCR_RESET_RX | FCR_RESET_TX;
    }
    if (value & FCR_RESET_RX) {
        uart->fifo_head = uart->fifo_count = 0;
        uart->lsr_errors &= LSR_OE; /* the others were those of a byte that is gone */
    }
    if (value & FCR_RESET_TX) {
        uart->thre_pending = !is_full(uart);
    }
    uart->fcr = value & FCR_KEPT;
    refill(uart);
}

enum written { WRITTEN, SENT, REFUSED };

static enum written write_register(struct ns16550a *uart, uint32_t reg, uint8_t value)
{
    bool divisor = uart->lcr & LCR_DLAB, anew = false;
    enum written done = WRITTEN;
    switch (reg) {
    case REG_DATA:
        if (divisor) {
            uart->dll = value;
            return WRITTEN;
        }
        if (uart->mcr & MCR_LOOP) {
            fifo_put(uart, value);
        } else if (uart->send(uart->owner, value)) {
            done = SENT;
            look_for_room(uart);
        } else {
            atomic_store(&uart->full, true);
            return REFUSED;
        }
        /* It is out, and the transmitter is empty again. */
        uart->thre_pending = anew = !atomic_load(&uart->full);
        break;
    case REG_IER:
        if (divisor) {
            uart->dlm = value;
            return WRITTEN;
        }
        write_ier(uart, value);
        break;
    case REG_IIR_FCR:
        write_fcr(uart, value);
        break;
    case REG_LCR:
        uart->lcr = value;
        return WRITTEN;
    case REG_MCR:
        uart->mcr = value & MCR_MASK;
        refill(uart);
        break;
    case REG_SCR:
        uart->scr = value;
        return WRITTEN;
    default: /* line and modem status are read-only */
        return WRITTEN;
    }
    update_line(uart, anew);
    return done;
}

static bool valid(uint32_t offset, unsigned width)
{
    return offset < REG_COUNT && (width == 1 || width == 2 || width == 4 || width == 8);
}

bool ns16550a_read(struct ns16550a *uart, uint32_t offset, unsigned width, uint64_t *value)
{
    if (!valid(offset, width)) {
        return false;
    }
    lock_take(&uart->lock);
    *value = read_register(uart, offset);
    lock_release(&uart->lock);
    return true;
}

enum ns16550a_answer ns16550a_write(struct ns16550a *uart, uint32_t offset, unsigned width,
                                    uint64_t value)
{
    if (!valid(offset, width)) {
        return NS16550A_NONE;
    }
    lock_take(&uart->lock);
    enum written done = write_register(uart, offset, (uint8_t)value);
    lock_release(&uart->lock);
    /* Without the lock: the console may be just about to give us a byte. */
    if (done != WRITTEN) {
        uart->sent(uart->owner);
    }
    return done == REFUSED ? NS16550A_AGAIN : NS16550A_DONE;
}

int ns16550a_status_now(struct ns16550a *uart)
{
    /* First the byte, then its errors; put_break() has it the other way round. */
    bool data = __atomic_load_n(&uart->fifo_count, __ATOMIC_ACQUIRE) != 0;
    if (__atomic_load_n(&uart->lsr_errors, __ATOMIC_RELAXED) ||
        atomic_load_explicit(&uart->full, memory_order_relaxed)) {
        return -1;
    }
    return LSR_THRE | LSR_TEMT | (data ? LSR_DR : 0);
}

bool ns16550a_send_now(struct ns16550a *uart, uint8_t byte)
{
    if (!lock_try(&uart->lock)) {
        return false;
    }
    bool plain = !((uart->lcr & LCR_DLAB) | (uart->mcr & MCR_LOOP) | (uart->ier & IER_THRI)) &&
                 !atomic_load_explicit(&uart->full, memory_order_relaxed);
    bool done = plain && uart->hurry(uart->owner, byte);
    if (done) {
        uart->thre_pending = true;
    }
    lock_release(&uart->lock);
    return done;
}

void ns16550a_ready(struct ns16550a *uart)
{
    lock_take(&uart->lock);
    if (uart->frozen) {
        uart->ready = true;
    } else if (atomic_exchange(&uart->full, false)) {
        uart->thre_pending = true;
        update_line(uart, true);
    }
    lock_release(&uart->lock);
}

bool ns16550a_receive(struct ns16550a *uart, uint16_t byte)
{
    lock_take(&uart->lock);
    bool room = uart->rx_count < NS16550A_BACKLOG && !uart->frozen;
    if (room) {
        uart->rx[(uart->rx_head + uart->rx_count++) % NS16550A_BACKLOG] = byte;
        refill(uart);
        update_line(uart, false);
    }
    uart->rx_refused |= !room;
    lock_release(&uart->lock);
    return room;
}

void ns16550a_freeze(struct ns16550a *uart, bool frozen)
{
    lock_take(&uart->lock);
    bool ready = !frozen && uart->ready;
    uart->frozen = frozen;
    uart->ready = false;
    if (!frozen && uart->rx_refused && uart->rx_count <= NS16550A_BACKLOG / 2) {
        uart->rx_refused = false;
        uart->taken(uart->owner);
    }
    lock_release(&uart->lock);
    if (ready)
        ns16550a_ready(uart);
}

bool ns16550a_take(struct ns16550a *uart, uint8_t *byte)
{
    lock_take(&uart->lock);
    bool there = uart->fifo_count != 0;
    if (there) {
        *byte = fifo_get(uart);
        refill(uart);
        update_line(uart, false);
    }
    lock_release(&uart->lock);
    return there;
}
