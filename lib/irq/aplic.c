/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/irq/aplic.h"

/* Register map, 4.5. */
#define DOMAINCFG 0x0000u
#define SETIP 0x1c00u
#define SETIPNUM 0x1cdcu
#define IN_CLRIP 0x1d00u
#define CLRIPNUM 0x1ddcu
#define SETIE 0x1e00u
#define SETIENUM 0x1edcu
#define CLRIE 0x1f00u
#define CLRIENUM 0x1fdcu
#define SETIPNUM_LE 0x2000u
#define SETIPNUM_BE 0x2004u
#define GENMSI 0x3000u
#define IDC 0x4000u
#define IDC_BYTES 32u
#define BITMAP_BYTES 0x80u

#define DOMAINCFG_FIXED 0x80000000u
#define DOMAINCFG_IE (1u << 8)
#define DOMAINCFG_DM (1u << 2)

enum { INACTIVE = 0, DETACHED = 1, RISING = 4, FALLING = 5, HIGH = 6, LOW = 7 };

static uint32_t bit_of(unsigned source)
{
    return 1u << source % 32;
}

static bool has(const uint32_t *bitmap, unsigned source)
{
    return bitmap[source / 32] & bit_of(source);
}

static void set(uint32_t *bitmap, unsigned source, bool value)
{
    if (value)
        bitmap[source / 32] |= bit_of(source);
    else
        bitmap[source / 32] &= ~bit_of(source);
}

static bool exists(const struct aplic *aplic, unsigned source)
{
    return source && source <= aplic->sources;
}

static void set_pending_bit(struct aplic *aplic, unsigned source, bool value)
{
    if (value)
        aplic->words |= 1u << source / 32;
    set(aplic->pending, source, value);
}

static bool is_level(const struct aplic *aplic, unsigned source)
{
    return aplic->mode[source] == HIGH || aplic->mode[source] == LOW;
}

/* The wire as the source's mode sees it, 4.5.2. A forwarded one is high when it has fired. */
static bool rectified(const struct aplic *aplic, unsigned source)
{
    bool high = has(aplic->wire, source);
    switch (aplic->mode[source]) {
    case RISING:
    case HIGH:
        return high;
    case FALLING:
    case LOW:
        return has(aplic->forwarded, source) ? high : !high;
    default:
        return false;
    }
}

static unsigned target_hart(const struct aplic *aplic, unsigned source)
{
    return aplic->target[source] >> 18;
}

/* The source that this IDC shows, 4.8.1: the lowest priority number, then the lowest id. */
static unsigned top(const struct aplic *aplic, unsigned hart)
{
    unsigned best = 0, floor = aplic->idc[hart].threshold ? aplic->idc[hart].threshold : 256;
    for (unsigned w = 0; w < APLIC_WORDS && aplic->words >> w; w++) {
        for (uint32_t bits = aplic->pending[w] & aplic->enable[w]; bits; bits &= bits - 1) {
            unsigned source = w * 32 + (unsigned)__builtin_ctz(bits);
            unsigned priority = aplic->target[source] & 0xff;
            if (target_hart(aplic, source) == hart && priority < floor) {
                floor = priority;
                best = source;
            }
        }
    }
    return best;
}

/* The board's controller may let it through again. */
static void reopen(struct aplic *aplic, unsigned source)
{
    set(aplic->wire, source, false);
    set(aplic->stale, source, false);
    if (is_level(aplic, source))
        set_pending_bit(aplic, source, false);
    aplic->completed(aplic, source);
}

/* Something about a source has changed: is there anything to tell? */
static void deliver(struct aplic *aplic, unsigned source)
{
    if (!aplic->msi) {
        aplic->changed(aplic, target_hart(aplic, source));
        return;
    }
    if (!aplic->enabled || !has(aplic->pending, source) || !has(aplic->enable, source))
        return;
    set_pending_bit(aplic, source, false); /* 4.7: forwarded, so no longer pending */
    aplic->message(aplic, target_hart(aplic, source), aplic->target[source] & 0x7ff);
    if (has(aplic->forwarded, source) && has(aplic->edge, source) && !is_level(aplic, source))
        reopen(aplic, source);
}

static void deliver_all(struct aplic *aplic)
{
    for (unsigned hart = 0; !aplic->msi && hart < aplic->harts; hart++)
        aplic->changed(aplic, hart);
    for (unsigned w = 0; aplic->msi && w < APLIC_WORDS; w++) {
        for (uint32_t bits = aplic->pending[w] & aplic->enable[w]; bits; bits &= bits - 1)
            deliver(aplic, w * 32 + (unsigned)__builtin_ctz(bits));
    }
}

