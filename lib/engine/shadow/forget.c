/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that the host has taken away. Shadow entries name machine pages, so what went is looked for
 * by their numbers: in all tables of the vCPU, once for all pages that went since it looked last,
 * by a small filter. What the filter takes for one of them although it is not is only filled anew.
 * That costs some 1,500 instructions a table in use; noting at each fill where a page
 * is entered would cost every fill a third more.
 */
#include "lib/engine/shadow/shadow.h"
#include "caldarium/host.h"
#include "riscv/asm.h"

#define ENTRIES 512
#define BITS 4096 /* of the filter, one for each value of a page number's last bits */

static bool in_filter(const uint64_t *filter, uint64_t page)
{
    return filter[page % BITS / 64] >> page % 64 & 1;
}

#define LEAF (PTE_R | PTE_W | PTE_X)
#define ROUND 8 /* most of a table is empty */

static uint64_t any_of(const uint64_t *entries)
{
    uint64_t any = 0;
    for (unsigned n = 0; n < ROUND; n++)
        any |= entries[n];
    return any;
}

/* The pool's free pages too: nothing reads what they hold. */
static void clear_entries(struct s_vcpu *s, const uint64_t *filter)
{
    for (unsigned n = 1; n < s->unused; n++) {
        uint64_t *table = s_tables_page(s, n), *end = table + ENTRIES;
        for (; table < end; table += ROUND) {
            if (!(any_of(table) & LEAF))
                continue;
            for (unsigned i = 0; i < ROUND; i++) {
                if (table[i] & LEAF && in_filter(filter, table[i] >> PTE_PPN_SHIFT))
                    table[i] = 0;
            }
        }
    }
}

void s_forget(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    struct memory *memory = &v->vm->memory;
    uint64_t filter[BITS / 64] = {0};
    uint64_t seen = s->gone_seen, count = atomic_load(&memory->gone_count);
    s->gone_seen = count;
    if (count == seen)
        return;
    for (uint64_t n = seen; n != count && count - seen < MEMORY_GONE; n++) {
        uint64_t page = atomic_load(&memory->gone[n % MEMORY_GONE]);
        filter[page % BITS / 64] |= 1UL << page % 64;
    }
    /* Too many, or written over while they were read; or sources lead to pages of the guest's. */
    if (atomic_load(&memory->gone_count) - seen >= MEMORY_GONE || s->noting) {
        s_tables_flush(v);
        return;
    }
    clear_entries(s, filter);
    s_fetch_flush(s, true);
    sfence_vma_all();
}
