/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shadow tables of one vCPU, from guest-virtual to machine addresses, with as many levels as
 * the guest's own, or below a root of the host's mode (apart.c). They are what the manual says a
 * TLB may be: an entry appears when it is first missed and may stay until the guest's fence ends
 * it, whatever the guest writes into its tables meanwhile.
 *
 * One root for each guest address space and view. Entries that the guest calls global and that are
 * for its S-mode alone lie in tables which all kernel views of as many levels share: `shared` is a
 * root that names them, and a new root begins as a copy of it. A root that needs another entry
 * below the same root entry gets tables of its own there.
 *
 * Pages come from the vCPU's pool. When it is empty, everything is forgotten: a guest that uses
 * more only runs slower.
 *
 * Levels are numbered from the last one up: entries at level 0 are 4 KiB, at level 1 2 MiB.
 */
#include <stdatomic.h>

#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"
#include "riscv/walk.h"

#define ENTRIES 512
#define LARGE_MASK ((1UL << 21) - 1)
#define ROUND 8 /* entries cleared or copied at a time */

#define SOURCE_BYTES (S_SOURCES * sizeof(struct s_source))
#define PLACE_BYTES (S_PLACES * sizeof(struct s_place))
#define PAGES_AT_ONCE 32          /* taken between two calls of host_may_yield() */
#define FEW_FILLS (S_SOURCES / 2) /* see s_tables_fence() */

/* The pool: tables for the RAM a VM has, several times over, within bounds. */
#define POOL_MIN_PAGES 128
#define POOL_MAX_PAGES S_POOL_PAGES
#define POOL_RAM_SHIFT 19 /* a page of tables for 512 KiB of RAM */

static unsigned index_at(uint64_t gva, unsigned level)
{
    return gva >> (12 + 9 * level) & (ENTRIES - 1);
}

static uint64_t *behind(uint64_t entry)
{
    return host_va(entry >> PTE_PPN_SHIFT << 12);
}

static __attribute__((noinline)) void clear_table(uint64_t *table)
{
    for (unsigned n = 0; n < ENTRIES; n += ROUND) {
#pragma GCC unroll 8
        for (unsigned i = 0; i < ROUND; i++)
            table[n + i] = 0;
    }
}

static void copy_table(uint64_t *to, const uint64_t *from)
{
    for (unsigned n = 0; n < ENTRIES; n += ROUND) {
#pragma GCC unroll 8
        for (unsigned i = 0; i < ROUND; i++)
            to[n + i] = from[n + i];
    }
}

/* A page with what it had before in it. 0: none is left. */
static unsigned take(struct s_vcpu *s)
{
    unsigned number = s->free;
    if (number)
        s->free = s->next[number];
    else if (s->unused < s->pages)
        number = s->unused++;
    return number;
}

/*
 * Where a guest's page is larger than what is entered of it, the tables that lie inside that page
 * are remembered as holding pieces: a fence of any of its addresses ends all of them. The mark is
 * in the entry that leads to the table, in a bit that the hart leaves to software (RSW).
 */
#define PIECES (1UL << 8)

/* What was remembered of the way to last-level tables may be so no more. */
static void tables_changed(struct s_vcpu *s)
{
    s->near.region = s->last.region = S_NO_REGION;
}

static void note_pieces(struct s_vcpu *s, uint64_t *entry, unsigned level, unsigned whole)
{
    if (12 + 9 * level > whole || *entry & PIECES)
        return;
    *entry |= PIECES;
    s->near.region = S_NO_REGION;
}

/* Both lead to the same table. */
static bool same_table(uint64_t a, uint64_t b)
{
    return !((a ^ b) & ~PIECES);
}

/* A cleared table. It belongs to the view's list; with no space, to nobody: only a flush frees it.
 */
static uint64_t *take_table(struct s_vcpu *s, struct s_space *space, enum s_view view)
{
    unsigned number = take(s);
    if (!number)
        return NULL;
    tables_changed(s);
    if (space) {
        s->next[number] = space->view[view].first;
        space->view[view].first = (uint16_t)number;
    }
    uint64_t *table = s_tables_page(s, number);
    clear_table(table);
    return table;
}

