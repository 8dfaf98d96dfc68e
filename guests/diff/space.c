/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and address spaces.
 *
 * Half of the sequences keep their tables as trees: each table is reached by one path, and a change
 * of an entry is followed by any of the fences that the manual allows for it (privileged manual,
 * "Supervisor Memory-Management Fence Instruction"). In the others tables may be shared, be their
 * own children, and be mapped as data; there each change is followed by a fence of everything.
 */
#include "guests/diff/diff.h"

#define TABLES 0x80600000UL
#define DATA_A 0x80800000UL /* two large pages, side by side, and the first page behind them */
#define DATA_B 0x80a00000UL
#define DATA_C 0x80c00000UL
#define OURS_END TABLES
#define TABLE_COUNT (SPACES * 6)

#define SFENCE_VMA(rs1, rs2) (0x12000073u | (rs1) << 15 | (rs2) << 20)
#define PTE_RWX (PTE_R | PTE_W | PTE_X)
#define PTE_NONLEAF_RESERVED (PTE_A | PTE_D | PTE_U)

/* The entries of each level that are ever in use. Of the root: what a hypervisor may want for
 * itself, the ends of both halves. Of the second level: where large pages lie in a GiB, and others.
 */
static const uint16_t slots[] = {0, 168, 255, 256, 511};
static const uint16_t middles[] = {4, 5, 0, 256, 510, 511};
static const uint16_t pages[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 508, 509, 510, 511};
#define COUNT(list) (sizeof(list) / sizeof(*(list)))

static struct {
    uint64_t *root;
    uint64_t asid;
    bool unused_asid; /* no fence has been made since it became this space's */
    uint16_t slot[2]; /* where the tree goes on */
    uint16_t middle[2][2];
    uint64_t *second[2], *last[2][2];
} space[SPACES];

unsigned space_now;
static uint64_t traced;

/* Pages that were in use lately: what a hart remembers wrongly shows only where it is used again.
 */
#define RECENT 4
static uint64_t recent[RECENT];
static uint64_t focus; /* if not 0, the one address that everything is about */
static bool tree, globals;
static uint64_t roots[SPACES][ENTRIES] __attribute__((aligned(4096)));
/* Sv48: above the root, whose first and last entries lead there. So the addresses are Sv39's. */
static uint64_t tops[SPACES][ENTRIES] __attribute__((aligned(4096)));
unsigned space_levels = 3;

extern uint64_t diff_hart;

static uint64_t *table(unsigned n)
{
    return (uint64_t *)(TABLES + n * PAGE);
}

/* The n-th page of the data: the beginnings and ends of both large pages, and the one behind. */
#define DATA_PAGES (2 * COUNT(pages) + 1)
static uint64_t data_page(unsigned n)
{
    if (n == 2 * COUNT(pages))
        return DATA_C;
    return (n < COUNT(pages) ? DATA_A : DATA_B) + pages[n % COUNT(pages)] * PAGE;
}

static uint64_t entry(uint64_t pa, uint64_t flags)
{
    return pa >> 12 << PTE_PPN_SHIFT | flags;
}

static bool is_pointer(uint64_t pte)
{
    return pte & PTE_V && !(pte & PTE_RWX);
}

static bool leads_to_table(uint64_t pte)
{
    uint64_t pa = pte << 10 >> 20 << 12;
    return pa >= TABLES && pa < DATA_A;
}

/* The kinds of things that a leaf of each level can lead to. */
static uint64_t leaf_target(unsigned level)
{
    if (chance(5))
        return OUTSIDE + ((uint64_t)below(4) << (12 + 9 * level));
    if (level == 2)
        return RAM;
    if (!tree && chance(level ? 10 : 20))
        return level ? TABLES : (uint64_t)table(below(TABLE_COUNT));
    if (level == 1)
        return chance(50) ? DATA_A : DATA_B;
    return data_page(below(DATA_PAGES));
}

