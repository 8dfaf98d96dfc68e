/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a VM's guest-physical addresses lead: slots, each a run of guest-physical memory. Both
 * engines and the library's own accesses to guest memory ask here.
 *
 * A slot's memory is one run of the host's, which is there as long as the slot is; or its pages
 * come singly: the host is asked for each (host_guest_page()) and may take it away. What it
 * answered is kept in the slot until then, so that it is asked once for all vCPUs.
 *
 * Who changes what. Slots are set and taken away by one thread at a time (lib/vm/memory.c). vCPUs
 * read them without a lock: a slot whose size is 0 is none, and its other members are written only
 * after every vCPU has looked at its mail since the size became 0, and before every vCPU has once
 * more. What is known of single pages changes with `lock` held.
 */
#ifndef LIB_ENGINE_COMMON_MEMORY_H
#define LIB_ENGINE_COMMON_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "riscv/lock.h"

#define MEMORY_SLOTS 160 /* RAM chunks, shared regions, devices */
#define MEMORY_GONE 64   /* pages that a vCPU is told of one by one */

/* What a slot is. The first three are an embedder's CALD_SLOT_*. */
enum slot_flags {
    SLOT_READ_ONLY = 1 << 0, /* stores exit as EXIT_MMIO */
    SLOT_LOG_DIRTY = 1 << 1, /* pages that are written are noted */
    SLOT_DEVICE = 1 << 2,    /* a device's registers: no RAM */
    SLOT_PRIVATE = 1 << 5,   /* an embedder's too: nobody but vCPUs and the library writes there */
    SLOT_BY_PAGE = 1 << 3,   /* the host is asked page by page */
    SLOT_REGISTERS = 1 << 4, /* a page of the host's that guests read as registers, without an exit:
                                read-only, not executed, no RAM */
};
/* Its leaves are single pages, by memory_page(). */
#define SLOT_SINGLE (SLOT_LOG_DIRTY | SLOT_BY_PAGE)
uint64_t slot_mask_of(uint32_t flags);

struct slot {
    uint64_t gpa;
    _Atomic uint64_t size; /* 0: nothing is here, whatever else is said */
    uint64_t pa;           /* of its first byte, where it is one run */
    uint8_t *va;           /* the same; NULL: no RAM, or pages that come singly */
    _Atomic uint64_t mask; /* what of PTE_* its leaves may have; 0: they are single pages */
    uint64_t attributes;   /* what they have besides: host_page_attributes() */
    _Atomic uint32_t flags;
    uint32_t number; /* the embedder's; SLOT_NO_NUMBER: the library's own */
    /* Words in single pages, which any host has: `page[n]` is the n-th page of them. */
    uint64_t **page;     /* SLOT_BY_PAGE: a word for each page of the slot; see memory.c */
    uint64_t **dirty;    /* SLOT_LOG_DIRTY: a bit for each page of the slot */
    struct s_code *code; /* SLOT_PRIVATE: engine shadow's, of its pages (copy.h); NULL: none */
};
#define SLOT_NO_NUMBER UINT32_MAX

struct memory {
    unsigned slots; /* in use or free again: none lies behind */
    struct slot slot[MEMORY_SLOTS];
    void *owner; /* whom host_guest_page() is told */
    struct lock lock;
    bool pinned;              /* an IOMMU uses the engine's table: what is mapped stays */
    _Atomic uint64_t forgets; /* how often pages went */
    _Atomic uint64_t dropped; /* `forgets` when some were known that went; changes with the lock */
    _Atomic uint64_t settled; /* every vCPU has forgotten what went up to that */
    /* For vCPUs that keep tables of their own: the machine pages that went, by number: how many,
     * and the last ones. */
    _Atomic uint64_t gone_count;
    _Atomic uint64_t gone[MEMORY_GONE];
};

static inline uint64_t slot_size(const struct slot *slot)
{
    return atomic_load_explicit(&slot->size, memory_order_relaxed);
}

static inline uint32_t slot_flags(const struct slot *slot)
{
    return atomic_load_explicit(&slot->flags, memory_order_relaxed);
}

static inline uint64_t slot_mask(const struct slot *slot)
{
    return atomic_load_explicit(&slot->mask, memory_order_relaxed);
}

/* The slot that has gpa, or NULL. */
static inline const struct slot *memory_slot(const struct memory *memory, uint64_t gpa)
{
    const struct slot *end = memory->slot + memory->slots;
    for (const struct slot *slot = memory->slot; slot < end; slot++) {
        if (gpa - slot->gpa < slot_size(slot))
            return slot;
    }
    return NULL;
}

/* No slot is there any more. Nobody uses the VM's memory. */
void memory_empty(struct memory *memory);

/*
 * A slot with all that it needs, but still of size 0, so that nobody finds it: its size is the
 * caller's to store. NULL: out of memory, or of slots. `pa` means nothing where it is by page.
 */
struct slot *slot_begin(struct memory *memory, uint64_t gpa, uint64_t size, uint64_t pa,
                        uint32_t flags);
/* Its size is 0 and nobody looks at it any more: gives back what it had. */
void slot_end(struct slot *slot, uint64_t size);
/* The same for the dirty log alone. */
bool slot_log_begin(struct slot *slot, uint64_t size);
void slot_log_end(struct slot *slot, uint64_t size);

/* What is at a guest-physical address: RAM, no RAM, or RAM whose page the host has first to get. */
enum memory_is { MEMORY_HERE, MEMORY_NOTHING, MEMORY_ABSENT };

/* How a page is wanted. PEEK: as it is known; the host isn't asked, and what it would have to be
 * asked for is ABSENT. WRITE: it is going to be written, and is noted as dirty where that is
 * logged. */
enum memory_how { MEMORY_PEEK, MEMORY_READ, MEMORY_WRITE };

struct memory_page {
    uint64_t pa;   /* where gpa leads */
    bool writable; /* a store need not come back here */
};

/*
 * RAM of `slot` at gpa. NOTHING also for a WRITE where the slot is read-only. What it says holds
 * until the vCPU that asks looks at its mail; for others until the host takes the page away.
 */
enum memory_is memory_page(struct memory *memory, const struct slot *slot, uint64_t gpa,
                           enum memory_how how, struct memory_page *page);

/* Where the host reaches RAM at gpa, by the same rules; `run`: so many bytes are there in one
 * piece. After a write: memory_wrote(). */
enum memory_is memory_reach(struct memory *memory, uint64_t gpa, enum memory_how how, uint8_t **va,
                            uint64_t *run);
/* [gpa, gpa+bytes) was written there, all in one slot. */
void memory_wrote(struct memory *memory, uint64_t gpa, uint64_t bytes);

/* `lock` is held: forgets what is known of single pages of the slot in [gpa, gpa+size), which lies
 * in it. True: there was something. */
bool memory_drop(struct memory *memory, const struct slot *slot, uint64_t gpa, uint64_t size);
/* `lock` is held: vCPUs with tables of their own forget everything. */
void memory_drop_all(struct memory *memory);

/* Zeroed words in single pages. NULL: no memory. */
uint64_t **memory_words_take(uint64_t words);
void memory_words_give(uint64_t **array, uint64_t words);
static inline _Atomic uint64_t *memory_word(uint64_t **array, uint64_t n)
{
    return (_Atomic uint64_t *)&array[n / 512][n % 512];
}

#endif
