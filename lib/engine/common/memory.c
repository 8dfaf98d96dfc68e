/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that come singly, and the dirty log.
 *
 * A word of slot->page is a machine page's address with HERE, and with WRITABLE where the host lets
 * it be written; 0: not asked for since it went. A page that the host takes away while a vCPU is
 * asking for it must not be entered: the asker reads `forgets` before it asks, and enters the
 * answer with the lock held and only if none has gone since. Whoever takes pages away counts in
 * `forgets`, with the lock held, before it clears the words.
 *
 * The dirty log is a bit for each page. A bit is set before a leaf with W is made of the page, so
 * that what is written is never unknown. Who reads and clears the bits has all leaves with W of
 * these pages dropped and waits for that (lib/vm/memory.c).
 */
#include "lib/engine/common/memory.h"

#include "caldarium/host.h"
#include "riscv/csr.h"

#define HERE 1UL
#define WRITABLE 2UL
#define TRIES 4 /* of a page that goes each time it comes */

uint64_t slot_mask_of(uint32_t flags)
{
    if (flags & SLOT_SINGLE)
        return 0;
    if (flags & SLOT_REGISTERS)
        return ~(PTE_W | PTE_X);
    return flags & SLOT_READ_ONLY ? ~PTE_W : UINT64_MAX;
}

static uint64_t page_number(const struct slot *slot, uint64_t gpa)
{
    return (gpa - slot->gpa) / HOST_PAGE_SIZE;
}

static enum memory_is ask(struct memory *memory, const struct slot *slot, uint64_t gpa, bool write,
                          uint64_t *word)
{
    for (unsigned n = 0; n < TRIES; n++) {
        struct cald_page page = {0};
        uint64_t before = atomic_load(&memory->forgets);
        enum cald_page_is is = host_guest_page(memory->owner, gpa, write, &page);
        if (is == CALD_PAGE_ABSENT)
            return MEMORY_ABSENT;
        if (is != CALD_PAGE_HERE || (write && !page.writable)) /* it never will be */
            return MEMORY_NOTHING;
        *word = (page.pa & ~(HOST_PAGE_SIZE - 1)) | HERE | (page.writable ? WRITABLE : 0);
        lock_take(&memory->lock);
        bool still = atomic_load(&memory->forgets) == before;
        if (still)
            atomic_store(memory_word(slot->page, page_number(slot, gpa)), *word);
        lock_release(&memory->lock);
        if (still)
            return MEMORY_HERE;
    }
    return MEMORY_ABSENT;
}

static bool dirty_bit(const struct slot *slot, uint64_t number, bool set)
{
    _Atomic uint64_t *bits = memory_word(slot->dirty, number / 64);
    uint64_t bit = 1UL << number % 64;
    if (atomic_load_explicit(bits, memory_order_relaxed) & bit)
        return true;
    if (set)
        atomic_fetch_or(bits, bit);
    return set;
}

enum memory_is memory_page(struct memory *memory, const struct slot *slot, uint64_t gpa,
                           enum memory_how how, struct memory_page *page)
{
    uint32_t flags = slot_flags(slot);
    uint64_t number = page_number(slot, gpa), inside = gpa & (HOST_PAGE_SIZE - 1);
    if (flags & (SLOT_DEVICE | SLOT_REGISTERS) || (how == MEMORY_WRITE && flags & SLOT_READ_ONLY))
        return MEMORY_NOTHING;
    *page = (struct memory_page){slot->pa + (gpa - slot->gpa), !(flags & SLOT_READ_ONLY)};
    if (flags & SLOT_BY_PAGE) {
        uint64_t word = atomic_load(memory_word(slot->page, number));
        if (!(word & HERE) || (how == MEMORY_WRITE && !(word & WRITABLE))) {
            if (how == MEMORY_PEEK)
                return MEMORY_ABSENT;
            enum memory_is is = ask(memory, slot, gpa, how == MEMORY_WRITE, &word);
            if (is != MEMORY_HERE)
                return is;
        }
        page->pa = (word & ~(HOST_PAGE_SIZE - 1)) + inside;
        page->writable &= (word & WRITABLE) != 0;
    }
    if (flags & SLOT_LOG_DIRTY && page->writable)
        page->writable = dirty_bit(slot, number, how == MEMORY_WRITE);
    return MEMORY_HERE;
}

enum memory_is memory_reach(struct memory *memory, uint64_t gpa, enum memory_how how, uint8_t **va,
                            uint64_t *run)
{
    const struct slot *slot = memory_slot(memory, gpa);
    if (!slot)
        return MEMORY_NOTHING;
    uint64_t offset = gpa - slot->gpa;
    if (slot->va && (how != MEMORY_WRITE || !(slot_flags(slot) & SLOT_READ_ONLY))) {
        *va = slot->va + offset;
        *run = slot_size(slot) - offset;
        return MEMORY_HERE;
    }
    struct memory_page page;
    enum memory_is is = memory_page(memory, slot, gpa, how, &page);
    if (is != MEMORY_HERE)
        return is;
    *va = host_va(page.pa);
    *run = HOST_PAGE_SIZE - offset % HOST_PAGE_SIZE;
    return MEMORY_HERE;
}