/* Every page is free again. */
static void reset(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    s->old_fills = v->exits[EXIT_HOT_FILL];
    if (s->apart && v->loaded) /* no page of a root in force may be used for something else */
        s_apart_home(v);
    for (struct s_space *space = s->space; space < s->space + S_SPACES; space++) {
        space->stamp = 0;
        for (enum s_view view = 0; view < S_VIEWS; view++)
            space->view[view].satp = 0;
    }
    s->free = 0;
    s->unused = 1;
    s->shared_levels = 0;
    tables_changed(s);
    s_source_reset(s);
    s->current = NULL;
    s_roots_unknown(s);
    s_fetch_flush(s, true);
    s_root_changed(s);
}

static unsigned pool_pages(const struct engine_vm *vm)
{
    uint64_t pages = s_ram_bytes(vm) >> POOL_RAM_SHIFT;
    return pages < POOL_MIN_PAGES   ? POOL_MIN_PAGES
           : pages > POOL_MAX_PAGES ? POOL_MAX_PAGES
                                    : (unsigned)pages;
}

_Static_assert(S_SPACES * sizeof(struct s_space) + S_FETCH_LINES * sizeof(struct s_fetch_line) <=
                   HOST_PAGE_SIZE,
               "one page holds them");

/* Single pages, which any host has. */
static void *take_page(struct engine_vcpu *v)
{
    void *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    v->vm->s.table_pages += page != NULL;
    return page;
}

static bool fill_pool(struct engine_vcpu *v, unsigned pages)
{
    struct s_vcpu *s = &v->s;
    for (s->pages = 1; s->pages < pages; s->pages++) {
        uint64_t ***run = &s->pool[s->pages / S_POOL_RUN];
        if (!*run && !(*run = take_page(v)))
            return false;
        if (!((*run)[s->pages % S_POOL_RUN] = take_page(v)))
            return false;
        if (!(s->pages % PAGES_AT_ONCE))
            host_may_yield();
    }
    return true;
}

int s_tables_init(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    const struct cald_machine_params *told = &v->vm->machine->told;
    s->levels = v->vm->s.levels;
    s->first_asid = s_asids(v->vm->machine) ? (uint16_t)told->first_asid : 0;
    s_trampoline_choose(v, s->trampoline);
    s->source = host_pages_alloc(SOURCE_BYTES, HOST_PAGE_SIZE);
    s->place = host_pages_alloc(PLACE_BYTES, HOST_PAGE_SIZE);
    v->vm->s.table_pages += (SOURCE_BYTES - 1) / HOST_PAGE_SIZE + 1 + PLACE_BYTES / HOST_PAGE_SIZE;
    if (!s->source || !s->place || !(s->next = take_page(v)) || !(s->space = take_page(v)) ||
        !fill_pool(v, pool_pages(v->vm)) || !s_copies_take(v)) {
        s_tables_fini(v);
        return -1;
    }
    s->fetch = (struct s_fetch_line *)(s->space + S_SPACES);
    reset(v);
    return 0;
}

static void give_page(void *page)
{
    if (page)
        host_pages_free(page, HOST_PAGE_SIZE);
    host_may_yield(); /* a thousand of them are zeroed */
}

void s_tables_fini(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    for (unsigned n = 1; n < s->pages; n++)
        give_page(s_tables_page(s, n));
    for (unsigned n = 0; n < S_POOL_PAGES / S_POOL_RUN; n++) {
        give_page(s->pool[n]);
        s->pool[n] = NULL;
    }
    give_page(s->next);
    give_page(s->space);
    if (s->source)
        host_pages_free(s->source, SOURCE_BYTES);
    if (s->place)
        host_pages_free(s->place, PLACE_BYTES);
    s_copies_give(v);
    s->pages = 0;
    s->next = NULL;
    s->space = NULL;
    s->source = NULL;
    s->place = NULL;
}

