/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The second stage: guest-physical to host-physical, built whole when the VM is made, so that a
 * running guest never faults on its own RAM. Source: privileged manual, "Two-Stage Address
 * Translation": the formats of Sv39/48/57 with a root of four pages (two more address bits), every
 * leaf with U set.
 */
#include "lib/engine/h/gstage.h"

#include "host/host.h"
#include "riscv/csr.h"

#define ROOT_BYTES (4 * HOST_PAGE_SIZE)
#define READ_ONLY (PTE_V | PTE_R | PTE_U | PTE_A)
#define LEAF (READ_ONLY | PTE_W | PTE_X | PTE_D)

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

static int map_leaf(struct gstage *stage, uint64_t gpa, uint64_t pa, unsigned leaf, uint64_t flags)
{
    uint64_t *table = stage->root;
    unsigned top = stage->levels - 1;
    for (unsigned level = top;; level--) {
        uint64_t index = gpa >> (12 + 9 * level) & (level == top ? 2047 : 511);
        if (level == leaf) {
            table[index] = pa >> 12 << PTE_PPN_SHIFT | flags;
            return 0;
        }
        if (!(table[index] & PTE_V)) {
            void *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
            if (!page)
                return -1;
            stage->pages++;
            table[index] = host_pa(page) >> 12 << PTE_PPN_SHIFT | PTE_V;
        }
        table = host_va(pte_pa(table[index]));
    }
}

#define YIELD_ENTRIES 1024

static int map(struct gstage *table, uint64_t gpa, uint64_t pa, uint64_t size, uint64_t flags)
{
    unsigned entries = 0;
    while (size) {
        unsigned leaf = leaf_level(gpa, pa, size);
        if (map_leaf(table, gpa, pa, leaf, flags) < 0)
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
    return map(table, gpa, pa, size, LEAF);
}

int gstage_map_read_only(struct gstage *table, uint64_t gpa, uint64_t pa, uint64_t size)
{
    return map(table, gpa, pa, size, READ_ONLY);
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
        bool pointer = pte & PTE_V && !(pte & (PTE_R | PTE_W | PTE_X));
        if (pointer) {
            level--;
            table[level] = host_va(pte_pa(pte));
            index[level] = 0;
        }
    }
    stage->root = NULL;
    stage->pages = 0;
}
