/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What shadow entries were made from. Every entry that a vCPU has while `noting` is true belongs to
 * a source here, but for those of paging off, which nothing can change: a source is a run of the
 * guest's leaf entries, the entries above that lead to them, and what was read of them all. As long
 * as the guest's memory still says the same, a walk made now would give the same shadow entries:
 * that is all that a fence asks for. Nothing is write-protected for this, and devices or other
 * vCPUs may do the writing.
 *
 * A source is forgotten with the tables that its entries are in, if not before.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "lib/engine/shadow/shadow.h"
#include "riscv/walk.h"

static uint64_t now(const _Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

/* The list's source for these entries, or a new one in it. NULL: there are no more. (One entry may
 * have two, when a large page and a table took turns at its address: both have to be so still.) */
static struct s_source *source_find(struct s_vcpu *s, struct s_made *made, uint64_t *shadow,
                                    unsigned count)
{
    for (unsigned n = made->sources; n; n = s->source[n].next) {
        if (s->source[n].shadow == shadow && s->source[n].count == count)
            return &s->source[n];
    }
    unsigned number = s->free_sources;
    if (number)
        s->free_sources = s->source[number].next;
    else if (s->unused_sources < S_SOURCES)
        number = s->unused_sources++;
    else
        return NULL;
    s->source[number] = (struct s_source){.shadow = shadow, .next = made->sources};
    made->sources = (uint16_t)number;
    return &s->source[number];
}

/* riscv_walk()'s reader that remembers the way. */
struct way {
    struct engine_vm *vm;
    struct s_source *source;
    unsigned levels;
};

static bool source_read(void *owner, uint64_t gpa, uint64_t *pte)
{
    struct way *way = owner;
    const _Atomic uint64_t *at = s_word(way->vm, gpa);
    if (!at)
        return false;
    *pte = now(at);
    if (way->levels < sizeof(way->source->above) / sizeof(way->source->above[0])) {
        way->source->above[way->levels].at = at;
        way->source->above[way->levels].seen = *pte;
    }
    way->levels++;
    return true;
}

static bool known_same(const struct s_source *source, const uint64_t *seen, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        if (source->seen[n] != seen[n])
            return false;
    }
    return true;
}

void s_source_note(struct engine_vcpu *v, uint64_t gva, const struct s_found *found,
                   struct s_made *made, uint64_t *shadow, const uint64_t *seen, unsigned count)
{
    struct s_vcpu *s = &v->s;
    struct s_source *source = source_find(s, made, shadow, count);
    struct way way = {.vm = v->vm, .source = source};
    struct riscv_leaf leaf;
    /* Another vCPU may have led the walk elsewhere since the one that the entries are from. */
    if (!source || !riscv_walk(s->satp, gva, source_read, &way, &leaf) || leaf.at != found->at ||
        leaf.pte != found->pte) {
        s->noting = false;
        return;
    }
    /* Entered anew before the guest's fence: that finds no difference any more. */
    if (source->leaf && !known_same(source, seen, count))
        s_places_flush(s);
    source->levels = (uint8_t)(way.levels - 1); /* the last one read is the leaf */
    source->leaf = s_word(v->vm, found->at - (count > 1 ? found->at % (count * 8) : 0));
    source->count = (uint8_t)count;
    for (unsigned n = 0; n < count; n++)
        source->seen[n] = seen[n];
}

/* A table may have been put in its place since, whose entries have sources of their own. */
static void clear(uint64_t *entry)
{
    if (!s_is_table(*entry))
        *entry = 0;
}

/* Clears the entries whose leaf is another one now. */
static void look_closer(struct s_source *source)
{
    for (unsigned n = 0; n < source->count; n++) {
        uint64_t leaf = now(&source->leaf[n]);
        if (leaf != source->seen[n])
            clear(&source->shadow[n]);
        source->seen[n] = leaf;
    }
}

static bool leads_there(const struct s_source *source)
{
    for (unsigned n = 0; n < source->levels; n++) {
        if (now(source->above[n].at) != source->above[n].seen)
            return false;
    }
    return true;
}

static bool leaves_same(const struct s_source *source)
{
    uint64_t differs = 0;
    if (source->count != S_NEIGHBOURS)
        return source->count == 0 || now(source->leaf) == source->seen[0];
#pragma GCC unroll 16
    for (unsigned n = 0; n < S_NEIGHBOURS; n++)
        differs |= now(&source->leaf[n]) ^ source->seen[n];
    return !differs;
}

/* What is shared was seen under some satp; it has to be so under the present one. */
static void look_under(struct s_source *source, const _Atomic uint64_t *root)
{
    const _Atomic uint64_t **at = source->levels ? &source->above[0].at : &source->leaf;
    *at = root + ((uintptr_t)*at / 8 & 511);
}

bool s_source_check(struct engine_vcpu *v, struct s_made *made)
{
    struct s_vcpu *s = &v->s;
    bool shared = made == &s->shared_made, differs = false;
    const _Atomic uint64_t *root = s_word(v->vm, (s->satp & SATP_PPN_MASK) << 12);
    uint16_t *link = &made->sources;
    while (*link) {
        unsigned number = *link;
        struct s_source *source = &s->source[number];
        if (shared && root)
            look_under(source, root);
        if (root && leads_there(source)) {
            if (!leaves_same(source)) {
                look_closer(source);
                differs = true;
            }
            link = &source->next;
            continue;
        }
        differs = true;
        for (unsigned n = 0; n < source->count; n++)
            clear(&source->shadow[n]);
        *link = source->next;
        source->next = s->free_sources;
        s->free_sources = (uint16_t)number;
    }
    made->fence = s->fence;
    return differs;
}

void s_source_drop(struct s_vcpu *s, struct s_made *made)
{
    uint16_t *link = &made->sources;
    while (*link)
        link = &s->source[*link].next;
    *link = s->free_sources;
    s->free_sources = made->sources;
    made->sources = 0;
}

void s_source_reset(struct s_vcpu *s)
{
    s->unused_sources = 1;
    s->free_sources = 0;
    s->shared_made = (struct s_made){.fence = s->fence};
}
