/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/console_out.h"

#include <stdio.h>
#include <string.h>

#include "riscv/lock.h"
#include "appliance/vm.h"
#include "host/bare/console.h"
#include "host/bare/console_paint.h"
#include "host/bare/console_ring.h"
#include "host/host.h"

#define VM_RING 4096
#define OWN_RING 16384
#define STAGE 4096 /* a turn's worth: a line, and the front's unfinished one twice */

#define FRONT_TURN 256  /* bytes of a turn of the front's, if no line ends before */
#define BEHIND_TURN 512 /* bytes that are looked through for a line of another VM */
#define PUMP_BYTES 256  /* of output in one call: whoever else is to have the hart waits so long */
#define LATER_ROOM (VM_RING - 512) /* with more than that in a ring it is time to send */
#define PANIC_TRIES 1000000
#define PUMP_TURNS 2             /* of somebody else's asking meanwhile */
#define READY_ROOM (VM_RING / 2) /* from here on a VM that was told to wait writes again */

static struct console_ring rings[OUT_WRITERS];
static char own_bytes[2][OWN_RING];
static _Atomic uint64_t waiting; /* bit n: VM n's ring may hold something */

static struct uart *port;
static _Atomic bool begun, closing, panicking;
static _Atomic uint64_t moved; /* when the line took something, or had nothing to take */

/* Bit n: out_pump() is going to be called for what VM n writes. Cleared before it looks. */
static _Atomic uint64_t pump_due;

/* Somebody has put something in since the holder of `lock` looked. */
static _Atomic bool asked;

/* The lock orders what follows: how the screen looks, and what is on its way to the port. It is
 * held while a turn is painted and while the port takes bytes, never while it takes none. */
static struct lock lock;
static unsigned turn, last_vm;
static bool receives, empties; /* what the port interrupts for */
static bool rests;             /* the console's hart does something else for a moment */
static struct {
    char bytes[STAGE];
    unsigned from, to;
} stage;

static void take(void)
{
    if (!panicking)
        lock_take(&lock);
}

static void release(void)
{
    if (!panicking)
        lock_release(&lock);
}

/* ---- What is painted goes to the stage; the lock is held ------------------------------------- */

void out_raw(const char *bytes, size_t count)
{
    if (!port)
        return;
    for (size_t i = 0; i < count; i++) {
        if (panicking) {
            uart_put(port, (uint8_t)bytes[i]);
            continue;
        }
        if (stage.to - stage.from == STAGE) /* a person's doing: it is worth the wait */
            uart_put(port, (uint8_t)stage.bytes[stage.from++ % STAGE]);
        stage.bytes[stage.to++ % STAGE] = bytes[i];
    }
}

/* ---- Turns; the lock is held ----------------------------------------------------------------- */

/* The next VM behind `last_vm` of those in the set. */
static unsigned next_vm(uint64_t set)
{
    uint64_t above = set & ~((2ULL << last_vm) - 1);

    last_vm = (unsigned)__builtin_ctzll(above ? above : set);
    return last_vm;
}

/* OUT_WRITERS: nobody has anything to say. */
static unsigned choose_writer(void)
{
    if (!console_ring_is_empty(&rings[OUT_MONITOR]))
        return OUT_MONITOR;
    unsigned front = paint_front();
    uint64_t set = atomic_load(&waiting), ahead = front < VM_MAX ? set & 1ULL << front : 0;
    bool message = !console_ring_is_empty(&rings[OUT_MESSAGES]);
    for (unsigned n = 0; n < 3; n++) {
        turn = (turn + 1) % 3;
        if (turn == 0 && message)
            return OUT_MESSAGES;
        if (turn == 1 && ahead)
            return front;
        if (turn == 2 && set & ~ahead)
            return next_vm(set & ~ahead);
    }
    return OUT_WRITERS;
}

bool out_later(unsigned vm)
{
    if (!port || !begun || console_ring_hot_room(&rings[vm]) < LATER_ROOM)
        return false;
    atomic_fetch_or(&pump_due, 1ULL << vm);
    return true;
}

/* The byte first, then a look at whether the pump is still to come: it clears the bit, then looks.
 */
bool out_hurry(unsigned vm, char byte)
{
    uint64_t bit = 1ULL << vm;

    if (closing || !(atomic_load_explicit(&pump_due, memory_order_relaxed) & bit) ||
        !console_ring_hurry(&rings[vm], byte, LATER_ROOM))
        return false;
    if (!(atomic_load(&pump_due) & bit)) { /* it was faster */
        atomic_fetch_or(&waiting, bit);
        out_pump();
    }
    return true;
}

