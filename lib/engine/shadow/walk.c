/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's own page tables, followed as its hart would (privileged manual, "Virtual Address
 * Translation Process"). Tables are read, and with Svadu written, while other vCPUs may change
 * them.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/csr.h"
#include "riscv/walk.h"

/* What a walk is told about: where to read, and whether it ran out of RAM. */
struct walk {
    struct engine_vm *vm;
    bool outside;
    uint64_t gpa; /* where it did */
};

static inline bool read(void *owner, uint64_t gpa, uint64_t *pte)
{
    struct walk *walk = owner;
    _Atomic uint64_t *at = s_word(walk->vm, gpa);
    walk->outside = !at;
    walk->gpa = gpa;
    if (at)
        *pte = atomic_load_explicit(at, memory_order_relaxed);
    return at != NULL;
}

static const uint64_t page_fault[] = {CAUSE_INSN_PAGE, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE};

static bool allowed(const struct engine_vcpu *v, uint64_t pte, enum s_access access)
{
    const struct s_vcpu *s = &v->s;
    if (pte & PTE_ABOVE_PPN) /* the guest has no extension that gives them a meaning */
        return false;
    if (!s_mode_allows(s, pte) || (access == S_FETCH && !s->user && pte & PTE_U))
        return false;
    if (access == S_FETCH)
        return pte & PTE_X;
    if (access == S_STORE)
        return pte & PTE_W;
    return pte & PTE_R || (s->sstatus & SSTATUS_MXR && pte & PTE_X);
}

/* What a walk ends with that finds no RAM for a table. */
static uint64_t no_table(struct engine_vcpu *v, uint64_t gpa, bool write, enum s_access access)
{
    return s_absent(v, gpa, write) ? S_ABSENT : s_access_fault(access);
}

/* The accessed and dirty bits as Svadu sets them, where the entry is still the same; `pte` is what
 * it is then, or 0. False: it can't be written. */
static bool mark(struct engine_vm *vm, const struct s_found *found, uint64_t bits, uint64_t *pte)
{
    _Atomic uint64_t *at = s_word_to_write(vm, found->at);
    uint64_t before = found->pte;
    if (!at)
        return false;
    *pte = atomic_compare_exchange_strong(at, &before, before | bits) ? before | bits : 0;
    return true;
}

/*
 * A store fault can be a cache-block operation's: cbo.clean, .flush and .inval need no more than a
 * load does, and change nothing (CMO extensions, "Traps"). Reading the instruction is for where it
 * makes a difference.
 */
static bool is_block_operation(struct engine_vcpu *v)
{
    uint64_t open = v->s.user ? v->s.senvcfg : v->vm->s.envcfg;
    uint32_t insn;
    return open & (ENVCFG_CBCFE | ENVCFG_CBIE_INVAL) && s_fetch_insn(v, v->pc, &insn) &&
           (insn & 0xfff07fff & ~(3U << 20)) == 0x200f && (insn >> 20 & 3) != 3;
}

uint64_t s_translate(struct engine_vcpu *v, uint64_t gva, enum s_access access,
                     struct s_found *found)
{
    struct walk walk = {.vm = v->vm};
    for (;;) {
        struct riscv_leaf leaf;
        if (!riscv_walk_inline(v->s.satp, gva, read, &walk, &leaf))
            return walk.outside ? no_table(v, walk.gpa, false, access) : page_fault[access];
        *found = (struct s_found){leaf.pa, leaf.pte, leaf.at, leaf.shift};
        if (!leaf.pte)
            return 0;
        bool store = access == S_STORE;
        if (store && (!allowed(v, leaf.pte, S_STORE) || !(leaf.pte & PTE_D)))
            store = !is_block_operation(v);
        if (!allowed(v, leaf.pte, access == S_STORE && !store ? S_LOAD : access))
            return page_fault[access];
        uint64_t bits = PTE_A | (store ? PTE_D : 0);
        if ((leaf.pte & bits) == bits)
            return 0;
        if (!v->vm->s.adue)
            return page_fault[access];
        uint64_t pte;
        if (!mark(v->vm, found, bits, &pte))
            return no_table(v, found->at, true, access);
        found->pte = pte;
        if (pte)
            return 0;
    }
}

