/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a page fault. The hart found no entry in the shadow root, or one with fewer
 * permissions than the guest needs now. The guest's own tables decide: it is the guest's fault, a
 * device's register, or an entry to make.
 */
#include <stdatomic.h>

#include "lib/engine/hot.h"
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

#define LARGE_SHIFT 21
#define LARGE_MASK ((1UL << LARGE_SHIFT) - 1)

/* With its paging off a guest can name addresses that no shadow root has. */
static bool reachable(const struct engine_vcpu *v, uint64_t va)
{
    unsigned unused = 64 - (12 + 9 * v->s.levels);
    return (uint64_t)((int64_t)(va << unused) >> unused) == va;
}

/* What the present view may do with a guest's leaf; without D a store has to come back here. */
static uint64_t guest_flags(const struct engine_vcpu *v, uint64_t pte)
{
    const struct s_vcpu *s = &v->s;
    uint64_t flags = PTE_V | PTE_A | PTE_D;
    if (!pte) /* the guest's paging is off */
        return flags | PTE_R | PTE_W | PTE_X;
    flags |= pte & (PTE_R | PTE_X);
    if (pte & PTE_D)
        flags |= pte & PTE_W;
    if (s->user)
        return flags;
    if (!(pte & PTE_U))
        return flags | (pte & PTE_G);
    if (flags & PTE_X && s->sstatus & SSTATUS_MXR)
        flags |= PTE_R;    /* MXR has no X to go by below; a change of it flushes */
    return flags & ~PTE_X; /* S-mode never executes U-mode's pages */
}

/* The same where it leads to such a region. */
static uint64_t shadow_flags(const struct engine_vcpu *v, uint64_t pte,
                             const struct s_region *region)
{
    uint64_t mask = region->read_only ? ~(PTE_W | PTE_X) : UINT64_MAX;
    return (guest_flags(v, pte) & mask) | region->attributes;
}

/* The page around gpa can be one large entry: all of it one run of memory that is aligned alike. */
static bool large_fits(const struct s_region *region, uint64_t gpa)
{
    uint64_t first = gpa & ~LARGE_MASK;
    uint64_t inside = first - region->gpa;
    return first >= region->gpa && region->size - inside > LARGE_MASK &&
           !((region->pa + inside) & LARGE_MASK);
}

/*
 * The page's neighbours in the guest's last-level table, as far as they are ready to be used: they
 * are entered around the page's own entry, or cleared there. `seen` becomes what was read of each.
 * `shared`: the entries are in a table for all kernel views. False: nothing was done.
 */
static bool fill_neighbours(struct engine_vcpu *v, const struct s_found *found, bool shared,
                            uint64_t *entry, uint64_t *seen)
{
    uint64_t inside = found->at & (S_NEIGHBOURS * 8 - 1); /* the table is aligned: so is this */
    const _Atomic uint64_t *entries = s_word(v->vm, found->at - inside);
    if (!entries)
        return false;
    unsigned own = (unsigned)inside / 8;
    for (unsigned n = 0; n < S_NEIGHBOURS; n++) {
        uint64_t pte = atomic_load_explicit(&entries[n], memory_order_relaxed);
        seen[n] = pte;
        if (n == own)
            continue;
        bool ready = pte & PTE_V && pte & PTE_A && pte & (PTE_R | PTE_X) && !(pte >> 54) &&
                     (pte & (PTE_R | PTE_W)) != PTE_W && s_mode_allows(&v->s, pte);
        uint64_t gpa = pte >> PTE_PPN_SHIFT << 12;
        const struct s_region *region = ready ? s_region(v->vm, gpa) : NULL;
        uint64_t flags = region ? shadow_flags(v, pte, region) : 0;
        bool fits = region && (!shared || flags & PTE_G);
        entry[(int)n - (int)own] =
            fits ? s_tables_entry(region->pa + (gpa - region->gpa), flags) : 0;
    }
    seen[own] = found->pte;
    return true;
}