static uint64_t some_flags(void)
{
    static const uint8_t likely[] = {PTE_R,         PTE_R | PTE_W,         PTE_R | PTE_W,
                                     PTE_R | PTE_X, PTE_R | PTE_W | PTE_X, PTE_R | PTE_W | PTE_X,
                                     PTE_X};
    if (chance(10))
        return random_word() & (globals ? 0x3ff : 0x3df);
    return PTE_V | likely[below(COUNT(likely))] | (chance(50) ? PTE_U : 0) |
           (chance(85) ? PTE_A : 0) | (chance(75) ? PTE_D : 0) |
           (globals && chance(40) ? PTE_G : 0) | (uint64_t)below(4) << 8;
}

/* A new value for an entry. `child`: the table that the tree has there, or NULL. */
static uint64_t some_entry(unsigned level, const uint64_t *child)
{
    if (chance(8))
        return chance(50) ? 0 : random_word() & ~PTE_V;
    uint64_t pte;
    if (child && chance(75)) {
        pte = entry((uint64_t)child, PTE_V);
        if (chance(6))
            pte |= random_word() & PTE_NONLEAF_RESERVED;
    } else {
        uint64_t flags = some_flags(), target = leaf_target(level);
        if (is_pointer(flags) && level) {
            /* On to a table of this sequence, whose memory every machine has. */
            if (tree && !child)
                flags |= PTE_R;
            else
                target = tree ? (uint64_t)child : (uint64_t)table(below(TABLE_COUNT));
        } else if (level && chance(6)) {
            target += PAGE << below(9 * level); /* not aligned */
        }
        pte = entry(target, flags);
        if (!is_pointer(pte) && leads_to_table(pte))
            pte &= ~PTE_X; /* what is in a table would be run */
    }
    if (chance(3))
        pte |= 1UL << (54 + below(10)); /* reserved, or of extensions that are not there */
    return pte;
}

static void fill_table(uint64_t *at, unsigned level, const uint16_t *list, unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        at[list[n]] = some_entry(level, 0);
}

static void clear_table(uint64_t *at)
{
    for (unsigned n = 0; n < COUNT(pages); n++)
        at[pages[n]] = 0;
    for (unsigned n = 0; n < COUNT(middles); n++)
        at[middles[n]] = 0;
    for (unsigned n = 0; n < COUNT(slots); n++)
        at[slots[n]] = 0;
}

static void build(unsigned s)
{
    unsigned first = s * 6;
    space[s].root = roots[s];
    space[s].asid = s + 1 + 16 * below(1000);
    space[s].unused_asid = false;
    clear_table(roots[s]);
    fill_table(roots[s], 2, slots, COUNT(slots));
    unsigned slot = below(COUNT(slots));
    for (unsigned n = 0; n < 2; n++) {
        uint64_t *second = table(first + n);
        space[s].slot[n] = slots[(slot + n * (1 + below(COUNT(slots) - 1))) % COUNT(slots)];
        space[s].second[n] = second;
        roots[s][space[s].slot[n]] = entry((uint64_t)second, PTE_V);
        fill_table(second, 1, middles, COUNT(middles));
        unsigned middle = below(COUNT(middles));
        for (unsigned m = 0; m < 2; m++) {
            uint64_t *last = table(first + 2 + 2 * n + m);
            space[s].middle[n][m] = middles[(middle + m) % COUNT(middles)];
            space[s].last[n][m] = last;
            second[space[s].middle[n][m]] = entry((uint64_t)last, PTE_V);
            fill_table(last, 0, pages, COUNT(pages));
        }
    }
    uint64_t ours = PTE_V | PTE_R | PTE_A | PTE_D | (globals ? PTE_G : 0);
    roots[s][RAM >> 30] = entry(RAM, ours | PTE_W | PTE_X);
    tops[s][0] = tops[s][ENTRIES - 1] = entry((uint64_t)roots[s], PTE_V);
    roots[s][USER_ALIAS >> 30] = entry(RAM, PTE_V | PTE_R | PTE_X | PTE_U | PTE_A | PTE_D);
    roots[s][RAM_AGAIN >> 30] = roots[s][RAM >> 30];
    roots[s][ARENA_S >> 30] = entry((uint64_t)arena_tables(false), PTE_V);
    roots[s][ARENA_U >> 30] = entry((uint64_t)arena_tables(true), PTE_V);
}