/* A VM's ring has less in it than before. */
static void taken_from(unsigned vm)
{
    atomic_fetch_and(&waiting, ~(1ULL << vm));
    if (!console_ring_is_empty(&rings[vm]))
        atomic_fetch_or(&waiting, 1ULL << vm);
    if (out_room(vm) >= READY_ROOM)
        cald_vm_uart_ready(vms[vm].cald);
}

static void paint_turn(unsigned writer)
{
    char bytes[FRONT_TURN];
    bool printed = false, ahead = writer == paint_front();

    for (unsigned looked = 0; !printed && looked < BEHIND_TURN;) {
        size_t count = console_ring_take(&rings[writer], bytes, sizeof(bytes));
        if (!count) {
            unsigned lost = console_ring_lost(&rings[writer]);
            if (lost)
                paint_lost(writer, lost);
            break;
        }
        for (size_t n = 0; n < count; n++)
            printed |= paint_byte(writer, (uint8_t)bytes[n]);
        printed |= ahead;
        looked += (unsigned)count;
    }
    if (writer < VM_MAX)
        taken_from(writer);
}

/* False: there was nothing. */
static bool paint(void)
{
    unsigned writer = choose_writer();

    if (writer == OUT_WRITERS)
        return false;
    paint_turn(writer);
    return true;
}

/* ---- The port; the lock is held -------------------------------------------------------------- */

/* False: the port takes no more now, or a port that makes its caller wait has done so until
 * `until`. */
static bool send_stage(uint64_t until)
{
    const struct uart_driver *driver = port->driver;

    while (stage.from != stage.to) {
        if (driver->blocks && host_time() >= until)
            return false;
        unsigned room = driver->room(port);
        if (!room)
            return false;
        for (; room > 0 && stage.from != stage.to; room--)
            driver->send(port, (uint8_t)stage.bytes[stage.from++ % STAGE]);
        atomic_store(&moved, host_time());
    }
    atomic_store(&moved, host_time());
    return true;
}

/* True: there is more. */
static bool pump(unsigned bytes, uint64_t until)
{
    unsigned first = stage.from;

    while (send_stage(until)) {
        if (stage.from - first >= bytes)
            return true;
        if (!paint())
            return false;
    }
    return true;
}

static void set_interrupts(bool received, bool empty)
{
    if (!port->interrupts || (received == receives && empty == empties))
        return;
    receives = received;
    empties = empty;
    port->driver->interrupt(port, received, empty);
}

/* Sees to it that the console's hart goes on with what is left. */
static void leave(bool more)
{
    set_interrupts(receives, more && !rests);
    if (!port->interrupts)
        console_look(more);
}

static void flush(void)
{
    do {
        for (; stage.from != stage.to; stage.from++)
            uart_put(port, (uint8_t)stage.bytes[stage.from % STAGE]);
    } while (paint());
}

void out_pump(void)
{
    if (!port)
        return;
    /* Their rings were empty if out_serve() came in between; what was put in since is not marked.
     */
    atomic_fetch_or(&waiting, atomic_exchange(&pump_due, 0));
    atomic_store(&asked, true);
    for (unsigned n = 0; atomic_load(&asked); n++) {
        /* Whoever has the lock looks at `asked` after giving it back. */
        if (!panicking && !lock_try(&lock))
            return;
        atomic_store(&asked, false);
        if (!begun || panicking)
            flush();
        else
            leave(n == PUMP_TURNS || port->driver->blocks || pump(PUMP_BYTES, 0));
        release();
        if (n == PUMP_TURNS)
            return; /* others keep asking; the console's hart will look */
    }
}

uint64_t out_serve(void)
{
    uint64_t from = host_time(), hz = host_timebase();

    if (!port)
        return UINT64_MAX;
    take();
    atomic_store(&asked, false);
    unsigned first = stage.from;
    bool more = pump(PUMP_BYTES, from + hz / 2000);
    /* A line that takes whatever there is does not slow its writers down. */
    rests = more && stage.from - first >= PUMP_BYTES;
    leave(more);
    bool timed = more && (rests || !port->interrupts), equally = rests || port->driver->blocks;
    release();
    if (!timed)
        return UINT64_MAX;
    /* VMs here get as much time as the line has had. */
    return equally ? host_time() - from : hz / 1000;
}

/* ---- Writers --------------------------------------------------------------------------------- */

