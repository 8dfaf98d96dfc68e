/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a page fault. The hart found no entry in the shadow root, or one with fewer
 * permissions than the guest needs now. The guest's own tables decide: it is the guest's fault, a
 * device's register, or an entry to make.
 */
#include <stdatomic.h>

#include "lib/engine/hot.h"
#include "lib/engine/shadow/copy.h"
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

/* Where a guest-physical address leads, and what a leaf that goes there may have and has besides.
 */
struct place {
    uint64_t pa, mask, attributes;
};

/* Of a slot whose leaves are single pages. */
static __attribute__((noinline)) enum memory_is single(struct engine_vcpu *v,
                                                       const struct slot *slot, uint64_t gpa,
                                                       enum memory_how how, struct place *place)
{
    struct memory_page page;
    enum memory_is is = memory_page(&v->vm->memory, slot, gpa, how, &page);
    if (is == MEMORY_HERE)
        *place = (struct place){page.pa, page.writable ? UINT64_MAX : ~PTE_W, slot->attributes};
    return is;
}

static inline enum memory_is place_of(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa,
                                      enum memory_how how, struct place *place)
{
    uint64_t mask = slot_mask(slot);
    if (!mask)
        return single(v, slot, gpa, how, place);
    *place = (struct place){slot->pa + (gpa - slot->gpa), mask, slot->attributes};
    return MEMORY_HERE;
}

/* What a leaf of the guest's that leads there becomes. */
static uint64_t shadow_flags(const struct engine_vcpu *v, uint64_t pte, const struct place *place)
{
    return (guest_flags(v, pte) & place->mask) | place->attributes;
}

/* The page around gpa can be one large entry: all of it one run of memory that is aligned alike. */
static bool large_fits(const struct slot *slot, uint64_t gpa)
{
    uint64_t first = gpa & ~LARGE_MASK;
    uint64_t inside = first - slot->gpa;
    return slot_mask(slot) && first >= slot->gpa && slot_size(slot) - inside > LARGE_MASK &&
           !((slot->pa + inside) & LARGE_MASK);
}

/* Loads and fetches of the present view see pages in two ways. With MXR they don't: a load that
 * goes by X would read the copy. A change of MXR flushes. */
static bool shows_copies(const struct engine_vcpu *v)
{
    return !v->s.user && !(v->s.sstatus & SSTATUS_MXR);
}

/* The entry is what a fetch of that page would enter now: it stays. */
static bool is_for_fetch(const struct engine_vcpu *v, uint64_t entry, const struct slot *slot,
                         uint64_t gpa, uint64_t pa, uint64_t flags)
{
    return entry & PTE_X &&
           (entry == s_tables_entry(pa, flags) || entry == s_copy_entry(v, slot, gpa, flags));
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
    bool stale =
        false; /* the hart may have what is in a table no more: a guest's fence counts on it */
    for (unsigned n = 0; n < S_NEIGHBOURS; n++) {
        uint64_t pte = atomic_load_explicit(&entries[n], memory_order_relaxed);
        seen[n] = pte;
        uint64_t *at = &entry[(int)n - (int)own];
        if (n == own || !(pte & PTE_V || *at)) /* of most there is nothing */
            continue;
        bool ready = pte & PTE_V && pte & PTE_A && pte & (PTE_R | PTE_X) && !(pte >> 54) &&
                     (pte & (PTE_R | PTE_W)) != PTE_W && s_mode_allows(&v->s, pte);
        uint64_t gpa = pte >> PTE_PPN_SHIFT << 12;
        const struct slot *slot = ready ? memory_slot(&v->vm->memory, gpa) : NULL;
        struct place place;
        bool here = slot && place_of(v, slot, gpa, MEMORY_PEEK, &place) == MEMORY_HERE;
        uint64_t flags = here ? shadow_flags(v, pte, &place) : 0;
        bool fits = here && (!shared || flags & PTE_G);
        if (fits && slot->code && flags & PTE_X && shows_copies(v)) {
            if (is_for_fetch(v, *at, slot, gpa, place.pa, flags))
                continue;
            flags &= ~PTE_X;
        }
        if (fits && slot->code && flags & PTE_W && !s_copy_may_write(slot, gpa))
            flags &= ~PTE_W;
        uint64_t before = *at, next = fits ? s_tables_entry(place.pa, flags) : 0;
        *at = next;
        stale |= before && before != next;
    }
    if (stale)
        sfence_vma_all();
    seen[own] = found->pte;
    return true;
}