static uint64_t satp(unsigned s)
{
    if (s == BARE)
        return 0;
    uint64_t top = (uint64_t)(space_levels == 4 ? tops[s] : roots[s]);
    return (SATP_MODE_SV39 + space_levels - 3) << SATP_MODE_SHIFT | space[s].asid << 44 | top >> 12;
}

/* Sv39: bit 38 goes on to the top. */
static uint64_t address(unsigned slot, unsigned middle, unsigned page)
{
    uint64_t va = (uint64_t)slot << 30 | (uint64_t)middle << 21 | (uint64_t)page << 12;
    return (uint64_t)((int64_t)(va << 25) >> 25);
}

void space_reset(void)
{
    csr_write(CSR_SATP, 0);
    tree = chance(50);
    globals = chance(30);
    for (unsigned n = 0; n < TABLE_COUNT; n++)
        clear_table(table(n));
    for (unsigned n = 0; n < SPACES; n++)
        build(n);
    for (unsigned n = 0; n < DATA_PAGES; n++) {
        uint64_t *at = (uint64_t *)data_page(n);
        for (unsigned m = 0; m < 8; m++) {
            at[m] = random_word();
            at[ENTRIES / 2 + m] = 0x9002900290029002; /* c.ebreak */
            at[ENTRIES - 8 + m] = random_word();
        }
    }
    sfence_vma_all();
    for (unsigned n = 0; n < RECENT; n++)
        recent[n] = 0;
    space_now = 0;
    csr_write(CSR_SATP, satp(0));
}

void space_fold(void)
{
    for (unsigned n = 0; n < DATA_PAGES; n++) {
        const uint64_t *at = (const uint64_t *)data_page(n);
        for (unsigned m = 0; m < 8; m++) {
            fold(at[m]);
            fold(at[ENTRIES / 2 + m]);
            fold(at[ENTRIES - 8 + m]);
        }
    }
    for (unsigned n = 0; n < TABLE_COUNT + SPACES; n++) {
        const uint64_t *at = n < TABLE_COUNT ? table(n) : roots[n - TABLE_COUNT];
        for (unsigned m = 0; m < COUNT(pages); m++)
            fold(at[pages[m]]);
        for (unsigned m = 0; m < COUNT(middles); m++)
            fold(at[middles[m]]);
        for (unsigned m = 0; m < COUNT(slots); m++)
            fold(at[slots[m]]);
    }
}

void space_pattern(void)
{
    for (unsigned n = 0; n < DATA_PAGES; n++) {
        uint16_t *at = (uint16_t *)data_page(n);
        at[0] = at[1] = 0x9002;    /* c.ebreak: the upper half of the one that begins before */
        at[PAGE / 2 - 1] = 0x8513; /* addi a0, t0, ... */
    }
}

/* Where Caldarium lies in roots of Sv48 and Sv57 (host/bare/layout.h), and addresses that differ
 * from a space's own in bits that only these have. */
static const uint64_t apart[] = {
    0xffffff7f80000000, 0xffffff4000000000, 0xfffeffff80000000, 0xfffeffc000000000,
    0xffffff0080000000, 0x0000004000000000, 0x0000008000000000, 0x0000800000000000,
    0x0001000000000000, 0xffffffbfc0000000, 0xffff7fffc0000000, 0xfffeffffc0000000,
};

void space_focus(bool on)
{
    focus = on && space_now != BARE ? recent[below(RECENT)] : 0;
}