static bool fetch_half(struct engine_vcpu *v, uint64_t gva, uint16_t *half)
{
    struct s_found found;
    if (gva & 1 || s_translate(v, gva, S_FETCH, &found))
        return false;
    const uint8_t *at = s_ram(v->vm, found.gpa);
    if (at)
        *half = *(const volatile uint16_t *)at;
    return at;
}

bool s_fetch_insn(struct engine_vcpu *v, uint64_t gva, uint32_t *insn)
{
    uint16_t low, high = 0;
    if (!fetch_half(v, gva, &low))
        return false;
    if (riscv_insn_bytes(low) == 4 && !fetch_half(v, gva + 2, &high))
        return false;
    *insn = (uint32_t)high << 16 | low;
    return true;
}

/* The kernel's own pages alone: nothing else is executed in S-mode. */
void s_fetch_note(struct engine_vcpu *v)
{
    struct s_fetch_line *line = s_fetch_line(&v->s, v->pc);
    struct s_found found;
    if (line->page == v->pc >> 12 || v->s.user || s_translate(v, v->pc, S_FETCH, &found))
        return;
    const uint8_t *page = s_ram(v->vm, found.gpa & ~(HOST_PAGE_SIZE - 1));
    if (!page)
        return;
    const struct slot *slot = memory_slot(&v->vm->memory, found.gpa);
    *line = (struct s_fetch_line){v->pc >> 12, page, (uint16_t)s_copy_of(slot, found.gpa)};
    uint64_t inside = (1UL << (found.pte ? found.shift : 12)) - 1;
    uint64_t low = v->pc & ~inside, end = v->pc | inside;
    if (low < v->s.code_low || end > v->s.code_end)
        v->s.near.region = S_NO_REGION; /* it may be there */
    v->s.code_low = low < v->s.code_low ? low : v->s.code_low;
    v->s.code_end = end > v->s.code_end ? end : v->s.code_end;
    uint16_t bit = (uint16_t)(1U << (line - v->s.fetch));
    v->s.fetch_local =
        (uint16_t)(found.pte & PTE_G ? v->s.fetch_local & ~bit : v->s.fetch_local | bit);
}

void s_fetch_flush(struct s_vcpu *s, bool global)
{
    if (global || s->places_local)
        s_places_flush(s);
    if (global) {
        s->code_low = UINT64_MAX;
        s->code_end = 0;
    }
    for (unsigned n = 0; n < S_FETCH_LINES && (global || s->fetch_local); n++) {
        if (global || s->fetch_local >> n & 1)
            s->fetch[n].page = UINT64_MAX;
    }
}

void s_fetch_leave(struct s_vcpu *s)
{
    for (unsigned n = 0; n < S_FETCH_LINES; n++)
        s->fetch[n].page = UINT64_MAX;
}

void s_fetch_flush_page(struct s_vcpu *s, uint64_t gva, bool global)
{
    if (gva >= s->code_low && gva <= s->code_end)
        s_fetch_flush(s, global);
}

bool s_peek(struct engine_vcpu *v, uint64_t gva, uint8_t *byte)
{
    struct s_found found;
    if (s_translate(v, gva, S_LOAD, &found))
        return false;
    const uint8_t *at = s_ram(v->vm, found.gpa);
    if (at)
        *byte = *(const volatile uint8_t *)at;
    else
        s_absent(v, found.gpa, false);
    return at;
}

bool s_glance(const struct engine_vcpu *v, uint64_t gva, uint16_t *half)
{
    struct walk walk = {.vm = v->vm};
    struct riscv_leaf leaf;
    const uint8_t *at =
        riscv_walk(v->s.satp, gva, read, &walk, &leaf) ? s_ram(v->vm, leaf.pa) : NULL;
    if (at)
        *half = *(const volatile uint16_t *)at;
    return at;
}