/* 4.7: what a change of the rectified input does to the pending bit. Without a change of that there
 * is nothing to tell a hart: a source that fires again and again costs nothing before it is
 * claimed. */
static void input_changed(struct aplic *aplic, unsigned source, bool before)
{
    bool now = rectified(aplic, source), pended = has(aplic->pending, source);
    if (is_level(aplic, source) && (!now || !aplic->msi))
        set_pending_bit(aplic, source, now);
    else if (now && !before)
        set_pending_bit(aplic, source, true);
    if (aplic->msi || has(aplic->pending, source) != pended)
        deliver(aplic, source);
}

static unsigned at_most(unsigned value, unsigned most)
{
    return value < most ? value : most;
}

size_t aplic_room_bytes(unsigned sources)
{
    return (at_most(sources, APLIC_MAX_SOURCE) + 1) * (sizeof(uint32_t) + 1);
}

void aplic_size(struct aplic *aplic, unsigned sources, void *room)
{
    aplic->sources = at_most(sources, APLIC_MAX_SOURCE);
    aplic->target = room;
    aplic->mode = (uint8_t *)(aplic->target + aplic->sources + 1);
}

void aplic_init(struct aplic *aplic, unsigned harts, bool msi)
{
    lock_take(&aplic->lock);
    aplic->harts = at_most(harts, APLIC_HARTS);
    aplic->msi = msi;
    aplic->enabled = false;
    aplic->words = 0;
    for (unsigned source = 0; source <= aplic->sources; source++) {
        aplic->mode[source] = INACTIVE;
        aplic->target[source] = 0;
    }
    for (unsigned w = 0; w < APLIC_WORDS; w++) {
        aplic->wire[w] = aplic->pending[w] = aplic->enable[w] = 0;
        aplic->forwarded[w] = aplic->edge[w] = aplic->served[w] = aplic->stale[w] = 0;
    }
    for (unsigned hart = 0; hart < APLIC_HARTS; hart++) {
        aplic->idc[hart].delivery = aplic->idc[hart].force = false;
        aplic->idc[hart].threshold = 0;
    }
    lock_release(&aplic->lock);
}

void aplic_forward(struct aplic *aplic, unsigned source, bool edge)
{
    if (!exists(aplic, source))
        return;
    lock_take(&aplic->lock);
    set(aplic->forwarded, source, true);
    set(aplic->edge, source, edge);
    lock_release(&aplic->lock);
}

void aplic_fired(struct aplic *aplic, unsigned source)
{
    if (!exists(aplic, source))
        return;
    lock_take(&aplic->lock);
    bool before = rectified(aplic, source);
    set(aplic->wire, source, true);
    if (has(aplic->served, source))
        set(aplic->stale, source, true);
    set(aplic->served, source, false);
    input_changed(aplic, source, before);
    lock_release(&aplic->lock);
}

void aplic_set_wire(struct aplic *aplic, unsigned source, bool high)
{
    if (!exists(aplic, source))
        return;
    lock_take(&aplic->lock);
    bool before = rectified(aplic, source);
    set(aplic->wire, source, high);
    input_changed(aplic, source, before);
    lock_release(&aplic->lock);
}

bool aplic_line(struct aplic *aplic, unsigned hart)
{
    lock_take(&aplic->lock);
    bool line = !aplic->msi && aplic->enabled && aplic->idc[hart].delivery &&
                (aplic->idc[hart].force || top(aplic, hart));
    lock_release(&aplic->lock);
    return line;
}

/* A handler that finds nothing more has seen to its devices: what fires now is new. */
static void end_service(struct aplic *aplic, unsigned hart)
{
    for (unsigned w = 0; w < APLIC_WORDS && aplic->words >> w; w++) {
        for (uint32_t bits = aplic->served[w]; bits; bits &= bits - 1) {
            unsigned source = w * 32 + (unsigned)__builtin_ctz(bits);
            if (target_hart(aplic, source) == hart)
                set(aplic->served, source, false);
        }
    }
}

/*
 * A level of the board's that has been claimed is over once the handler has seen to its device, but
 * nobody tells when that is. So the source is opened again at once: if it holds on, it fires again,
 * stays shut, and is stale: the next claim finds out whether it is over by opening it once more.
 */