void s_tables_reset(struct engine_vcpu *v)
{
    reset(v);
    v->s.last_hart = 0; /* load() has the hart forget as well */
}

void s_tables_flush(struct engine_vcpu *v)
{
    reset(v);
    sfence_vma_all();
}

/*
 * Forgetting everything is right, and cheap where it is rare. A kernel that does it at each trap
 * would fault on all of its own pages each time: where few entries were made since everything was
 * forgotten last, from now on what they were made from is noted, and a fence only looks whether it
 * is still so, in each view when it is shown next (s_tables_satp()). What the hart remembers is in
 * its root, and goes where something differs. That look has to come after whatever the guest has
 * seen before its fence, as its own walks would (privileged manual, "Supervisor Memory-Management
 * Fence Instruction"): another hart's entry behind a flag of that one's.
 */
void s_tables_fence(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    if (!s->noting) {
        s->noting = v->exits[EXIT_HOT_FILL] - s->old_fills < FEW_FILLS;
        s_tables_flush(v);
        return;
    }
    s->fence++;
    s_roots_unknown(s);
    s_fetch_leave(s);
    s_root_changed(s);
    atomic_thread_fence(memory_order_acquire);
}

/* The ASID that the hart knows a root by; 0 where there are none. */
static uint64_t root_asid(const struct s_vcpu *s, const struct s_space *space, enum s_view view)
{
    return s->first_asid ? s->first_asid + (uint64_t)(space - s->space) * S_VIEWS + view : 0;
}

static void flush_view(struct engine_vcpu *v, struct s_space *space, enum s_view view)
{
    struct s_vcpu *s = &v->s;
    space->view[view].place_mark = 0;
    if (!space->view[view].satp)
        return;
    tables_changed(s);
    if (s->apart && v->loaded && s->page->in_force == space->view[view].satp) {
        s_apart_home(v); /* as in reset() */
        s_roots_unknown(s);
        s_root_changed(s);
    }
    s->next[space->view[view].last] = s->free;
    s->free = space->view[view].first;
    space->view[view].satp = 0;
    s_source_drop(s, &space->view[view].made);
    sfence_vma_asid(root_asid(s, space, view));
}

static void flush_space(struct engine_vcpu *v, struct s_space *space)
{
    struct s_vcpu *s = &v->s;
    for (enum s_view view = 0; view < S_VIEWS; view++)
        flush_view(v, space, view);
    space->stamp = 0;
    if (s->current == space) {
        s->current = NULL;
        s_roots_unknown(s);
        s_root_changed(s);
    }
}

void s_tables_flush_asid(struct engine_vcpu *v, uint64_t asid)
{
    for (struct s_space *space = v->s.space; space < v->s.space + S_SPACES; space++) {
        if (space->stamp && s_asid(space->satp) == asid)
            flush_space(v, space);
    }
    s_fetch_flush(&v->s, false);
}

/* How many levels the shadow of that satp has. Without paging: enough for all of the guest's RAM.
 */
static unsigned levels_of(const struct s_vcpu *s, uint64_t satp)
{
    int levels = riscv_satp_levels(satp);
    return levels > 0 ? (unsigned)levels : s->levels;
}

/* The view begins as a copy of `shared`, and has its tables. */
static bool has_shared(const struct s_vcpu *s, const struct s_space *space, enum s_view view)
{
    return view != S_USER && s->shared_levels &&
           riscv_satp_levels(space->satp) == (int)s->shared_levels;
}

/* What was forgotten: nothing, what translated the address, other addresses of the same guest page
 * besides. */
enum cleared { CLEARED_NONE, CLEARED_ONE, CLEARED_MORE };

static enum cleared clear_entry(uint64_t *entry)
{
    enum cleared was = *entry ? CLEARED_ONE : CLEARED_NONE;
    *entry = 0;
    return was;
}

static enum cleared greater(enum cleared a, enum cleared b)
{
    return a > b ? a : b;
}