/* Nothing has moved for two seconds: nobody is at the other end, and nobody waits for them. */
static bool line_is_dead(void)
{
    return host_time() - atomic_load(&moved) > 2 * host_timebase();
}

static bool may_wait(unsigned vm)
{
    return vm == paint_front() && !line_is_dead();
}

size_t out_write(unsigned vm, const char *bytes, size_t count)
{
    size_t done = count;

    if (!port || closing)
        return count;
    if (may_wait(vm))
        done = console_ring_put(&rings[vm], bytes, count);
    else
        console_ring_put_lines(&rings[vm], bytes, count);
    atomic_fetch_or(&waiting, 1ULL << vm);
    return done;
}

size_t out_room(unsigned vm)
{
    return port && !closing && may_wait(vm) ? console_ring_room(&rings[vm]) : VM_RING;
}

void out_monitor(const char *bytes, size_t count)
{
    size_t done = 0;

    if (!port)
        return;
    for (;;) {
        done += console_ring_put(&rings[OUT_MONITOR], bytes + done, count - done);
        out_pump();
        if (done == count)
            return;
        take();
        flush();
        release();
    }
}

void out_message(bool in_order, bool error, const char *text)
{
    char bytes[OUT_MESSAGE_MAX + 2];
    int length = snprintf(bytes, sizeof(bytes) - 1, "%c%s", error ? MARK_ERROR : MARK_INFO, text);

    if (!port || length < 0)
        return;
    if (panicking) {
        paint_message(error, text);
        return;
    }
    if ((size_t)length > sizeof(bytes) - 2)
        length = sizeof(bytes) - 2;
    bytes[length] = '\n';
    /* What VMs have said before comes before it, if the line is free. */
    out_pump();
    if (in_order) {
        out_monitor(bytes, (size_t)length + 1);
        return;
    }
    console_ring_put_whole(&rings[OUT_MESSAGES], bytes, (size_t)length + 1);
    out_pump();
}

/* ---- Who is in front ------------------------------------------------------------------------- */

unsigned out_front(void)
{
    return paint_front();
}

bool out_set_front(unsigned next, const char *said)
{
    take();
    bool changed = next != paint_front();
    if (changed)
        paint_set_front(next, said);
    release();
    out_pump();
    return changed;
}

bool out_vm_ended(unsigned vm, const char *said)
{
    out_pump();
    take();
    bool was_front = paint_front() == vm, slow = !console_ring_is_empty(&rings[vm]);
    paint_vm_ended(vm, slow, said);
    console_ring_end_line(&rings[vm], slow);
    release();
    out_pump();
    return was_front;
}

void out_bell(void)
{
    take();
    out_raw("\a", 1);
    release();
    out_pump();
}

/* ---- Set-up and end -------------------------------------------------------------------------- */

void out_init(struct uart *uart)
{
    port = uart;
    for (unsigned n = 0; n < 2; n++) {
        if (!rings[OUT_MONITOR + n].size)
            console_ring_init(&rings[OUT_MONITOR + n], own_bytes[n], OWN_RING);
    }
}

void out_colour(bool on)
{
    paint_colour(on);
}

bool out_define(unsigned count)
{
    char *bytes = count ? host_pages_alloc((uint64_t)count * VM_RING, HOST_PAGE_SIZE) : NULL;

    for (unsigned n = 0; n < count && bytes; n++)
        console_ring_init(&rings[n], bytes + (size_t)n * VM_RING, VM_RING);
    return bytes || !count;
}

void out_begin(void)
{
    moved = host_time();
    begun = true;
}

void out_receive_interrupt(bool on)
{
    if (!port)
        return;
    take();
    set_interrupts(on, empties);
    release();
}

void out_close(bool closed)
{
    closing = closed;
    if (!port || !closed)
        return;
    take();
    flush();
    paint_end();
    flush();
    release();
}

/* Whoever holds a lock may be this hart itself, or wait for it. */
static bool is_free(struct lock *which)
{
    for (unsigned tries = 0; tries < PANIC_TRIES; tries++) {
        if (lock_try(which)) {
            lock_release(which);
            return true;
        }
    }
    return false;
}

void out_panic(void)
{
    is_free(&lock);
    panicking = true;
    for (; port && stage.from != stage.to; stage.from++)
        uart_put(port, (uint8_t)stage.bytes[stage.from % STAGE]);
    for (unsigned writer = OUT_MONITOR; port && writer < OUT_WRITERS; writer++) {
        while (is_free(&rings[writer].lock) && !console_ring_is_empty(&rings[writer]))
            paint_turn(writer);
    }
}