static unsigned claim(struct aplic *aplic, unsigned hart)
{
    unsigned source;
    while ((source = top(aplic, hart)) && has(aplic->stale, source))
        reopen(aplic, source);
    if (!source) {
        aplic->idc[hart].force = false; /* 4.8.1.5 */
        end_service(aplic, hart);
    } else if (has(aplic->forwarded, source)) {
        set_pending_bit(aplic, source, false);
        reopen(aplic, source);
        set(aplic->served, source, is_level(aplic, source));
    } else if (!is_level(aplic, source)) {
        set_pending_bit(aplic, source, false);
    }
    aplic->changed(aplic, hart);
    return source;
}

static void write_mode(struct aplic *aplic, unsigned source, uint32_t value)
{
    bool before = rectified(aplic, source);
    unsigned hart = target_hart(aplic, source);
    uint8_t mode = value & 7;
    /* There is no domain to delegate to: D stays zero. 2 and 3 are reserved. */
    aplic->mode[source] = value & 1u << 10 || mode == 2 || mode == 3 ? INACTIVE : mode;
    if (aplic->mode[source] == INACTIVE) {
        set_pending_bit(aplic, source, false);
        set(aplic->enable, source, false);
        aplic->target[source] = 0;
    }
    input_changed(aplic, source, before);
    if (!aplic->msi)
        aplic->changed(aplic, hart);
}

/* Legal is a hart that exists, guest 0 (a guest has no guests), and in direct mode a priority. */
static void write_target(struct aplic *aplic, unsigned source, uint32_t value)
{
    unsigned old = target_hart(aplic, source), hart = value >> 18;
    if (aplic->mode[source] == INACTIVE)
        return;
    uint32_t low = value & (aplic->msi ? 0x7ff : 0xff);
    aplic->target[source] = (hart < aplic->harts ? hart : 0) << 18 | (low || aplic->msi ? low : 1);
    if (!aplic->msi)
        aplic->changed(aplic, old);
    deliver(aplic, source);
}

/* A write to setip and its like. Software can't make a level pending that isn't there; with MSIs it
 * asks for a level to be told of again, which a forwarded one is by opening it (4.7, 4.9.2). */
static void set_pending(struct aplic *aplic, unsigned source)
{
    if (!exists(aplic, source) || aplic->mode[source] == INACTIVE)
        return;
    if (is_level(aplic, source)) {
        if (!aplic->msi)
            return;
        if (has(aplic->forwarded, source)) {
            reopen(aplic, source);
            return;
        }
        if (!rectified(aplic, source))
            return;
    }
    set_pending_bit(aplic, source, true);
    deliver(aplic, source);
    if (has(aplic->forwarded, source) && has(aplic->wire, source))
        reopen(aplic, source);
}

static void clear_pending(struct aplic *aplic, unsigned source)
{
    if (!exists(aplic, source) || (is_level(aplic, source) && !aplic->msi))
        return;
    set_pending_bit(aplic, source, false);
    deliver(aplic, source);
}

/* While it was masked a handler may have seen to a forwarded level that waits here: ask again. */
static void set_enable(struct aplic *aplic, unsigned source, bool value)
{
    if (!exists(aplic, source) || aplic->mode[source] == INACTIVE)
        return;
    if (value && !has(aplic->enable, source) && has(aplic->stale, source))
        reopen(aplic, source);
    set(aplic->enable, source, value);
    deliver(aplic, source);
}

/* genmsi, 4.5.15: software sends a message. */
static void generate(struct aplic *aplic, uint32_t value)
{
    if (aplic->msi && value >> 18 < aplic->harts)
        aplic->message(aplic, value >> 18, value & 0x7ff);
}

static void by_bitmap(struct aplic *aplic, uint32_t offset, uint32_t bits)
{
    for (; bits; bits &= bits - 1) {
        unsigned source = offset % BITMAP_BYTES / 4 * 32 + (unsigned)__builtin_ctz(bits);
        if (offset < IN_CLRIP)
            set_pending(aplic, source);
        else if (offset < SETIE)
            clear_pending(aplic, source);
        else
            set_enable(aplic, source, offset < CLRIE);
    }
}

static void write_idc(struct aplic *aplic, unsigned hart, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case 0x00:
        aplic->idc[hart].delivery = value & 1;
        break;
    case 0x04:
        aplic->idc[hart].force = value & 1;
        break;
    case 0x08:
        aplic->idc[hart].threshold = (uint8_t)value;
        break;
    default:
        return;
    }
    aplic->changed(aplic, hart);
}

