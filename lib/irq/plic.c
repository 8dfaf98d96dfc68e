/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How this stays right without a lock. A source goes round pending -> claimed -> completed. The
 * claimed bit is the token: who sets it owns the source until somebody clears it, and a pending bit
 * counts for nothing while it is set. Whoever changes something that a line depends on does so
 * first, then a full fence, then looks at the rest and reports; so of two that change things at the
 * same time at least one sees both changes. The worst that a race leaves behind is a report too
 * many.
 *
 * Of 32 words of sources a VM uses few. `words` says which, so that a look at all sources costs as
 * many loads as there are words with devices in them. Bits there are set, before the pending bit
 * is, and never cleared before the next reset: nobody can miss one.
 */
#include "lib/irq/plic.h"

/* Register map, specification chapter "Memory Map". */
#define PENDING_BASE 0x1000u
#define PENDING_END (PENDING_BASE + 0x80u)
#define ENABLE_BASE PLIC_ENABLE_BASE
#define ENABLE_STRIDE 0x80u
#define CONTEXT_BASE 0x200000u
#define CONTEXT_STRIDE 0x1000u
#define CONTEXT_THRESHOLD 0u
#define CONTEXT_CLAIM 4u

#define PAGE_BYTES 4096u

static inline uint32_t plic_word(const _Atomic uint32_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static inline uint8_t get_byte(const _Atomic uint8_t *byte)
{
    return atomic_load_explicit(byte, memory_order_relaxed);
}

static inline void full_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

/* A context's enable registers. */
static inline _Atomic uint32_t *enables(const struct plic *plic, unsigned context)
{
    return plic->enable[2 * context + 1];
}

static inline uint32_t bit_of(unsigned source)
{
    return 1u << source % 32;
}

static inline bool exists(const struct plic *plic, unsigned source)
{
    return source && source <= plic->sources;
}

/* Sources of word w that ask this context: what its priorities and threshold then make of it. */
static inline uint32_t ready(const struct plic *plic, unsigned context, unsigned w)
{
    return plic_word(&plic->pending[w]) & plic_word(&enables(plic, context)[w]) &
           ~plic_word(&plic->claimed[w]);
}

/* The ready source of the highest priority above `floor`, the lowest id among equals; 0: none. */
static unsigned best_source(const struct plic *plic, unsigned context, unsigned floor)
{
    unsigned best = 0, w = 0;
    for (uint32_t words = plic_word(&plic->words); words; words >>= 1, w++) {
        for (uint32_t bits = ready(plic, context, w); bits; bits &= bits - 1) {
            unsigned source = w * 32 + (unsigned)__builtin_ctz(bits);
            unsigned priority = get_byte(&plic->priority[source]);
            if (priority > floor) {
                floor = priority;
                best = source;
            }
        }
    }
    return best;
}

/* No more than a hint: also true for what is in service. */
static inline bool asks(const struct plic *plic, unsigned context)
{
    const _Atomic uint32_t *pending = plic->pending, *enable = enables(plic, context);
    for (uint32_t words = plic_word(&plic->words); words; words >>= 1, pending++, enable++) {
        if (plic_word(pending) & plic_word(enable)) {
            return true;
        }
    }
    return false;
}

bool plic_line(struct plic *plic, unsigned context)
{
    full_fence();
    if (!asks(plic, context)) {
        return false;
    }
    return best_source(plic, context, get_byte(&plic->threshold[context])) != 0;
}

/* Tells the contexts that a source concerns. */
static void report(struct plic *plic, unsigned source)
{
    full_fence();
    for (unsigned context = 0; context < plic->contexts; context++) {
        if (plic_word(&enables(plic, context)[source / 32]) & bit_of(source)) {
            plic->changed(plic, context);
        }
    }
}

/* The gateway lets a request through if there is one and none is in service. What pends already has
 * been told by whoever set it, so a source that fires again and again costs its contexts nothing
 * before they have claimed it. `opened`: none is in service any more; a bit that a slow caller set
 * while there was one counts from now on. */
static void gateway(struct plic *plic, unsigned source, bool opened)
{
    unsigned w = source / 32;
    uint32_t bit = bit_of(source);
    full_fence();
    if (plic_word(&plic->claimed[w]) & bit) {
        return; /* completion looks again */
    }
    bool fires = plic_word(&plic->level[w]) & bit;
    if (plic_word(&plic->edge[w]) & bit) {
        fires |= (atomic_fetch_and(&plic->edge[w], ~bit) & bit) != 0;
    }
    uint32_t before;
    if (fires) {
        if (!(plic_word(&plic->words) >> w & 1)) {
            atomic_fetch_or(&plic->words, 1u << w);
        }
        before = atomic_fetch_or(&plic->pending[w], bit);
    } else {
        before = plic_word(&plic->pending[w]);
    }
    bool pended = before & bit;
    if (opened ? fires || pended : fires && !pended) {
        report(plic, source);
    }
}

static unsigned at_most(unsigned value, unsigned most)
{
    return value < most ? value : most;
}

size_t plic_room_bytes(unsigned contexts, unsigned sources)
{
    return plic_enable_bytes(contexts) + at_most(sources, PLIC_MAX_SOURCE) + 1;
}

size_t plic_enable_bytes(unsigned contexts)
{
    size_t bytes = at_most(contexts, PLIC_CONTEXTS) * 2 * sizeof(uint32_t[PLIC_WORDS]);
    return (bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

void plic_size(struct plic *plic, unsigned contexts, unsigned sources, void *room)
{
    plic->contexts = at_most(contexts, PLIC_CONTEXTS);
    plic->sources = at_most(sources, PLIC_MAX_SOURCE);
    plic->enable = room;
    plic->priority = (_Atomic uint8_t *)room + plic_enable_bytes(contexts);
}

void plic_init(struct plic *plic)
{
    atomic_store(&plic->words, 0);
    for (unsigned w = 0; w < PLIC_WORDS; w++) {
        atomic_store(&plic->level[w], 0);
        atomic_store(&plic->edge[w], 0);
        atomic_store(&plic->pending[w], 0);
        atomic_store(&plic->claimed[w], 0);
    }
    for (unsigned source = 0; source <= plic->sources; source++) {
        atomic_store(&plic->priority[source], 0);
    }
    for (unsigned context = 0; context < plic->contexts; context++) {
        for (unsigned w = 0; w < PLIC_WORDS; w++) {
            atomic_store(&enables(plic, context)[w], 0);
        }
        atomic_store(&plic->threshold[context], 0);
    }
}

void plic_set_level(struct plic *plic, unsigned source, bool level)
{
    if (!exists(plic, source)) {
        return;
    }
    if (level) {
        atomic_fetch_or(&plic->level[source / 32], bit_of(source));
        gateway(plic, source, false);
    } else {
        atomic_fetch_and(&plic->level[source / 32], ~bit_of(source));
    }
}

void plic_pulse(struct plic *plic, unsigned source)
{
    if (!exists(plic, source)) {
        return;
    }
    atomic_fetch_or(&plic->edge[source / 32], bit_of(source));
    gateway(plic, source, false);
}

void plic_take_back(struct plic *plic, unsigned source)
{
    if (exists(plic, source))
        atomic_fetch_and(&plic->edge[source / 32], ~bit_of(source));
}

/*
 * The threshold does not matter to a claim (specification, "Interrupt Claim Process"), a priority
 * of zero does. Each turn that fails means that another context took a source, so a context that
 * loses as many times as there are sources may as well be told that there is none: it is
 * interrupted again.
 */
static __attribute__((noinline)) unsigned claim(struct plic *plic, unsigned context)
{
    for (unsigned turn = 0; turn < plic->sources; turn++) {
        unsigned source = best_source(plic, context, 0);
        if (source == 0) {
            return 0;
        }
        unsigned w = source / 32;
        uint32_t bit = bit_of(source);
        if (atomic_fetch_or(&plic->claimed[w], bit) & bit) {
            continue; /* lost */
        }
        if (atomic_fetch_and(&plic->pending[w], ~bit) & bit) {
            report(plic, source); /* the lines it held up may fall */
            return source;
        }
        /* Somebody claimed and completed it since we looked: give the token back. */
        atomic_fetch_and(&plic->claimed[w], ~bit);
        gateway(plic, source, true);
    }
    return 0;
}

static __attribute__((noinline)) void complete(struct plic *plic, unsigned context, uint32_t source)
{
    if (!exists(plic, source)) {
        return;
    }
    unsigned w = source / 32;
    uint32_t bit = bit_of(source);
    /* A source not enabled for this context: ignored (specification, "Interrupt Completion"). */
    if (!(plic_word(&enables(plic, context)[w]) & bit) ||
        !(atomic_fetch_and(&plic->claimed[w], ~bit) & bit)) {
        return;
    }
    if (plic->completed != NULL) {
        plic->completed(plic, source);
    }
    gateway(plic, source, true);
}

/* Not machine mode's contexts, and not those of harts that the guest hasn't got: some kernels set
 * up as many as they are built for. The registers are there, read 0 and take no write, as on QEMU's
 * board. */
static inline bool used(const struct plic *plic, unsigned place)
{
    return place & 1 && place / 2 < plic->contexts;
}

/* The short way: what leaves it is out of line, so that it needs no stack frame. */
static inline __attribute__((always_inline)) bool read_word(struct plic *plic, uint32_t offset,
                                                            uint32_t *value)
{
    if (offset >= CONTEXT_BASE) {
        unsigned place = (offset - CONTEXT_BASE) / CONTEXT_STRIDE, context = place / 2;
        uint32_t reg = offset % CONTEXT_STRIDE;
        if (reg > CONTEXT_CLAIM) {
            return false;
        }
        if (!used(plic, place)) {
            *value = 0;
            return context < PLIC_CONTEXTS;
        }
        if (reg == CONTEXT_THRESHOLD) {
            *value = get_byte(&plic->threshold[context]);
        } else if (!asks(plic, context)) {
            *value = 0; /* what ends every handler's loop */
        } else {
            *value = claim(plic, context);
        }
        return true;
    }
    if (offset < PENDING_BASE) {
        *value = offset / 4 <= plic->sources ? get_byte(&plic->priority[offset / 4]) : 0;
        return true;
    }
    if (offset >= ENABLE_BASE) {
        unsigned place = (offset - ENABLE_BASE) / ENABLE_STRIDE, context = place / 2;
        unsigned w = offset % ENABLE_STRIDE / 4;
        *value = used(plic, place) ? plic_word(&plic->enable[place][w]) : 0;
        return context < PLIC_CONTEXTS;
    }
    if (offset < PENDING_END) {
        *value = plic_word(&plic->pending[(offset - PENDING_BASE) / 4]);
        return true;
    }
    return false;
}

static __attribute__((noinline)) void write_priority(struct plic *plic, unsigned source,
                                                     uint32_t value)
{
    if (!exists(plic, source)) {
        return;
    }
    atomic_store_explicit(&plic->priority[source], value & PLIC_MAX_PRIORITY, memory_order_relaxed);
    full_fence();
    if (plic_word(&plic->pending[source / 32]) & bit_of(source)) {
        report(plic, source);
    }
}

static __attribute__((noinline)) void write_enable(struct plic *plic, unsigned context, unsigned w,
                                                   uint32_t value)
{
    unsigned last = plic->sources / 32;
    if (w == 0) {
        value &= ~1u; /* there is no source 0 */
    }
    if (w >= last) {
        value &= w > last ? 0 : bit_of(plic->sources) * 2 - 1;
    }
    uint32_t old = atomic_exchange(&enables(plic, context)[w], value);
    full_fence();
    if ((old ^ value) & plic_word(&plic->pending[w])) {
        plic->changed(plic, context);
    }
}

static inline bool write_word(struct plic *plic, uint32_t offset, uint32_t value)
{
    if (offset >= CONTEXT_BASE) {
        unsigned place = (offset - CONTEXT_BASE) / CONTEXT_STRIDE, context = place / 2;
        uint32_t reg = offset % CONTEXT_STRIDE;
        if (reg > CONTEXT_CLAIM) {
            return false;
        }
        if (!used(plic, place)) {
            return context < PLIC_CONTEXTS;
        }
        if (reg == CONTEXT_CLAIM) {
            complete(plic, context, value);
        } else {
            atomic_store_explicit(&plic->threshold[context], value & PLIC_MAX_PRIORITY,
                                  memory_order_relaxed);
            plic->changed(plic, context);
        }
        return true;
    }
    if (offset < PENDING_BASE) {
        write_priority(plic, offset / 4, value);
        return true;
    }
    if (offset >= ENABLE_BASE) {
        unsigned place = (offset - ENABLE_BASE) / ENABLE_STRIDE, context = place / 2;
        if (!used(plic, place)) {
            return context < PLIC_CONTEXTS;
        }
        write_enable(plic, context, offset % ENABLE_STRIDE / 4, value);
        return true;
    }
    return offset < PENDING_END; /* the pending bits are read-only */
}

/* The claim register acts when it is read or written, so a part of it can't be merged with the
 * rest. */
static inline bool is_claim(uint32_t offset)
{
    return offset >= CONTEXT_BASE && offset % CONTEXT_STRIDE == CONTEXT_CLAIM;
}

static __attribute__((noinline)) bool read_slow(struct plic *plic, uint32_t offset, uint32_t *value)
{
    return read_word(plic, offset, value);
}

/* Widths other than a word, which no driver of note uses. Out of line for the same reason. */
static __attribute__((noinline)) bool read_odd(struct plic *plic, uint32_t offset, unsigned width,
                                               uint64_t *value)
{
    uint32_t low, high = 0;
    if (offset % width != 0) {
        return false;
    }
    if (width == 8) {
        /* Registers exist in aligned pairs, so a claim in the upper half is not lost here. */
        if (!read_slow(plic, offset, &low) || !read_slow(plic, offset + 4, &high)) {
            return false;
        }
        *value = (uint64_t)high << 32 | low;
        return true;
    }
    if (!read_slow(plic, offset & ~3u, &low)) {
        return false;
    }
    *value = (low >> offset % 4 * 8) & ((1u << width * 8) - 1);
    return true;
}

static __attribute__((noinline)) bool write_odd(struct plic *plic, uint32_t offset, unsigned width,
                                                uint64_t value)
{
    if (offset % width != 0) {
        return false;
    }
    if (width == 8) {
        return write_word(plic, offset, (uint32_t)value) &&
               write_word(plic, offset + 4, (uint32_t)(value >> 32));
    }
    uint32_t word = offset & ~3u, old = 0, shift = offset % 4 * 8;
    uint32_t mask = ((1u << width * 8) - 1) << shift;
    if (!is_claim(word) && !read_slow(plic, word, &old)) {
        return false;
    }
    return write_word(plic, word, (old & ~mask) | ((uint32_t)value << shift & mask));
}

bool plic_read(struct plic *plic, uint32_t offset, unsigned width, uint64_t *value)
{
    uint32_t word;
    if (width != 4 || offset % 4 != 0) {
        return (width == 1 || width == 2 || width == 8) && read_odd(plic, offset, width, value);
    }
    if (!read_word(plic, offset, &word)) {
        return false;
    }
    *value = word;
    return true;
}

bool plic_write(struct plic *plic, uint32_t offset, unsigned width, uint64_t value)
{
    if (width != 4 || offset % 4 != 0) {
        return (width == 1 || width == 2 || width == 8) && write_odd(plic, offset, width, value);
    }
    return write_word(plic, offset, (uint32_t)value);
}