uint64_t space_address(void)
{
    if (focus)
        return focus;
    unsigned page = pages[below(COUNT(pages))];
    if (space_now == BARE) {
        uint64_t mapped = recent[below(RECENT)]; /* in the spaces, and nothing is there without */
        if (chance(40) && mapped >> 36)
            return mapped;
        if (chance(10))
            return chance(50) ? OUTSIDE + below(1000) * PAGE : random_word() << 40;
        return data_page(below(DATA_PAGES));
    }
    if (chance(2)) { /* most of them not canonical */
        uint64_t word = random_word();
        return word & 1 ? apart[word / 2 % COUNT(apart)] + word / 64 % 1000 * PAGE
                        : word & ~(PAGE - 1);
    }
    uint64_t *va = &recent[below(RECENT)];
    if (chance(45) && *va)
        return *va;
    if (chance(20)) {
        unsigned middle = middles[chance(50) ? below(2) : below(COUNT(middles))];
        return *va = address(slots[below(COUNT(slots))], middle, page);
    }
    unsigned n = below(2);
    unsigned middle =
        chance(75) ? space[space_now].middle[n][below(2)] : middles[below(COUNT(middles))];
    return *va = address(space[space_now].slot[n], middle, page);
}

static bool listed(unsigned index, const uint16_t *list, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        if (list[n] == index)
            return true;
    }
    return false;
}

static enum place place_of(uint64_t pa)
{
    if (pa >= OUTSIDE || (pa >= 0x90000000 && pa < 0xc0000000))
        return PLACE_NOTHING; /* no machine that runs this has that much RAM */
    unsigned in_page = pa % PAGE / 8;
    if (pa >= TABLES && pa < TABLES + TABLE_COUNT * PAGE) {
        bool used = listed(in_page, pages, COUNT(pages)) ||
                    listed(in_page, middles, COUNT(middles)) ||
                    listed(in_page, slots, COUNT(slots));
        return used ? PLACE_TABLE : PLACE_OURS;
    }
    if (pa >= DATA_A && pa < DATA_C)
        return listed(pa >> 12 & (ENTRIES - 1), pages, COUNT(pages)) ? PLACE_DATA : PLACE_OURS;
    return pa >= DATA_C && pa < DATA_C + PAGE ? PLACE_DATA : PLACE_OURS;
}

enum place space_place(uint64_t va)
{
    traced = va;
    if (space_now == BARE)
        return place_of(va);
    if (va >> 39 != 0 && va >> 39 != (1UL << 25) - 1)
        return PLACE_FAULT;
    if (space_levels == 3 && (va >> 38 & 1) != va >> 63)
        return PLACE_FAULT;
    const uint64_t *at = space[space_now].root;
    for (int level = 2; level >= 0; level--) {
        unsigned shift = 12 + 9 * (unsigned)level;
        uint64_t pte = at[va >> shift & (ENTRIES - 1)], inside = (1UL << shift) - 1;
        uint64_t base = pte << 10 >> 20 << 12;
        if (!(pte & PTE_V) || pte >> 54)
            return PLACE_FAULT;
        if (!is_pointer(pte))
            return base & inside ? PLACE_FAULT : place_of(base | (va & inside));
        if (base < RAM || place_of(base) == PLACE_NOTHING)
            return PLACE_FAULT; /* a step stored what looks like a table's entry: there is none */
        at = (const uint64_t *)base;
    }
    return PLACE_FAULT;
}

enum { FENCE_ALL, FENCE_ASID, FENCE_PAGE, FENCE_PAGE_ASID };

static void fence(unsigned form, uint64_t va, uint64_t size, uint64_t asid)
{
    unsigned a = value_register(), b = other_register(a);
    bool page = form >= FENCE_PAGE, one = form & 1;
    code_start();
    if (chance(15)) { /* the firmware's: the page's whole range, or everything */
        uint64_t from = page ? va & ~(size - 1) : 0;
        code_sbi(SBI_EXT_RFENCE, one ? 2 : 1,
                 (const uint64_t[]){1, diff_hart, from, page ? size : UINT64_MAX, asid});
    } else {
        context.gpr[a] = va;
        context.gpr[b] = asid;
        code_put(SFENCE_VMA(page ? a : 0, one ? b : 0));
    }
    code_undisturbed();
    code_run("fence", false);
}