static void note_near(struct s_near *near, uint64_t *table)
{
    if (!near)
        return;
    if (!near->table[0])
        near->table[0] = near->table[1] = table;
    else if (near->table[0] == near->table[1])
        near->table[1] = table;
    else if (near->table[0] != table && near->table[1] != table)
        near->region = S_NO_REGION;
}

static void note_far(struct s_near *near)
{
    if (near)
        near->region = S_NO_REGION;
}

/* Forgets what translates an address below an entry at `level`, with all pieces of the guest's page
 * that it may be one of. What else a fence of an address nearby would have to look at is noted in
 * `near`; with none, it is no fence of the guest's, and other pieces stay. */
static enum cleared clear_below(struct s_vcpu *s, uint64_t *entry, unsigned level, uint64_t gva,
                                struct s_near *near)
{
    uint64_t trampoline = s->hole;
    while (*entry && *entry != s->way[level]) {
        if (!s_is_table(*entry)) {
            note_far(near);
            return clear_entry(entry);
        }
        uint64_t *table = behind(*entry);
        if (near && *entry & PIECES) {
            clear_table(table); /* tables below it stay in their view's list */
            tables_changed(s);
            if ((gva ^ trampoline) >> (12 + 9 * level) == 0)
                table[index_at(trampoline, level - 1)] = s->way[level - 1];
            near->region = S_NO_REGION;
            return CLEARED_MORE;
        }
        entry = &table[index_at(gva, --level)];
        if (!level) {
            note_near(near, table);
            return clear_entry(entry);
        }
    }
    return CLEARED_NONE; /* nothing of the guest's is there */
}

/* In all views of the address spaces with that ASID, or (any) of all. */
static enum cleared clear_page(struct s_vcpu *s, uint64_t gva, bool any, uint64_t asid,
                               struct s_near *near)
{
    enum cleared most = CLEARED_NONE;
    uint64_t common = 0; /* what leads to tables that are done, where several roots share them */
    if (any && s->shared_levels) { /* where no root shows it just now, too */
        unsigned level = s->shared_levels - 1;
        uint64_t *entry = &s->shared[gva >> 63][index_at(gva, level)];
        common = *entry;
        most = clear_below(s, entry, level, gva, near);
    }
    for (struct s_space *space = s->space; space < s->space + S_SPACES; space++) {
        if (!space->stamp || (!any && s_asid(space->satp) != asid))
            continue;
        unsigned level = levels_of(s, space->satp) - 1;
        for (enum s_view view = 0; view < S_VIEWS; view++) {
            uint64_t *half = space->view[view].satp ? space->view[view].half[gva >> 63] : NULL;
            uint64_t *entry = half ? &half[index_at(gva, level)] : NULL;
            if (entry && *entry && *entry != common)
                most = greater(most, clear_below(s, entry, level, gva, near));
        }
    }
    return most;
}

/* The hart knows nothing of an address for which there was no entry in any root: kernels fence
 * pages that they have just mapped, since a hart may remember that there was nothing. */
void s_tables_flush_page(struct engine_vcpu *v, uint64_t gva, bool any, uint64_t asid)
{
    struct s_vcpu *s = &v->s;
    s_fetch_flush_page(s, gva, any); /* a fence for one ASID leaves global pages alone */
    struct s_near near = {.region = gva >> 21};
    if (!any || ((gva | LARGE_MASK) >= s->code_low && (gva & ~LARGE_MASK) <= s->code_end))
        near.region = S_NO_REGION;
    enum cleared most = clear_page(s, gva, any, asid, &near);
    if (any)
        s->near = near;
    if (most == CLEARED_MORE)
        sfence_vma_all();
    else if (most == CLEARED_ONE)
        sfence_vma_address(gva);
}

void s_tables_forget_entry(struct engine_vcpu *v, uint64_t gva)
{
    clear_page(&v->s, gva, true, 0, NULL);
    sfence_vma_address(gva);
}

