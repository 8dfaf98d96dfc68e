/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second stage: guest-physical to host-physical, built whole when the VM is made, so that a
 * running guest never faults on its own RAM. Source: privileged manual, "Two-Stage Address
 * Translation": the formats of Sv39/48/57 with a root of four pages (two more address bits), every
 * leaf with U set.
 */
#include "lib/engine/h/gstage.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "caldarium/caldarium.h"
#include "caldarium/devices.h"
#include "caldarium/host.h"
#include "riscv/csr.h"

#define ROOT_BYTES (4 * HOST_PAGE_SIZE)
#define LEAF (PTE_V | PTE_R | PTE_W | PTE_X | PTE_U | PTE_A | PTE_D)

static uint64_t level_bytes(unsigned level)
{
    return HOST_PAGE_SIZE << 9 * level;
}

static uint64_t pte_pa(uint64_t pte)
{
    return pte >> PTE_PPN_SHIFT << 12;
}

unsigned gstage_levels(uint64_t end, unsigned modes)
{
    for (unsigned levels = 3; levels <= 5; levels++) {
        if (modes >> levels & 1 && end <= 4 * level_bytes(levels))
            return levels;
    }
    return 0;
}

int gstage_init(struct gstage *table, unsigned levels)
{
    table->root = host_pages_alloc(ROOT_BYTES, ROOT_BYTES);
    table->pages = table->root ? 4 : 0;
    table->levels = levels;
    return table->root ? 0 : -1;
}

uint64_t gstage_atp(const struct gstage *table)
{
    uint64_t mode = SATP_MODE_SV39 + table->levels - 3;
    return mode << SATP_MODE_SHIFT | host_pa(table->root) >> 12;
}

/* The largest page that starts at both addresses and fits in `size`; at most 1 GiB. */
static unsigned leaf_level(uint64_t gpa, uint64_t pa, uint64_t size)
{
    unsigned level = 2;
    while (level && ((gpa | pa) & (level_bytes(level) - 1) || size < level_bytes(level)))
        level--;
    return level;
}

/* Harts walk the table meanwhile: each change is one store, after all that it leads to. */
static void set(uint64_t *entry, uint64_t value)
{
    atomic_store_explicit((_Atomic uint64_t *)entry, value, memory_order_release);
}

static bool is_table(uint64_t pte)
{
    return pte & PTE_V && !(pte & (PTE_R | PTE_W | PTE_X));
}

/* The table behind an entry at `level`, made where there is none; where there is a leaf, in its
 * pieces. NULL: out of memory. */
static uint64_t *descend(struct gstage *stage, uint64_t *entry, unsigned level)
{
    uint64_t before = *entry;
    if (is_table(before))
        return host_va(pte_pa(before));
    uint64_t *table = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    if (!table)
        return NULL;
    stage->pages++;
    uint64_t step = before & PTE_V ? level_bytes(level - 1) >> 12 << PTE_PPN_SHIFT : 0;
    for (unsigned n = 0; n < 512 && step; n++)
        table[n] = before + n * step;
    set(entry, host_pa(table) >> 12 << PTE_PPN_SHIFT | PTE_V);
    return table;
}

static uint64_t *entry_of(const struct gstage *stage, uint64_t *table, uint64_t gpa, unsigned level)
{
    return &table[gpa >> (12 + 9 * level) & (level == stage->levels - 1 ? 2047 : 511)];
}

/* A leaf at level *leaf, or at a lower one where a part was split: that is in *leaf then. */
static int map_leaf(struct gstage *stage, uint64_t gpa, uint64_t pa, unsigned *leaf, uint64_t flags)
{
    uint64_t *table = stage->root;
    for (unsigned level = stage->levels - 1;; level--) {
        uint64_t *entry = entry_of(stage, table, gpa, level);
        if (level == *leaf && level && is_table(*entry))
            --*leaf;
        if (level == *leaf) {
            set(entry, pa >> 12 << PTE_PPN_SHIFT | flags);
            return 0;
        }
        table = descend(stage, entry, level);
        if (!table)
            return -1;
    }
}

#define YIELD_ENTRIES 1024

int gstage_map_as(struct gstage *table, uint64_t gpa, uint64_t pa, uint64_t size, uint64_t mask)
{
    unsigned entries = 0;
    while (size) {
        unsigned leaf = leaf_level(gpa, pa, size);
        if (map_leaf(table, gpa, pa, &leaf, LEAF & mask) < 0)
            return -1;
        if (!(++entries % YIELD_ENTRIES))
            host_may_yield();
        uint64_t step = level_bytes(leaf);
        gpa += step;
        pa += step;
        size -= step;
    }
    return 0;
}

int gstage_map(struct gstage *table, uint64_t gpa, uint64_t pa, uint64_t size)
{
    return gstage_map_as(table, gpa, pa, size, UINT64_MAX);
}

