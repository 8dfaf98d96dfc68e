/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host with a few pages for tables, at made-up machine addresses, and a walk as the manual has it
 * ("Virtual Address Translation Process", "Guest Physical Address Translation"), written from there
 * alone.
 *
 * Of a table's 512 entries (of a root's 2048) only the first ENTRIES exist, to keep CBMC's arrays
 * small: an access to another one would be outside of the array, and fail. Proofs have addresses
 * whose parts are below that.
 */
#ifndef TESTS_PROOFS_TABLES_H
#define TESTS_PROOFS_TABLES_H

#include "caldarium/host.h"
#include "riscv/csr.h"
#include "tests/proofs/proof.h"

#ifndef TABLES
#define TABLES 8
#endif
#ifndef ENTRIES
#define ENTRIES 4
#endif
#define TABLES_PA 0x80000000UL
#define TABLES_STEP 0x4000UL /* a root takes as much */

static uint64_t tables[TABLES][ENTRIES];
static uint64_t tables_taken;

void *host_pages_alloc(uint64_t bytes, uint64_t align)
{
    holds(bytes <= TABLES_STEP && align >= bytes);
    if (tables_taken == TABLES || nondet_bool())
        return NULL;
    return tables[tables_taken++];
}

uint64_t host_pa(const void *va)
{
    uint64_t offset = (uint64_t)((const char *)va - (const char *)tables);
    holds(offset % sizeof(tables[0]) == 0);
    return TABLES_PA + offset / sizeof(tables[0]) * TABLES_STEP;
}

void *host_va(uint64_t pa)
{
    holds(pa >= TABLES_PA && pa < TABLES_PA + tables_taken * TABLES_STEP && pa % TABLES_STEP == 0);
    return tables[(pa - TABLES_PA) / TABLES_STEP];
}

void host_may_yield(void)
{
}

/* Page-aligned, below `end`, with all parts of its page's number below ENTRIES. */
static inline uint64_t page_below(uint64_t end)
{
    uint64_t address = nondet_u64();
    assume(address < end && address % HOST_PAGE_SIZE == 0);
    assume((address >> 12 & 511) < ENTRIES && (address >> 21 & 511) < ENTRIES &&
           address >> 30 < ENTRIES);
    return address;
}

/* The leaf for an address in three levels, and what it leads to; 0: none. */
static inline uint64_t walk(uint64_t *table, uint64_t address, uint64_t *pa)
{
    for (unsigned n = 0; n < 3; n++) {
        unsigned level = 2 - n;
        uint64_t pte = table[address >> (12 + 9 * level) & (n == 0 ? 2047 : 511)];
        if (!(pte & PTE_V))
            return 0;
        uint64_t to = (pte >> 10) << 12, inside = (HOST_PAGE_SIZE << 9 * level) - 1;
        if (pte & (PTE_R | PTE_X)) {
            holds((to & inside) == 0); /* else it would be a misaligned superpage: a fault */
            *pa = to | (address & inside);
            return pte;
        }
        table = host_va(to);
    }
    return 0;
}

#endif