/* The address space of the present satp: the one at hand, or in place of the one unused for
 * longest. */
static void choose_space(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    struct s_space *oldest = s->space;
    for (struct s_space *space = s->space; space < s->space + S_SPACES; space++) {
        if (space->stamp && space->satp == s->satp) {
            oldest = space;
            break;
        }
        if (space->stamp < oldest->stamp)
            oldest = space;
    }
    if (oldest->stamp && oldest->satp != s->satp)
        flush_space(v, oldest);
    oldest->satp = s->satp;
    oldest->stamp = ++s->stamp;
    s->current = oldest;
}

/* The root that the kernel views of an address space with so many levels begin as. */
static bool make_shared(struct s_vcpu *s, unsigned levels)
{
    s->shared[0] = take_table(s, NULL, 0);
    s->shared[1] = s->apart ? take_table(s, NULL, 0) : s->shared[0];
    if (!s->shared[0] || !s->shared[1])
        return false;
    if (!s->apart)
        s->shared[0][index_at(s->hole, levels - 1)] = s->way[levels - 1];
    s->shared_levels = levels;
    s->shared_used[0] = s->shared_used[1] = false;
    return true;
}

/*
 * Below the root of a host that lies apart: the table of the guest's own root for that half of its
 * addresses, at the lower or upper end of what each table on the way leads to. Of what lies
 * between, which the guest calls not canonical, nothing is ever entered. It is what all kernel
 * views have (`shared`), or one of the view's own, for entries that not all of them have.
 */
static bool make_half(struct s_vcpu *s, struct s_space *space, enum s_view view, unsigned half,
                      uint64_t *shared)
{
    uint64_t *table = host_va((space->view[view].satp & SATP_PPN_MASK) << 12);
    uint64_t *entry = &table[half ? ENTRIES - 1 : 0], **now = &space->view[view].half[half];
    for (unsigned level = s->apart; level > levels_of(s, space->satp) + 1; level--) {
        if (!*entry && !(table = take_table(s, space, view)))
            return false;
        if (!*entry)
            *entry = s_table_entry(table);
        entry = &behind(*entry)[half ? ENTRIES - 1 : 0];
    }
    table = shared ? shared : take_table(s, space, view);
    if (!table)
        return false;
    *entry = s_table_entry(table);
    if (*now) /* the hart may remember what was shared */
        sfence_vma_asid(root_asid(s, space, view));
    if (*now && s->noting)
        s_places_flush(s); /* their entries have gone, and the sources are not this view's */
    *now = table;
    tables_changed(s);
    return true;
}

/* There is a half to enter that leaf in, where all kernel views have it, or not. */
static bool find_half(struct s_vcpu *s, struct s_space *space, enum s_view view,
                      const struct s_leaf *leaf)
{
    unsigned half = leaf->gva >> 63;
    uint64_t *now = space->view[view].half[half];
    bool has = has_shared(s, space, view), common = has && leaf->flags & PTE_G;
    if (now && (common || !has || !s->apart || now != s->shared[half]))
        return true;
    return make_half(s, space, view, half, common ? s->shared[half] : NULL);
}

/* The pages of a root that can't be made whole are for a flush to free. */
static bool make_root(struct s_vcpu *s, struct s_space *space, enum s_view view)
{
    unsigned levels = levels_of(s, space->satp), all = s->apart ? s->apart : levels;
    bool paging = riscv_satp_levels(space->satp);
    if (view != S_USER && paging && !s->shared_levels && !make_shared(s, levels))
        return false;
    unsigned number = take(s);
    if (!number)
        return false;
    tables_changed(s);
    s->next[number] = 0;
    space->view[view].first = space->view[view].last = (uint16_t)number;
    uint64_t *root = s_tables_page(s, number), **half = space->view[view].half;
    if (!s->apart && has_shared(s, space, view)) {
        copy_table(root, s->shared[0]);
    } else {
        clear_table(root);
        root[index_at(s->hole, all - 1)] = s->way[all - 1];
    }
    half[0] = half[1] = s->apart ? NULL : root;
    space->view[view].made = (struct s_made){.fence = s->fence};
    space->view[view].satp = (SATP_MODE_SV39 + all - 3) << SATP_MODE_SHIFT |
                             root_asid(s, space, view) << SATP_ASID_SHIFT | host_pa(root) >> 12;
    for (unsigned n = 0; s->apart && n < 2 && has_shared(s, space, view); n++) {
        if (s->shared_used[n] && !make_half(s, space, view, n, s->shared[n]))
            return false;
    }
    sfence_vma_asid(root_asid(s, space, view)); /* the hart sees the page as it is now */
    return true;
}