/* Where an entry is: in the root, or in one of the tables that the space was built with. */
struct spot {
    unsigned level, slot, middle, page;
};

static struct spot any_spot(unsigned s)
{
    unsigned die = below(100), n = below(2);
    struct spot spot = {.level = die < 70 ? 0 : die < 92 ? 1 : 2};
    spot.slot = space[s].slot[n];
    spot.middle = space[s].middle[n][below(2)];
    spot.page = pages[below(COUNT(pages))];
    if (spot.level == 1 && chance(50))
        spot.middle = middles[below(COUNT(middles))];
    if (spot.level == 2 && chance(50))
        spot.slot = slots[below(COUNT(slots))];
    return spot;
}

/* The one that a page of late is translated by, as far as it is one of those. */
static struct spot recent_spot(unsigned s)
{
    uint64_t va = focus ? focus : recent[below(RECENT)];
    struct spot spot = {0, va >> 30 & 511, va >> 21 & 511, va >> 12 & 511};
    if (!va)
        return any_spot(s);
    const uint64_t *at = space[s].root;
    for (spot.level = 2; spot.level; spot.level--) {
        uint64_t pte = at[va >> (12 + 9 * spot.level) & (ENTRIES - 1)];
        unsigned k = spot.slot == space[s].slot[1];
        bool ours = spot.slot == space[s].slot[k] &&
                    (spot.level == 2 || spot.middle == space[s].middle[k][0] ||
                     spot.middle == space[s].middle[k][1]);
        if (!is_pointer(pte) || !ours)
            return spot;
        unsigned m = spot.middle == space[s].middle[k][1];
        at = spot.level == 2 ? space[s].second[k] : space[s].last[k][m];
    }
    return spot;
}

/* The entry itself. `*child`: the table that the tree has there, or NULL. */
static uint64_t *entry_at(unsigned s, const struct spot *spot, const uint64_t **child)
{
    unsigned k = spot->slot == space[s].slot[1], m = spot->middle == space[s].middle[k][1];
    bool tree_slot = spot->slot == space[s].slot[k];
    bool tree_middle = spot->middle == space[s].middle[k][m];
    *child = 0;
    if (spot->level == 0)
        return &space[s].last[k][m][spot->page];
    if (spot->level == 1) {
        *child = tree_middle ? space[s].last[k][m] : 0;
        return &space[s].second[k][spot->middle];
    }
    *child = tree_slot ? space[s].second[k] : 0;
    return &space[s].root[spot->slot];
}

/* Changes one entry; answers what fence it needs. `*va`, `*size`: what it translates. */
static unsigned edit(unsigned s, uint64_t *va, uint64_t *size)
{
    struct spot spot = focus || chance(40) ? recent_spot(s) : any_spot(s);
    unsigned level = spot.level;
    const uint64_t *child;
    uint64_t *at = entry_at(s, &spot, &child);
    uint64_t before = *(volatile uint64_t *)at, after = some_entry(level, child);
    if (chance(30) && before & PTE_V && !is_pointer(before)) { /* the same with another bit */
        after = before ^ PTE_R << below(7);
        if (is_pointer(after))
            after |= PTE_R; /* or it would lead to what is no table */
        if (leads_to_table(after))
            after &= ~PTE_X;
    }
    if (!globals)
        after &= ~PTE_G;
    *(volatile uint64_t *)at = after;
    *size = PAGE << 9 * level;
    *va = address(spot.slot, level < 2 ? spot.middle : 0, level ? 0 : spot.page);
    *va += random_word() & (*size - 1) & ~(PAGE - 1); /* any page of a large one will do */
    bool pointers = level && (is_pointer(before) || is_pointer(after));
    return pointers ? FENCE_ASID : FENCE_PAGE_ASID;
}

