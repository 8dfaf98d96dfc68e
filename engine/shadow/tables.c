/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shadow tables of one vCPU: Sv39, from guest-virtual to machine addresses. They are what the
 * manual says a TLB may be: an entry appears when it is first missed and may stay until the guest's
 * fence ends it, whatever the guest writes into its tables meanwhile.
 *
 * One root for each guest address space and view. Entries that the guest calls global and that are
 * for its S-mode alone lie in second-level tables which all kernel views share: `kernel_template`
 * names them, and a new root begins as a copy of it. A root that needs another entry in the same
 * GiB gets a second-level table of its own there.
 *
 * Pages come from the vCPU's pool. When it is empty, everything is forgotten: a guest that uses
 * more only runs slower.
 */
#include <string.h>

#include "engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

#define ENTRIES 512
#define POOL_PAGES 1024 /* 4 MiB: the shadows of 2 GiB in use, where the guest has large pages */
#define LEAF_BITS (PTE_R | PTE_W | PTE_X)

static unsigned slot(uint64_t gva)
{
    return gva >> 30 & (ENTRIES - 1);
}

static unsigned middle(uint64_t gva)
{
    return gva >> 21 & (ENTRIES - 1);
}

static uint64_t pointer(const uint64_t *table)
{
    return host_pa(table) >> 12 << PTE_PPN_SHIFT | PTE_V;
}

static uint64_t *behind(uint64_t entry)
{
    return host_va(entry >> PTE_PPN_SHIFT << 12);
}

