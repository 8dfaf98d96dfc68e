/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's memory in a slot anywhere, whose pages the host is asked for. What is the VM's is, of
 * `given`, the pages that the host answered with.
 */
#ifndef TESTS_PROOFS_MEMORY_H
#define TESTS_PROOFS_MEMORY_H

#include "caldarium/host.h"
#include "lib/engine/common/memory.h"
#include "tests/proofs/proof.h"

#define SINGLE_PAGES 2
#define GIVEN_PAGES 4
#define GIVEN_PA 0x90000000UL

static struct memory memory;
static uint8_t given[GIVEN_PAGES * HOST_PAGE_SIZE];
static uint64_t words[SINGLE_PAGES], *word_pages[1] = {words};
static uint64_t dirty[1], *dirty_pages[1] = {dirty};
static bool given_writable[GIVEN_PAGES], is_given[GIVEN_PAGES];

void *host_va(uint64_t pa)
{
    holds(pa >= GIVEN_PA && pa - GIVEN_PA < sizeof(given));
    holds(is_given[(pa - GIVEN_PA) / HOST_PAGE_SIZE]);
    return given + (pa - GIVEN_PA);
}

enum cald_page_is host_guest_page(void *owner, uint64_t gpa, bool write, struct cald_page *page)
{
    (void)gpa;
    holds(owner == &memory);
    uint64_t n = below(GIVEN_PAGES);
    if (nondet_bool())
        return nondet_bool() ? CALD_PAGE_ABSENT : CALD_PAGE_NOTHING;
    is_given[n] = true;
    page->pa = GIVEN_PA + n * HOST_PAGE_SIZE + below(HOST_PAGE_SIZE);
    page->writable = given_writable[n] = write || nondet_bool();
    return CALD_PAGE_HERE;
}

static inline uint64_t any_page(void)
{
    uint64_t gpa = below(1UL << 56);
    assume(gpa % HOST_PAGE_SIZE == 0);
    return gpa;
}

static inline void memory_any(void)
{
    uint32_t logged = nondet_bool() ? SLOT_LOG_DIRTY : 0;
    memory.owner = &memory;
    memory.slots = 1;
    memory.slot[0].gpa = any_page();
    memory.slot[0].size = SINGLE_PAGES * HOST_PAGE_SIZE;
    memory.slot[0].flags = SLOT_BY_PAGE | logged | (nondet_bool() ? SLOT_READ_ONLY : 0);
    memory.slot[0].page = word_pages;
    memory.slot[0].dirty = logged ? dirty_pages : NULL;
    for (unsigned n = 0; n < SINGLE_PAGES; n++) { /* a page that is known: page n, maybe to read */
        bool known = nondet_bool(), writable = nondet_bool();
        is_given[n] = known;
        given_writable[n] = known && writable;
        words[n] = known ? GIVEN_PA + n * HOST_PAGE_SIZE + (writable ? 3 : 1) : 0;
    }
}

#endif