void space_edit(void)
{
    unsigned s = space_now == BARE || (!focus && chance(25)) ? below(SPACES) : space_now;
    unsigned count = chance(75) ? 1 : 2 + below(3), form = FENCE_PAGE_ASID;
    uint64_t va = 0, size = PAGE;
    for (unsigned n = 0; n < count; n++) {
        unsigned needs = edit(s, &va, &size);
        if (n || needs < form)
            form = FENCE_ASID;
    }
    /* Global entries are nobody's: a fence of one ASID leaves them. */
    if (!tree)
        form = FENCE_ALL;
    else if (form == FENCE_ASID)
        form = globals || chance(40) ? FENCE_ALL : FENCE_ASID;
    else if (globals)
        form = chance(70) ? FENCE_PAGE : FENCE_ALL;
    else
        form = chance(60) ? FENCE_PAGE_ASID : below(4);
    fence(form, va, size, space[s].asid);
    if (form == FENCE_ALL)
        space[s].unused_asid = false;
}

void space_large(void)
{
    if (space_now == BARE)
        return;
    unsigned level = 1 + below(2), n = below(2);
    unsigned slot = level == 1 ? space[space_now].slot[n] : slots[below(COUNT(slots))];
    unsigned middle = middles[below(2)]; /* where 1 GiB of RAM has the data */
    uint64_t leaf = entry(level == 1 ? DATA_A : RAM,
                          PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D | (chance(50) ? PTE_U : 0));
    uint64_t *at = level == 1 ? &space[space_now].second[n][middle] : &space[space_now].root[slot];
    *(volatile uint64_t *)at = leaf;
    for (unsigned k = 0; k < RECENT; k++)
        recent[k] = address(slot, middle, pages[below(COUNT(pages))]);
    fence(FENCE_ALL, 0, 0, 0);
    space[space_now].unused_asid = false;
}

void space_stored(void)
{
    if (!tree)
        fence(FENCE_ALL, 0, 0, 0);
}

void space_switch(void)
{
    unsigned a = value_register(), to = chance(12) ? BARE : below(SPACES);
    bool refused = chance(20);
    if (to != BARE && !refused && chance(15)) {
        space[to].asid = (space[to].asid & 15) + 16 * below(1000);
        space[to].unused_asid = true;
    }
    code_start();
    if (refused) { /* a mode that this hart doesn't have: no effect at all */
        static const uint8_t none[] = {1, 2, 5, 7, 11, 12, 14, 15, 10, 9};
        unsigned count = sizeof(none) - (space_levels == 4);
        context.gpr[a] = random_word() >> 4 | (uint64_t)none[below(count)] << 60;
        to = space_now;
    } else {
        context.gpr[a] = satp(to);
    }
    /* An entry that is global in one space and not, or another, in the next: everything goes. */
    unsigned rd = any_register();
    code_put(CSR_SATP << 20 | a << 15 | 1 << 12 | rd << 7 | 0x73); /* csrrw rd, satp, a */
    space_now = to;
    code_undisturbed();
    code_run("satp", false);
    if (to == BARE)
        return;
    if (globals)
        fence(FENCE_ALL, 0, 0, 0);
    else if (space[to].unused_asid)
        fence(chance(50) ? FENCE_ASID : FENCE_ALL, 0, 0, space[to].asid);
    space[to].unused_asid = false;
}

void space_trace(void)
{
    if (!traced)
        return;
    guest_print("diff: to %x:", traced);
    const uint64_t *at = space[space_now].root;
    for (int level = 2; space_now != BARE && level >= 0; level--) {
        uint64_t pte = at[traced >> (12 + 9 * level) & (ENTRIES - 1)];
        guest_print(" %x", pte);
        if (!is_pointer(pte) || pte >> 54)
            break;
        at = (const uint64_t *)(pte << 10 >> 20 << 12);
    }
    guest_print("\n");
    traced = 0;
}