int gstage_split(struct gstage *stage, uint64_t gpa, uint64_t size)
{
    uint64_t end = gpa + size, bytes = level_bytes(1);
    for (uint64_t at = gpa & ~(bytes - 1); at < end; at += bytes) {
        uint64_t *table = stage->root;
        for (unsigned level = stage->levels - 1; level && table; level--)
            table = descend(stage, entry_of(stage, table, at, level), level);
        if (!table)
            return -1;
    }
    return 0;
}

/* The leaf for gpa, or the empty entry on the way to it; its level. */
static uint64_t *find(const struct gstage *stage, uint64_t gpa, unsigned *level)
{
    uint64_t *table = stage->root;
    for (*level = stage->levels - 1;; --*level) {
        uint64_t *entry = entry_of(stage, table, gpa, *level);
        if (!*level || !is_table(*entry))
            return entry;
        table = host_va(pte_pa(*entry));
    }
}

void gstage_page(struct gstage *stage, uint64_t gpa, uint64_t pa, uint64_t mask)
{
    unsigned level;
    uint64_t *entry = find(stage, gpa, &level);
    if (!level)
        set(entry, pa >> 12 << PTE_PPN_SHIFT | (LEAF & mask));
}

void gstage_again(struct gstage *stage, uint64_t gpa, uint64_t first, uint64_t size, uint64_t pa,
                  uint64_t mask)
{
    unsigned level;
    uint64_t *entry = find(stage, gpa, &level);
    uint64_t begin = gpa & ~(level_bytes(level) - 1), offset = begin - first;
    if (begin >= first && offset < size && size - offset >= level_bytes(level))
        set(entry, (pa + offset) >> 12 << PTE_PPN_SHIFT | (LEAF & mask));
}

/* Leaves of [gpa, gpa+size) keep `mask` of what they are. */
static void reduce(struct gstage *stage, uint64_t gpa, uint64_t size, uint64_t mask)
{
    uint64_t end = gpa + size;
    while (gpa < end) {
        unsigned level;
        uint64_t *entry = find(stage, gpa, &level), pte = *entry;
        if (pte & ~mask)
            set(entry, pte & mask);
        gpa = (gpa & ~(level_bytes(level) - 1)) + level_bytes(level);
    }
}

void gstage_unmap(struct gstage *stage, uint64_t gpa, uint64_t size)
{
    reduce(stage, gpa, size, 0);
}

void gstage_protect(struct gstage *stage, uint64_t gpa, uint64_t size)
{
    reduce(stage, gpa, size, ~PTE_W);
}

/* Frees the tables below: a walk with one index a level instead of recursion. */
void gstage_fini(struct gstage *stage)
{
    if (!stage->root)
        return;
    unsigned top = stage->levels - 1, level = top;
    uint64_t *table[5] = {0};
    unsigned index[5] = {0};
    table[top] = stage->root;
    for (;;) {
        unsigned entries = level == top ? 2048 : 512;
        if (index[level] == entries) {
            host_pages_free(table[level], level == top ? ROOT_BYTES : HOST_PAGE_SIZE);
            host_may_yield();
            if (level == top)
                break;
            level++;
            continue;
        }
        uint64_t pte = table[level][index[level]++];
        if (is_table(pte)) {
            level--;
            table[level] = host_va(pte_pa(pte));
            index[level] = 0;
        }
    }
    stage->root = NULL;
    stage->pages = 0;
}

/* ---- A host's own ---------------------------------------------------------------------------- */

static struct gstage table_of(uint64_t atp)
{
    unsigned levels = (unsigned)((atp >> SATP_MODE_SHIFT) - SATP_MODE_SV39 + 3);
    return (struct gstage){.root = host_va((atp & SATP_PPN_MASK) << 12), .levels = levels};
}

uint64_t cald_table_create(uint64_t end, uint32_t modes)
{
    struct gstage table;
    unsigned levels = gstage_levels(end, modes);
    return levels && gstage_init(&table, levels) == 0 ? gstage_atp(&table) : 0;
}

int cald_table_map(uint64_t table, uint64_t gpa, uint64_t pa, uint64_t size)
{
    if (!table)
        return CALD_EINVAL;
    struct gstage stage = table_of(table);
    uint64_t reach = 4 * level_bytes(stage.levels);
    if ((gpa | pa | size) & (HOST_PAGE_SIZE - 1) || gpa > reach || size > reach - gpa)
        return CALD_EINVAL;
    return gstage_map(&stage, gpa, pa, size) < 0 ? CALD_ENOMEM : CALD_OK;
}

void cald_table_destroy(uint64_t table)
{
    if (!table)
        return;
    struct gstage stage = table_of(table);
    gstage_fini(&stage);
}