static uint32_t read_idc(struct aplic *aplic, unsigned hart, uint32_t reg)
{
    unsigned source;
    switch (reg) {
    case 0x00:
        return aplic->idc[hart].delivery;
    case 0x04:
        return aplic->idc[hart].force;
    case 0x08:
        return aplic->idc[hart].threshold;
    case 0x18:
        source = top(aplic, hart);
        return source << 16 | (aplic->target[source] & 0xff);
    case 0x1c:
        source = claim(aplic, hart);
        return source << 16 | (aplic->target[source] & 0xff);
    }
    return 0;
}

static bool is_idc(const struct aplic *aplic, uint32_t offset)
{
    return !aplic->msi && offset >= IDC && (offset - IDC) / IDC_BYTES < aplic->harts;
}

/* A word of one of the bitmaps that lie from SETIP on, 0x100 bytes apart. */
static bool is_bitmap(uint32_t offset)
{
    return offset >= SETIP && offset < SETIPNUM_LE && offset % 0x100 < BITMAP_BYTES;
}

static uint32_t read_bitmap(const struct aplic *aplic, uint32_t offset)
{
    unsigned w = offset % BITMAP_BYTES / 4;
    if (offset >= CLRIE)
        return 0;
    if (offset >= SETIE)
        return aplic->enable[w];
    if (offset < IN_CLRIP)
        return aplic->pending[w];
    uint32_t inputs = 0;
    for (unsigned n = 0; n < 32 && w * 32 + n <= aplic->sources; n++)
        inputs |= (uint32_t)rectified(aplic, w * 32 + n) << n;
    return inputs;
}

/* Offset of a register of a source that exists, of those that lie 4 bytes apart from `base` on. */
static bool of_source(const struct aplic *aplic, uint32_t offset, uint32_t base)
{
    return exists(aplic, (offset - base) / 4);
}

static uint32_t read_word(struct aplic *aplic, uint32_t offset)
{
    if (offset == DOMAINCFG)
        return DOMAINCFG_FIXED | (aplic->enabled ? DOMAINCFG_IE : 0) |
               (aplic->msi ? DOMAINCFG_DM : 0);
    if (of_source(aplic, offset, 0))
        return aplic->mode[offset / 4];
    if (is_bitmap(offset))
        return read_bitmap(aplic, offset);
    if (of_source(aplic, offset, GENMSI))
        return aplic->target[(offset - GENMSI) / 4];
    if (is_idc(aplic, offset))
        return read_idc(aplic, (offset - IDC) / IDC_BYTES, offset % IDC_BYTES);
    return 0;
}

static void write_word(struct aplic *aplic, uint32_t offset, uint32_t value)
{
    if (offset == DOMAINCFG) {
        aplic->enabled = value & DOMAINCFG_IE;
        deliver_all(aplic);
    } else if (of_source(aplic, offset, 0)) {
        write_mode(aplic, offset / 4, value);
    } else if (is_bitmap(offset)) {
        by_bitmap(aplic, offset, value);
    } else if (offset == SETIPNUM || offset == SETIPNUM_LE) {
        set_pending(aplic, value);
    } else if (offset == SETIPNUM_BE) {
        set_pending(aplic, __builtin_bswap32(value));
    } else if (offset == CLRIPNUM) {
        clear_pending(aplic, value);
    } else if (offset == SETIENUM || offset == CLRIENUM) {
        set_enable(aplic, value, offset == SETIENUM);
    } else if (offset == GENMSI) {
        generate(aplic, value);
    } else if (of_source(aplic, offset, GENMSI)) {
        write_target(aplic, (offset - GENMSI) / 4, value);
    } else if (is_idc(aplic, offset)) {
        write_idc(aplic, (offset - IDC) / IDC_BYTES, offset % IDC_BYTES, value);
    }
}

bool aplic_read(struct aplic *aplic, uint32_t offset, unsigned width, uint64_t *value)
{
    if (width != 4 || offset % 4)
        return false;
    lock_take(&aplic->lock);
    *value = read_word(aplic, offset);
    lock_release(&aplic->lock);
    return true;
}

bool aplic_write(struct aplic *aplic, uint32_t offset, unsigned width, uint64_t value)
{
    if (width != 4 || offset % 4)
        return false;
    lock_take(&aplic->lock);
    write_word(aplic, offset, (uint32_t)value);
    lock_release(&aplic->lock);
    return true;
}