/*
 * With sources noted, what a place is of is an entry of this view's root, and what that was made
 * from is compared when the view is shown: its places are good as long as nothing differs, whatever
 * fences and changes of satp there are. A user's call begins with a place of the kernel's view.
 */
static void show_places(struct s_vcpu *s, struct s_space *space, enum s_view view)
{
    uint64_t *mark = &space->view[view == S_USER ? S_KERNEL : view].place_mark;
    if (!*mark)
        *mark = s_places_mark(s);
    s->place_mark = *mark;
}

uint64_t s_tables_leaf(const struct s_vcpu *s, uint64_t gva)
{
    const struct s_space *space = s->current;
    enum s_view view = s_view(s);
    if (!space || space->satp != s->satp || !space->view[view].satp)
        return 0;
    const uint64_t *half = space->view[view].half[gva >> 63];
    unsigned level = levels_of(s, space->satp) - 1;
    uint64_t entry = half ? half[index_at(gva, level)] : 0;
    while (level && s_is_table(entry))
        entry = behind(entry)[index_at(gva, --level)];
    return level ? 0 : entry;
}

uint64_t s_tables_satp(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    enum s_view view = s_view(s);
    if (!s->current || s->current->satp != s->satp)
        choose_space(v);
    if (!s->current->view[view].satp && !make_root(s, s->current, view)) {
        s_tables_flush(v);
        choose_space(v);
        make_root(s, s->current, view); /* an empty pool has room for one */
    }
    bool differs = false;
    if (s->current->view[view].made.fence != s->fence)
        differs = s_source_check(v, &s->current->view[view].made);
    if (s->shared_made.fence != s->fence && has_shared(s, s->current, view))
        differs |= s_source_check(v, &s->shared_made);
    if (differs)
        sfence_vma_all();
    if (differs && view != S_USER)
        s_places_flush(s);
    if (s->noting)
        show_places(s, s->current, view);
    return s->current->view[view].satp;
}

void s_tables_at_hand(struct s_vcpu *s)
{
    for (enum s_view view = 0; view < S_VIEWS; view++) {
        if (s->current->view[view].made.fence == s->fence &&
            (s->shared_made.fence == s->fence || !has_shared(s, s->current, view)))
            s->root_at_hand[view] = s->current->view[view].satp;
    }
}

/* The table behind an entry at `level`, made where there is none. NULL: the pool is empty. */
static uint64_t *descend(struct s_vcpu *s, struct s_space *owner, enum s_view view, uint64_t *entry,
                         unsigned level)
{
    uint64_t way = s->way[level];
    if (s_is_table(*entry) && *entry != way)
        return behind(*entry);
    uint64_t *table = take_table(s, owner, view);
    if (!table)
        return NULL;
    if (*entry ==
        way) /* nothing but the way to the trampoline was here, the same table in all roots */
        table[index_at(s->hole, level - 1)] = s->way[level - 1];
    *entry = s_table_entry(table);
    return table;
}

/*
 * The table behind a root's entry for that address. A shared one serves for entries that all kernel
 * views have; a root that has tables of its own there keeps all its entries in these. `owner`:
 * whose the tables below are, NULL where they are shared.
 */