void memory_wrote(struct memory *memory, uint64_t gpa, uint64_t bytes)
{
    const struct slot *slot = memory_slot(memory, gpa);
    if (!bytes || !slot || !(slot_flags(slot) & SLOT_LOG_DIRTY))
        return;
    uint64_t last = page_number(slot, gpa + bytes - 1);
    for (uint64_t n = page_number(slot, gpa); n <= last; n++)
        dirty_bit(slot, n, true);
}

/* With the lock held, so that the words before the count are whole for who has read the count. */
static void went(struct memory *memory, uint64_t pa)
{
    uint64_t count = atomic_load(&memory->gone_count);
    atomic_store(&memory->gone[count % MEMORY_GONE], pa / HOST_PAGE_SIZE);
    atomic_store(&memory->gone_count, count + 1);
}

void memory_empty(struct memory *memory)
{
    for (struct slot *slot = memory->slot; slot < memory->slot + memory->slots; slot++) {
        slot_end(slot, atomic_exchange(&slot->size, 0));
    }
    memory->slots = 0;
    memory->pinned = false;
}

void memory_drop_all(struct memory *memory)
{
    atomic_fetch_add(&memory->gone_count, MEMORY_GONE + 1);
}

bool memory_drop(struct memory *memory, const struct slot *slot, uint64_t gpa, uint64_t size)
{
    bool had = false;
    if (!(slot_flags(slot) & SLOT_BY_PAGE)) {
        memory_drop_all(memory);
        return true;
    }
    uint64_t first = page_number(slot, gpa), pages = size / HOST_PAGE_SIZE;
    for (uint64_t n = first; n < first + pages; n++) {
        uint64_t word = atomic_exchange(memory_word(slot->page, n), 0);
        if (!(word & HERE))
            continue;
        had = true;
        went(memory, word & ~(HOST_PAGE_SIZE - 1));
    }
    return had;
}

static uint64_t runs(uint64_t words)
{
    return (words + 511) / 512;
}

uint64_t **memory_words_take(uint64_t words)
{
    uint64_t **array = host_pages_alloc(runs(words) * sizeof(*array), HOST_PAGE_SIZE);
    for (uint64_t n = 0; array && n < runs(words); n++) {
        array[n] = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!array[n]) {
            memory_words_give(array, words);
            return NULL;
        }
    }
    return array;
}

void memory_words_give(uint64_t **array, uint64_t words)
{
    for (uint64_t n = 0; array && n < runs(words) && array[n]; n++)
        host_pages_free(array[n], HOST_PAGE_SIZE);
    if (array)
        host_pages_free(array, runs(words) * sizeof(*array));
}

static uint64_t dirty_words(uint64_t size)
{
    return (size / HOST_PAGE_SIZE + 63) / 64;
}

bool slot_log_begin(struct slot *slot, uint64_t size)
{
    slot->dirty = memory_words_take(dirty_words(size));
    return slot->dirty;
}

void slot_log_end(struct slot *slot, uint64_t size)
{
    memory_words_give(slot->dirty, dirty_words(size));
    slot->dirty = NULL;
}

struct slot *slot_begin(struct memory *memory, uint64_t gpa, uint64_t size, uint64_t pa,
                        uint32_t flags)
{
    struct slot *slot = memory->slot;
    while (slot < memory->slot + memory->slots && slot_size(slot))
        slot++;
    if (slot == memory->slot + MEMORY_SLOTS)
        return NULL;
    bool ram = !(flags & (SLOT_DEVICE | SLOT_REGISTERS | SLOT_BY_PAGE));
    slot->gpa = gpa;
    slot->pa = pa;
    slot->va = ram ? host_va(pa) : NULL;
    slot->attributes = host_page_attributes(flags & SLOT_DEVICE);
    slot->number = SLOT_NO_NUMBER;
    slot->page = slot->dirty = NULL;
    slot->code = NULL;
    atomic_store(&slot->flags, flags);
    atomic_store(&slot->mask, slot_mask_of(flags));
    if ((flags & SLOT_BY_PAGE && !(slot->page = memory_words_take(size / HOST_PAGE_SIZE))) ||
        (flags & SLOT_LOG_DIRTY && !slot_log_begin(slot, size))) {
        slot_end(slot, size);
        return NULL;
    }
    if (slot == memory->slot + memory->slots)
        memory->slots++;
    return slot;
}

void slot_end(struct slot *slot, uint64_t size)
{
    memory_words_give(slot->page, size / HOST_PAGE_SIZE);
    slot->page = NULL;
    slot_log_end(slot, size);
}