static uint64_t *page(const struct s_vcpu *s, unsigned number)
{
    return s->pool + (uint64_t)number * ENTRIES;
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

/* A zeroed second- or last-level table, which belongs to the view's list. */
static uint64_t *take_table(struct s_vcpu *s, struct s_space *space, enum s_view view)
{
    unsigned number = take(s);
    if (!number)
        return NULL;
    if (space) {
        s->next[number] = space->view[view].first;
        space->view[view].first = (uint16_t)number;
    }
    return memset(page(s, number), 0, HOST_PAGE_SIZE);
}

/* A second-level table has the hole in it, if it is for that GiB. */
static void keep_hole(const struct s_vcpu *s, uint64_t *table, unsigned index)
{
    uint64_t hole = s_hole_va[s->hole];
    if (index == slot(hole))
        table[middle(hole)] = pointer(s_hole_table);
}

/* Every page is free again but for the two templates, which name nothing but the hole. */
static void reset(struct s_vcpu *s)
{
    memset(s->space, 0, sizeof(s->space));
    s->free = 0;
    s->unused = 1;
    s->current = NULL;
    s->stale_root = true;
    unsigned hole = slot(s_hole_va[s->hole]);
    uint64_t **const templates[] = {&s->user_template, &s->kernel_template};
    for (unsigned n = 0; n < 2; n++) {
        uint64_t *root = take_table(s, NULL, 0), *second = take_table(s, NULL, 0);
        keep_hole(s, second, hole);
        root[hole] = pointer(second);
        *templates[n] = root;
    }
}

int s_tables_init(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    s->pages = POOL_PAGES;
    s->pool = host_pages_alloc(POOL_PAGES * HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    s->next = host_pages_alloc(POOL_PAGES * sizeof(*s->next), HOST_PAGE_SIZE);
    if (!s->pool || !s->next) {
        s_tables_fini(v);
        return -1;
    }
    v->vm->s.table_pages += POOL_PAGES + 1;
    reset(s);
    return 0;
}

void s_tables_fini(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    if (s->pool)
        host_pages_free(s->pool, POOL_PAGES * HOST_PAGE_SIZE);
    if (s->next)
        host_pages_free(s->next, POOL_PAGES * sizeof(*s->next));
    s->pool = NULL;
    s->next = NULL;
}

void s_tables_reset(struct engine_vcpu *v)
{
    reset(&v->s);
    v->s.last_hart = 0; /* load() has the hart forget as well */
}

void s_tables_flush(struct engine_vcpu *v)
{
    reset(&v->s);
    sfence_vma_all();
}

/* The ASID that the hart knows a root by; 0 is Caldarium's own. */
static uint64_t root_asid(const struct s_vcpu *s, const struct s_space *space, enum s_view view)
{
    return s_features.asids ? 1 + (uint64_t)(space - s->space) * S_VIEWS + view : 0;
}

static void forget_view(struct s_vcpu *s, struct s_space *space, enum s_view view)
{
    uint16_t first = space->view[view].first;
    if (!first)
        return;
    s->next[space->view[view].last] = s->free;
    s->free = first;
    space->view[view].root = NULL;
    space->view[view].first = 0;
    sfence_vma_asid(root_asid(s, space, view));
}

static void forget_space(struct s_vcpu *s, struct s_space *space)
{
    for (enum s_view view = 0; view < S_VIEWS; view++)
        forget_view(s, space, view);
    space->stamp = 0;
    if (s->current == space) {
        s->current = NULL;
        s->stale_root = true;
    }
}

void s_tables_flush_asid(struct engine_vcpu *v, uint64_t asid)
{
    for (struct s_space *space = v->s.space; space < v->s.space + S_SPACES; space++) {
        if (space->stamp && s_asid(space->satp) == asid)
            forget_space(&v->s, space);
    }
}

static void clear_leaf(uint64_t *root, uint64_t gva)
{
    uint64_t *entry = &root[slot(gva)];
    if (!(*entry & PTE_V))
        return;
    entry = &behind(*entry)[middle(gva)];
    if (*entry & PTE_V && !(*entry & LEAF_BITS))
        entry = &behind(*entry)[gva >> 12 & (ENTRIES - 1)];
    *entry = 0;
}

void s_tables_flush_page(struct engine_vcpu *v, uint64_t gva, bool any, uint64_t asid)
{
    struct s_vcpu *s = &v->s;
    if (gva >> 21 == s_hole_va[s->hole] >> 21)
        return; /* nothing of the guest's is there */
    for (struct s_space *space = s->space; space < s->space + S_SPACES; space++) {
        if (!space->stamp || (!any && s_asid(space->satp) != asid))
            continue;
        for (enum s_view view = 0; view < S_VIEWS; view++) {
            if (space->view[view].root)
                clear_leaf(space->view[view].root, gva);
        }
    }
    if (any)
        clear_leaf(s->kernel_template, gva); /* where no root shows it just now */
    sfence_vma_address(gva);
}

/* The address space of the present satp: the one at hand, or in place of the one unused for
 * longest. */
static void choose_space(struct s_vcpu *s)
{
    struct s_space *oldest = s->space;
    for (struct s_space *space = s->space; space < s->space + S_SPACES; space++) {
        if (space->stamp && space->satp == s->satp) {
            s->current = space;
            return;
        }
        if (space->stamp < oldest->stamp)
            oldest = space;
    }
    forget_space(s, oldest);
    oldest->satp = s->satp;
    s->current = oldest;
}

static enum s_view present_view(const struct s_vcpu *s)
{
    if (s->user)
        return S_USER;
    return s->sstatus & SSTATUS_SUM ? S_KERNEL_SUM : S_KERNEL;
}

static bool make_root(struct s_vcpu *s, struct s_space *space, enum s_view view)
{
    unsigned number = take(s);
    if (!number)
        return false;
    uint64_t *root = page(s, number);
    memcpy(root, view == S_USER ? s->user_template : s->kernel_template, HOST_PAGE_SIZE);
    s->next[number] = 0;
    space->view[view].root = root;
    space->view[view].first = space->view[view].last = (uint16_t)number;
    return true;
}

uint64_t s_tables_satp(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    enum s_view view = present_view(s);
    for (;;) {
        if (!s->current || s->current->satp != s->satp)
            choose_space(s);
        s->current->stamp = ++s->stamp;
        if (s->current->view[view].root || make_root(s, s->current, view))
            break;
        s_tables_flush(v);
    }
    return SATP_MODE_SV39 << SATP_MODE_SHIFT | root_asid(s, s->current, view) << 44 |
           host_pa(s->current->view[view].root) >> 12;
}

/*
 * The second-level table for an address in the present root. `shared`: the entry is for all kernel
 * views. NULL: the pool is empty.
 */
static uint64_t *second_level(struct s_vcpu *s, struct s_space *space, enum s_view view,
                              uint64_t gva, bool shared)
{
    unsigned index = slot(gva);
    uint64_t *root = space->view[view].root;
    uint64_t common = view == S_USER ? s->user_template[index] : s->kernel_template[index];
    uint64_t *table;
    if (root[index] && root[index] != common)
        return behind(root[index]); /* its own */
    if (shared && root[index])
        return behind(root[index]);
    if (shared && common) {
        table = behind(common); /* made since this root was */
    } else {
        table = take_table(s, shared ? NULL : space, view);
        if (!table)
            return NULL;
        keep_hole(s, table, index);
        if (shared)
            s->kernel_template[index] = pointer(table);
    }
    root[index] = pointer(table);
    if (!shared && common)
        sfence_vma_asid(root_asid(s, space, view)); /* the hart may remember the common table */
    return table;
}

static bool enter(struct s_vcpu *s, uint64_t gva, uint64_t pa, unsigned shift, uint64_t flags)
{
    struct s_space *space = s->current;
    enum s_view view = present_view(s);
    bool shared = view != S_USER && flags & PTE_G;
    uint64_t *second = second_level(s, space, view, gva, shared);
    if (!second)
        return false;
    uint64_t leaf = pa >> 12 << PTE_PPN_SHIFT | (flags & ~PTE_G) | PTE_U;
    uint64_t *entry = &second[middle(gva)];
    if (shift == 21) {
        *entry = leaf;
        return true;
    }
    if (!(*entry & PTE_V) || *entry & LEAF_BITS) {
        /* Pages below a table that all kernels share belong to nobody: only a reset frees them. */
        bool common = pointer(second) == s->kernel_template[slot(gva)];
        uint64_t *table = take_table(s, common ? NULL : space, view);
        if (!table)
            return false;
        *entry = pointer(table);
    }
    behind(*entry)[gva >> 12 & (ENTRIES - 1)] = leaf;
    return true;
}

void s_tables_fill(struct engine_vcpu *v, uint64_t gva, uint64_t pa, unsigned shift, uint64_t flags)
{
    if (!enter(&v->s, gva, pa, shift, flags)) {
        s_tables_flush(v);
        s_tables_satp(v); /* the root to enter it in; there is room now */
        enter(&v->s, gva, pa, shift, flags);
    }
    sfence_vma_address(gva); /* the hart may remember that there was nothing */
}