static uint64_t *below_root(struct s_vcpu *s, enum s_view view, const struct s_leaf *leaf,
                            struct s_space **owner)
{
    struct s_space *space = *owner;
    unsigned levels = levels_of(s, space->satp), level = levels - 1;
    unsigned half = leaf->gva >> 63, index = index_at(leaf->gva, level);
    if (!find_half(s, space, view, leaf))
        return NULL;
    uint64_t *entry = &space->view[view].half[half][index];
    uint64_t way = s->way[level];
    if (has_shared(s, space, view)) {
        uint64_t *common = &s->shared[half][index];
        bool has_common = s_is_table(*common) && *common != way;
        bool same = has_common && same_table(*entry, *common);
        bool own = s_is_table(*entry) && *entry != way && !same;
        if (!own && leaf->flags & PTE_G) {
            uint64_t *table = descend(s, NULL, view, common, level);
            if (table) {
                s->shared_used[half] = true;
                note_pieces(s, common, level, leaf->whole); /* a fence looks there too */
                *entry = *common; /* which may have been made since this root was */
            }
            *owner = NULL;
            return table;
        }
        if (same) {
            /* Leaves the common table; the hart may remember it. */
            *entry = index == index_at(s->hole, level) ? way : 0;
            if (s->noting)
                s_places_flush(s); /* the same */
            sfence_vma_asid(root_asid(s, space, view));
        }
    }
    uint64_t *table = descend(s, space, view, entry, level);
    if (table)
        note_pieces(s, entry, level, leaf->whole);
    return table;
}

/*
 * A hart may remember that there was nothing, or no table on the way (privileged manual,
 * "Supervisor Memory-Management Fence Instruction"), but few do: there is no fence for a new entry.
 * One that does has the same fault once more, and finds the entry as it has to be: then all is
 * fenced, since a fence of an address leaves out what was above its leaf. (With Svvptc that never
 * comes.)
 */
static void put_leaf(uint64_t *entry, const struct s_leaf *leaf)
{
    uint64_t before = *entry, next = s_tables_entry(leaf->pa, leaf->flags);
    *entry = next;
    if (s_is_table(before) ||
        before == next) /* pieces: who would know of them at a guest's fence? */
        sfence_vma_all();
    else if (before)
        sfence_vma_address(leaf->gva);
}

static uint64_t *enter(struct s_vcpu *s, const struct s_leaf *leaf, struct s_made **made)
{
    struct s_space *owner = s->current;
    enum s_view view = s_view(s);
    struct s_last *last = &s->last;
    bool global = leaf->flags & PTE_G;
    if (leaf->shift == 12 && leaf->gva >> 21 == last->region && owner == last->space &&
        view == last->view && global == last->global && leaf->whole <= last->whole) {
        uint64_t *entry = &last->table[index_at(leaf->gva, 0)];
        put_leaf(entry, leaf);
        *made = last->made;
        return entry;
    }
    unsigned level = levels_of(s, owner->satp) - 2;
    uint64_t *table = below_root(s, view, leaf, &owner);
    for (; table && level > (leaf->shift - 12) / 9; level--) {
        uint64_t *entry = &table[index_at(leaf->gva, level)];
        table = descend(s, owner, view, entry, level);
        if (table)
            note_pieces(s, entry, level, leaf->whole);
    }
    if (!table)
        return NULL;
    uint64_t *entry = &table[index_at(leaf->gva, level)];
    if (level)
        tables_changed(s);
    put_leaf(entry, leaf);
    *made = owner ? &owner->view[view].made : &s->shared_made;
    if (!level)
        *last = (struct s_last){leaf->gva >> 21, s->current,           table, *made,
                                (uint8_t)view,   (uint8_t)leaf->whole, global};
    return entry;
}

uint64_t *s_tables_fill(struct engine_vcpu *v, const struct s_leaf *leaf, struct s_made **made)
{
    s_tables_satp(v); /* there is a root to enter it in */
    uint64_t *entry = enter(&v->s, leaf, made);
    if (entry)
        return entry;
    s_tables_flush(v);
    s_tables_satp(v); /* and now there is room */
    return enter(&v->s, leaf, made);
}