/*
 * What is entered for this access, and how large, as far as copies of code have a say: a page of
 * the kernel's is shown to fetches in one way and to loads and stores in another. False: nothing is
 * entered now.
 */
static bool choose(struct engine_vcpu *v, const struct s_found *found, const struct slot *slot,
                   enum s_access access, struct s_leaf *leaf)
{
    uint64_t pa;
    if (access == S_FETCH && !v->s.user) {
        leaf->shift = 12;
        enum s_copy_show show = s_copy_fetch(v, slot, found->gpa, leaf->gva, leaf->flags, &pa);
        if (show == S_COPY_SHOWN) {
            leaf->pa = pa;
            leaf->flags &= ~(PTE_R | PTE_W);
            leaf->copy = true;
        }
        if (show != S_COPY_NONE)
            return show == S_COPY_SHOWN;
    } else if (shows_copies(v)) {
        leaf->flags &= ~PTE_X;
        if (access == S_LOAD)
            s_copy_read(v, slot, found->gpa);
    }
    if (access == S_STORE) {
        enum s_copy_show show = s_copy_write(v, slot, found->gpa);
        leaf->poked = show == S_COPY_SHOWN;
        if (show == S_COPY_AGAIN)
            return false;
    }
    if (leaf->shift == LARGE_SHIFT && !s_copy_may_be_large(slot, found->gpa, leaf->flags & PTE_W))
        leaf->shift = 12;
    if (leaf->shift == 12 && leaf->flags & PTE_W && !leaf->poked &&
        !s_copy_may_write(slot, found->gpa))
        leaf->flags &= ~PTE_W;
    return true;
}

static void fill(struct engine_vcpu *v, uint64_t gva, const struct s_found *found,
                 const struct slot *slot, const struct place *place, enum s_access access)
{
    uint64_t seen[S_NEIGHBOURS];
    unsigned count = 1;
    struct s_leaf leaf = {gva,   place->pa, 12, found->shift, shadow_flags(v, found->pte, place),
                          false, false};
    if ((!found->pte || found->shift >= LARGE_SHIFT) && large_fits(slot, found->gpa) &&
        gva >> LARGE_SHIFT != v->s.hole >> LARGE_SHIFT)
        leaf.shift = LARGE_SHIFT;
    if (slot->code && !choose(v, found, slot, access, &leaf))
        return;
    uint64_t inside = (1UL << leaf.shift) - 1;
    leaf.gva &= ~inside;
    leaf.pa &= ~inside;
    struct s_made *made;
    uint64_t *entry = s_tables_fill(v, &leaf, &made);
    if (leaf.copy)
        s_copy_entered(v, entry);
    if (leaf.poked)
        s_copy_poked(v, leaf.gva, entry);
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
    s_trampoline_next(v);
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

static const uint64_t needed[] = {PTE_X, PTE_R, PTE_W};

static bool absent(struct exit *exit, uint64_t gpa, bool write)
{
    exit->reason = EXIT_PAGE;
    exit->gpa = gpa;
    exit->write = write;
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
    if (cause == S_ABSENT) {
        v->absent = false;
        return absent(exit, v->absent_gpa, v->absent_write);
    }
    if (cause || !reachable(v, gva)) {
        exit->reason = EXIT_FETCH_FAULT;
        exit->cause = cause ? cause : s_access_fault(access);
        return false;
    }
    const struct slot *slot = memory_slot(&v->vm->memory, found.gpa);
    struct place place;
    enum memory_is is =
        slot ? place_of(v, slot, found.gpa, access == S_STORE ? MEMORY_WRITE : MEMORY_READ, &place)
             : MEMORY_NOTHING;
    if (is == MEMORY_ABSENT)
        return absent(exit, found.gpa, access == S_STORE);
    if (is == MEMORY_NOTHING || (access != S_LOAD && !(place.mask & needed[access])))
        return device(v, found.gpa, access, exit);
    if (gva >> LARGE_SHIFT == v->s.hole >> LARGE_SHIFT)
        move_trampoline(v);
    v->exits[EXIT_HOT_FILL]++;
    fill(v, gva, &found, slot, &place, access);
    return true;
}