static void fill(struct engine_vcpu *v, uint64_t gva, const struct s_found *found,
                 const struct s_region *region)
{
    uint64_t pa = region->pa + (found->gpa - region->gpa), seen[S_NEIGHBOURS];
    unsigned shift = 12, count = 1;
    if ((!found->pte || found->shift >= LARGE_SHIFT) && large_fits(region, found->gpa) &&
        gva >> LARGE_SHIFT != s_trampoline_va[v->s.trampoline] >> LARGE_SHIFT)
        shift = LARGE_SHIFT;
    uint64_t inside = (1UL << shift) - 1;
    struct s_leaf leaf = {gva & ~inside, pa & ~inside, shift, found->shift,
                          shadow_flags(v, found->pte, region)};
    struct s_made *made;
    uint64_t *entry = s_tables_fill(v, &leaf, &made);
    seen[0] = found->pte;
    if (found->pte && found->shift == 12 &&
        fill_neighbours(v, found, made == &v->s.shared_made, entry, seen)) {
        count = S_NEIGHBOURS;
        entry -= found->at / 8 % S_NEIGHBOURS;
    }
    if (v->s.noting && found->pte)
        s_source_note(v, gva, found, made, entry, seen, count);
}

/* Another place for the trampoline: the guest wants this one. */
static void move_trampoline(struct engine_vcpu *v)
{
    s_trampoline_choose(v, (v->s.trampoline + 1) % S_TRAMPOLINES);
    s_tables_flush(v);
    s_tables_satp(v);
    s_trampoline_enter(v);
}

/* A device's register, or nothing at all: what does the instruction do there? */
static bool device(struct engine_vcpu *v, uint64_t gpa, enum s_access access, struct exit *exit)
{
    exit->gpa = gpa;
    if (access == S_FETCH) {
        exit->reason = EXIT_FETCH_FAULT;
        exit->cause = CAUSE_INSN_ACCESS;
        return false;
    }
    exit->cause = access == S_LOAD ? CAUSE_LOAD_GUEST_PAGE : CAUSE_STORE_GUEST_PAGE;
    if (!s_fetch_insn(v, v->pc, &exit->insn))
        return true; /* another vCPU changed the page under us: the guest runs into it again */
    if (!riscv_decode_access(exit->insn, &exit->access)) {
        exit->reason = EXIT_UNDECODED;
        return false;
    }
    if (hot_device(v, gpa, &exit->access)) {
        v->pc += exit->access.insn_bytes;
        return true;
    }
    exit->reason = EXIT_MMIO;
    return false;
}

bool s_fault(struct engine_vcpu *v, struct exit *exit)
{
    uint64_t gva = exit->gva;
    enum s_access access = exit->cause == CAUSE_INSN_PAGE   ? S_FETCH
                           : exit->cause == CAUSE_LOAD_PAGE ? S_LOAD
                                                            : S_STORE;
    struct s_found found;
    uint64_t cause = s_translate(v, gva, access, &found);
    if (cause == CAUSE_INSN_PAGE || cause == CAUSE_LOAD_PAGE || cause == CAUSE_STORE_PAGE) {
        v->exits[EXIT_HOT_TRAP]++;
        s_deliver(v, cause, gva);
        return true;
    }
    if (cause || !reachable(v, gva)) {
        exit->reason = EXIT_FETCH_FAULT;
        exit->cause = cause ? cause : s_access_fault(access);
        return false;
    }
    const struct s_region *region = s_region(v->vm, found.gpa);
    if (!region || (region->read_only && access != S_LOAD))
        return device(v, found.gpa, access, exit);
    if (gva >> LARGE_SHIFT == s_trampoline_va[v->s.trampoline] >> LARGE_SHIFT)
        move_trampoline(v);
    v->exits[EXIT_HOT_FILL]++;
    fill(v, gva, &found, region);
    sfence_vma_address(gva); /* the hart may remember that there was nothing, or less */
    return true;
}
