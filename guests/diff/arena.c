/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of code and data, and the addresses that they have. */
#include "guests/diff/arena.h"
#include "guests/diff/steps.h"

#define PAGES 144 /* more than engine shadow has copies for a small VM */
#define WINDOW 4  /* of them in a sequence */
#define DATA_AT 0x600UL
#define DATA_BYTES 0x200UL

_Static_assert(PAGES *PAGE < 0xc0000, "a jump reaches run_end from all of it");

static uint8_t arena[PAGES * PAGE] __attribute__((aligned(4096)));
static uint64_t second[2][ENTRIES] __attribute__((aligned(4096)));
static uint64_t last[2][ENTRIES] __attribute__((aligned(4096)));
static unsigned window; /* the first page of it */

uint64_t *arena_tables(bool user)
{
    return second[user];
}

uint16_t *arena_pointer(uint64_t offset)
{
    return (uint16_t *)(void *)(arena + window * PAGE + offset);
}

uint64_t arena_va(uint64_t offset, enum alias alias)
{
    uint64_t home = (uint64_t)arena_pointer(offset), within = home - (uint64_t)arena;
    switch (space_now == BARE ? AT_HOME : alias) {
    case AT_AGAIN:
        return home - RAM + RAM_AGAIN;
    case AT_PAGES:
        return ARENA_S + within;
    case AT_USER:
        return home - RAM + USER_ALIAS;
    case AT_USER_PAGES:
        return ARENA_U + within;
    default:
        return home;
    }
}

bool arena_has(uint64_t va)
{
    uint64_t home = (uint64_t)arena;
    uint64_t from[] = {home, home - RAM + RAM_AGAIN, ARENA_S, home - RAM + USER_ALIAS, ARENA_U};
    for (unsigned n = 0; n < COUNT(from); n++) {
        uint64_t within = va - from[n] - window * PAGE;
        if (within < WINDOW * PAGE)
            return within % PAGE - DATA_AT < DATA_BYTES;
    }
    return false;
}

enum alias arena_for_data(void)
{
    return (enum alias)(chance(40) ? AT_HOME : below(ALIASES));
}

enum alias arena_for_code(bool user)
{
    if (chance(3))
        return (enum alias)below(ALIASES);
    return (enum alias)(user ? AT_USER + below(2) : AT_HOME + below(3));
}

/* A is set: whether a hart sets it for what it fetches and then doesn't execute is open. */
static uint64_t leaf(unsigned page, bool user)
{
    static const uint8_t likely[] = {PTE_R | PTE_X,         PTE_R | PTE_X, PTE_R | PTE_W | PTE_X,
                                     PTE_R | PTE_W | PTE_X, PTE_X,         PTE_R | PTE_W};
    uint64_t flags = PTE_V | PTE_A | likely[below(COUNT(likely))] | (chance(75) ? PTE_D : 0);
    if (user != chance(10))
        flags |= PTE_U;
    return (uint64_t)(arena + page * PAGE) >> 12 << PTE_PPN_SHIFT | (chance(4) ? 0 : flags);
}

void arena_edit(void)
{
    bool user = chance(50);
    unsigned page = window + below(WINDOW);
    *(volatile uint64_t *)&last[user][page] = leaf(page, user);
    if (chance(50))
        sfence_vma_all();
    else
        sfence_vma_address((user ? ARENA_U : ARENA_S) + page * PAGE);
}

void arena_reset(void)
{
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned n = 0; n < WINDOW; n++)
            last[user][window + n] = 0;
        second[user][0] = (uint64_t)last[user] >> 12 << PTE_PPN_SHIFT | PTE_V;
    }
    window = below(PAGES - WINDOW + 1);
    for (unsigned user = 0; user < 2; user++) {
        for (unsigned n = 0; n < WINDOW; n++)
            last[user][window + n] = leaf(window + n, user);
    }
    volatile uint64_t *words = (uint64_t *)(void *)arena_pointer(0);
    for (unsigned n = 0; n < WINDOW * ENTRIES; n++)
        words[n] = 0x9002900290029002; /* c.ebreak */
    for (unsigned n = 0; n < WINDOW; n++) {
        for (unsigned m = 0; m < DATA_BYTES / 8; m++)
            words[n * ENTRIES + DATA_AT / 8 + m] = random_word();
    }
}

/* What is there is what was stored, whatever was executed of it. */
void arena_fold(void)
{
    volatile uint64_t *words = (uint64_t *)(void *)arena_pointer(0);
    uint64_t sum = 0;
    for (unsigned n = 0; n < WINDOW * ENTRIES; n++)
        sum = (sum ^ words[n]) * 0x9e3779b97f4a7c15;
    fold(sum);
    for (unsigned n = 0; n < WINDOW; n++) {
        fold(last[0][window + n]);
        fold(last[1][window + n]);
    }
}

uint64_t arena_data(void)
{
    return below(WINDOW) * PAGE + DATA_AT + 16 + below(DATA_BYTES - 64);
}

/* Before and behind the page's data, or over the end of a page. */
uint64_t arena_code(void)
{
    unsigned n = below(15);
    uint64_t page = below(WINDOW) * PAGE;
    if (n < 5)
        return page + 0x100 + n * 0x100;
    if (n < 12)
        return page + 0x800 + (n - 5) * 0x100;
    return below(WINDOW - 1) * PAGE + PAGE - 2 - 2 * below(32);
}

void arena_write(uint64_t va, uint32_t insn)
{
    volatile uint16_t *halves = (volatile uint16_t *)va;
    if (va & 2 || chance(20)) {
        halves[0] = (uint16_t)insn;
        halves[1] = (uint16_t)(insn >> 16);
    } else {
        *(volatile uint32_t *)va = insn;
    }
}
