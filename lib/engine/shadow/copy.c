/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/engine/shadow/copy.h"

#include <stdatomic.h>
#include <stddef.h>

#include "caldarium/host.h"
#include "riscv/lock.h"
#include "lib/engine/hot.h"
#include "lib/engine/shadow/scan.h"
#include "riscv/asm.h"

/* What is known of a page: struct s_code.page. */
#define SLOT 0x0fffu     /* the number of its copy; 0: none */
#define STALE 0x1000u    /* that copy may be of what the page was before */
#define GOING 0x2000u    /* that copy is being dropped */
#define PLAIN 0x4000u    /* holds nothing to replace, as it was when nobody could write it */
#define WRITABLE 0x8000u /* a vCPU may have it writable */
#define POKED 0x10000u   /* besides: who has it writable has one entry, which is in its s_poke */

/* And of 2 MiB of them: struct s_code.block. */
#define HAS_CODE 1u       /* the kernel executes here: no large entries for it */
#define WRITABLE_LARGE 2u /* as WRITABLE, for all of its pages */
#define SOME_WRITABLE 4u  /* at least one of them has WRITABLE */

#define PPN (SATP_PPN_MASK << PTE_PPN_SHIFT)
#define PAGES_AT_ONCE 32 /* taken between two calls of host_may_yield() */
#define BLOCK_SHIFT 21
#define BLOCK_PAGES 512
#define POOL_RAM_SHIFT 18 /* a copy for 256 KiB of RAM, within bounds */
#define POOL_MIN 128
#define POOL_MAX S_COPIES

/* A page that is executed, and read or written, in turn costs more than the firmware does: after so
 * many turns within a second it is left as it is until the next one. A turn takes some 20,000
 * instructions. Firmware that prints a line for each of the page's takes longer for four of these
 * than for that, at 115,200 baud; and Linux patches up to ten places of the page it idles in. */
#define RECENT 64
#define ROUNDS_MAX 64 /* a store and what makes up for it count one each */

struct recent {
    const _Atomic uint32_t *page;
    uint64_t since; /* host time */
    unsigned rounds;
};

struct s_copy {
    _Atomic uint32_t *page; /* whose copy it is: its word; NULL: free */
    uint16_t *code;
    uint64_t pa;
};

struct s_copies {
    struct lock lock; /* of all this; tried, never waited for: whoever holds it waits for others */
    unsigned count, next;
    struct s_code *code; /* of each slot that has such */
    struct recent recent[RECENT];
    struct s_copy copy[]; /* count of them; 0 is none: its page is where the next one is made */
};

static uint64_t header_bytes(unsigned count)
{
    return sizeof(struct s_copies) + count * sizeof(struct s_copy);
}

/* What is known of a slot's pages. It stays until the VM ends, also where the slot does before. */
struct s_code {
    struct s_code *next;
    uint64_t pages, blocks;
    uint64_t before;                /* pages of the first block that are not the slot's */
    _Atomic uint32_t *page, *block; /* a word for each page, and for each 2 MiB */
};

/* Nobody but the VM's vCPUs and the library writes there. */
static bool is_private(const struct slot *slot)
{
    return slot_size(slot) && slot->va && slot_flags(slot) & SLOT_PRIVATE;
}

static uint64_t in_pages(uint64_t bytes)
{
    return (bytes + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
}

static uint64_t blocks_of(const struct slot *slot)
{
    return ((slot->gpa + slot_size(slot) - 1) >> BLOCK_SHIFT) - (slot->gpa >> BLOCK_SHIFT) + 1;
}

/* What is known of a slot's pages takes. */
static uint64_t code_bytes(uint64_t pages, uint64_t blocks)
{
    return in_pages(sizeof(struct s_code)) + in_pages(pages * sizeof(uint32_t)) +
           in_pages(blocks * sizeof(uint32_t));
}

static uint64_t use_bytes(unsigned count)
{
    return count * sizeof(struct s_copy_use);
}

/* By the VM's RAM, and by what its first vCPU and the rest leave of the budget. */
static unsigned pool(const struct engine_vm *vm)
{
    uint64_t ram = 0, rest = vm->s.table_pages * HOST_PAGE_SIZE, budget = s_budget(vm);
    for (unsigned n = 0; n < vm->memory.slots; n++) {
        const struct slot *slot = &vm->memory.slot[n];
        if (!is_private(slot))
            continue;
        ram += slot_size(slot);
        rest += code_bytes(slot_size(slot) / HOST_PAGE_SIZE, blocks_of(slot));
    }
    uint64_t count = ram >> POOL_RAM_SHIFT;
    count = !ram ? 0 : count < POOL_MIN ? POOL_MIN : count > POOL_MAX ? POOL_MAX : count;
    while (count > 1 && rest + in_pages(header_bytes((unsigned)count)) + count * HOST_PAGE_SIZE +
                                in_pages(use_bytes((unsigned)count)) >
                            budget)
        count--;
    return count > 1 ? (unsigned)count : 0;
}

static bool init_slot(struct s_copies *copies, struct slot *slot)
{
    struct s_code *code = host_pages_alloc(sizeof(*code), HOST_PAGE_SIZE);
    if (!code)
        return false;
    code->next = copies->code;
    copies->code = code;
    code->pages = slot_size(slot) / HOST_PAGE_SIZE;
    code->before = slot->gpa / HOST_PAGE_SIZE % BLOCK_PAGES;
    code->blocks = blocks_of(slot);
    code->page = host_pages_alloc(code->pages * sizeof(*code->page), HOST_PAGE_SIZE);
    code->block = host_pages_alloc(code->blocks * sizeof(*code->block), HOST_PAGE_SIZE);
    slot->code = code;
    return code->page && code->block;
}

static bool init_slots(struct engine_vm *vm)
{
    for (unsigned n = 0; n < vm->memory.slots; n++) {
        struct slot *slot = &vm->memory.slot[n];
        vm->s.has_devices |= slot_size(slot) && slot_flags(slot) & SLOT_DEVICE;
        if (is_private(slot) && !init_slot(vm->s.copies, slot))
            return false;
    }
    return true;
}

static bool init(struct engine_vm *vm)
{
    unsigned count = pool(vm);
    if (!count)
        return true;
    struct s_copies *copies = host_pages_alloc(header_bytes(count), HOST_PAGE_SIZE);
    vm->s.copies = copies;
    if (!copies)
        return false;
    copies->count = count;
    copies->next = 1;
    for (unsigned n = 0; n < count; n++) {
        copies->copy[n].code = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!copies->copy[n].code)
            return false;
        copies->copy[n].pa = host_pa(copies->copy[n].code);
        if (!(n % PAGES_AT_ONCE))
            host_may_yield();
    }
    return init_slots(vm);
}

bool s_copies_take(struct engine_vcpu *v)
{
    if (!v->vm->s.copies && !init(v->vm)) {
        s_copies_fini(v->vm);
        return false;
    }
    if (v->vm->s.copies)
        v->s.copy_use = host_pages_alloc(use_bytes(v->vm->s.copies->count), HOST_PAGE_SIZE);
    if (v->s.copy_use)
        v->vm->s.table_pages += in_pages(use_bytes(v->vm->s.copies->count)) / HOST_PAGE_SIZE;
    return !v->vm->s.copies || v->s.copy_use;
}

void s_copies_give(struct engine_vcpu *v)
{
    if (v->s.copy_use)
        host_pages_free(v->s.copy_use, use_bytes(v->vm->s.copies->count));
    v->s.copy_use = NULL;
}

static void give(void *pages, uint64_t bytes)
{
    if (pages)
        host_pages_free(pages, bytes);
    host_may_yield();
}

void s_copies_fini(struct engine_vm *vm)
{
    struct s_copies *copies = vm->s.copies;
    if (!copies)
        return;
    for (struct s_code *code = copies->code, *next; code; code = next) {
        next = code->next;
        give((void *)code->page, code->pages * sizeof(*code->page));
        give((void *)code->block, code->blocks * sizeof(*code->block));
        give(code, sizeof(*code));
    }
    for (unsigned n = 0; n < copies->count; n++)
        give(copies->copy[n].code, HOST_PAGE_SIZE);
    for (unsigned n = 0; n < vm->memory.slots; n++)
        vm->memory.slot[n].code = NULL;
    give(copies, header_bytes(copies->count));
    vm->s.copies = NULL;
}

uint64_t s_copies_bytes(const struct engine_vm *vm)
{
    const struct s_copies *copies = vm->s.copies;
    if (!copies)
        return 0;
    uint64_t bytes = in_pages(header_bytes(copies->count)) + copies->count * HOST_PAGE_SIZE;
    for (const struct s_code *code = copies->code; code; code = code->next)
        bytes += code_bytes(code->pages, code->blocks);
    return bytes;
}

static _Atomic uint32_t *word_of(const struct slot *slot, uint64_t gpa)
{
    return &slot->code->page[(gpa - slot->gpa) / HOST_PAGE_SIZE];
}

static _Atomic uint32_t *block_of(const struct slot *slot, uint64_t gpa)
{
    return &slot->code->block[(gpa >> BLOCK_SHIFT) - (slot->gpa >> BLOCK_SHIFT)];
}

bool s_copies_wrote(struct engine_vm *vm, uint64_t gpa, uint64_t bytes)
{
    bool stale = false;
    const struct slot *slot = vm->s.copies ? memory_slot(&vm->memory, gpa) : NULL;
    if (!slot || !slot->code)
        return false;
    for (uint64_t at = gpa & ~(HOST_PAGE_SIZE - 1); at < gpa + bytes; at += HOST_PAGE_SIZE) {
        _Atomic uint32_t *page = word_of(slot, at);
        /* Where there is no copy too: one may be in the making. */
        stale |= (atomic_fetch_or(page, STALE) & SLOT) != 0;
        atomic_fetch_and(page, ~PLAIN);
    }
    return stale;
}

static const uint16_t *original(const struct slot *slot, uint64_t gpa)
{
    return (const uint16_t *)(slot->va + ((gpa & ~(HOST_PAGE_SIZE - 1)) - slot->gpa));
}

/* ---- Turns ----------------------------------------------------------------------------------- */

static struct recent *recent_of(struct s_copies *copies, const _Atomic uint32_t *page)
{
    return &copies->recent[((uintptr_t)page / sizeof(*page)) % RECENT];
}

/* The page's use has changed. Not exact where vCPUs meet here: it is a measure. */
static void note_turn(struct s_copies *copies, const _Atomic uint32_t *page)
{
    struct recent *recent = recent_of(copies, page);
    uint64_t now = host_time();
    if (recent->page != page || now - recent->since > host_timebase())
        *recent = (struct recent){page, now, 0};
    recent->rounds++;
}

static bool turns_too_often(struct s_copies *copies, const _Atomic uint32_t *page)
{
    const struct recent *recent = recent_of(copies, page);
    return recent->page == page && recent->rounds > ROUNDS_MAX &&
           host_time() - recent->since <= host_timebase();
}

/* ---- Dropping -------------------------------------------------------------------------------- */

/*
 * The copy goes, on all vCPUs of the VM. While that lasts its page's word says so, and nobody
 * enters the copy, or the page as writable. The lock is held.
 */
static void drop(struct engine_vcpu *v, unsigned number)
{
    struct s_copy *copy = &v->vm->s.copies->copy[number];
    if (!copy->page)
        return;
    atomic_fetch_or(copy->page, GOING);
    hot_fence(v, &(struct fence){.kind = FENCE_COPY, .start = number});
    atomic_fetch_and(copy->page, ~(SLOT | GOING | STALE));
    copy->page = NULL;
}

void s_copy_drop(struct engine_vcpu *v, uint64_t number)
{
    struct s_vcpu *s = &v->s;
    struct s_copy_use *use = &s->copy_use[number];
    uint64_t leaf = s_tables_entry(v->vm->s.copies->copy[number].pa, 0) & PPN;
    for (unsigned n = 0; n < S_COPY_USES; n++) {
        /* The table may have been given to something else since: then it holds another address. */
        if (use->entry[n] && (*use->entry[n] & PPN) == leaf)
            *use->entry[n] = 0;
        use->entry[n] = NULL;
    }
    s_places_drop(s, (unsigned)number); /* nobody goes by what was there */
    if (use->more)
        s_tables_flush(v);
    else
        sfence_vma_all();
    use->more = false;
}

uint64_t s_copy_entry(const struct engine_vcpu *v, const struct slot *slot, uint64_t gpa,
                      uint64_t flags)
{
    uint32_t now = atomic_load_explicit(word_of(slot, gpa), memory_order_relaxed);
    if (!(now & SLOT) || now & GOING)
        return 0;
    return s_tables_entry(v->vm->s.copies->copy[now & SLOT].pa, flags & ~(PTE_R | PTE_W));
}

unsigned s_copy_of(const struct slot *slot, uint64_t gpa)
{
    uint32_t now = slot && slot->code ? atomic_load(word_of(slot, gpa)) : 0;
    return now & GOING ? 0 : now & SLOT;
}

void s_copy_entered(struct engine_vcpu *v, uint64_t *entry)
{
    uint64_t leaf = *entry & PPN;
    struct s_copy_use *use = &v->s.copy_use[v->s.copy_shown];
    fence_i(); /* this hart may remember what was in the page before */
    for (unsigned n = 0; n < S_COPY_USES; n++) {
        if (use->entry[n] && use->entry[n] != entry && (*use->entry[n] & PPN) == leaf)
            continue;
        use->entry[n] = entry;
        return;
    }
    use->more = true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

bool s_copy_may_write(const struct slot *slot, uint64_t gpa)
{
    _Atomic uint32_t *page = word_of(slot, gpa);
    uint32_t before = atomic_load(page);
    while (before != WRITABLE) {
        if (before & SLOT)
            return false;
        if (!atomic_compare_exchange_weak(page, &before, WRITABLE))
            continue;
        /* In this order: a tidy() in between leaves the page's mark, and finds it the next time. */
        atomic_fetch_or(block_of(slot, gpa), SOME_WRITABLE);
        break;
    }
    return true;
}

/*
 * Kernels patch their own code in a page of which nothing else is writable, and go on executing it:
 * that is not worth forgetting all tables. A store to a page that has a copy is remembered, the
 * copy goes, and the store comes back.
 */
static bool poke_lives(const struct s_poke *poke)
{
    return poke->entry && (*poke->entry & (PPN | PTE_W)) == (poke->leads | PTE_W);
}

static void will_poke(struct engine_vcpu *v, _Atomic uint32_t *page)
{
    struct s_poke *poke = &v->s.poke;
    uint32_t poked = WRITABLE | POKED;
    if (poke->page && poke_lives(poke)) /* it is not to be found by that any more */
        atomic_compare_exchange_strong(poke->page, &poked, WRITABLE);
    *poke = (struct s_poke){.page = page};
}

/* The store of before, and nobody has the page writable but by such entries. */
static bool is_poke(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa)
{
    const struct s_poke *poke = &v->s.poke;
    _Atomic uint32_t *page = word_of(slot, gpa);
    uint32_t before = atomic_load(page);
    if (poke->page != page || poke_lives(poke) || (before && before != (WRITABLE | POKED)) ||
        !atomic_compare_exchange_strong(page, &before, WRITABLE | POKED))
        return false;
    atomic_fetch_or(block_of(slot, gpa), SOME_WRITABLE);
    return true;
}

void s_copy_poked(struct engine_vcpu *v, uint64_t gva, uint64_t *entry)
{
    v->s.poke.entry = entry;
    v->s.poke.leads = *entry & PPN;
    v->s.poke.gva = gva;
}

void s_copy_unpoke(struct engine_vcpu *v, uint64_t page)
{
    struct s_poke *poke = &v->s.poke;
    if ((uint64_t)poke->page != page || !poke_lives(poke))
        return;
    *poke->entry = 0;
    sfence_vma_address(poke->gva);
}

/* The page's copy goes, if it has one: its use has changed. The lock is held. */
static void drop_in_turn(struct engine_vcpu *v, _Atomic uint32_t *page)
{
    unsigned number = atomic_load(page) & SLOT;
    if (!number)
        return;
    note_turn(v->vm->s.copies, page);
    drop(v, number);
}

/* The same, or it doesn't go now, and the guest runs into it again. */
static void drop_of(struct engine_vcpu *v, _Atomic uint32_t *page)
{
    struct s_copies *copies = v->vm->s.copies;
    if (!lock_try(&copies->lock))
        return;
    drop_in_turn(v, page);
    lock_release(&copies->lock);
}

enum s_copy_show s_copy_write(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa)
{
    if (is_poke(v, slot, gpa))
        return S_COPY_SHOWN;
    if (s_copy_may_write(slot, gpa))
        return S_COPY_NONE;
    will_poke(v, word_of(slot, gpa));
    drop_of(v, word_of(slot, gpa));
    return S_COPY_AGAIN;
}

bool s_copy_may_be_large(const struct slot *slot, uint64_t gpa, bool writable)
{
    _Atomic uint32_t *block = block_of(slot, gpa);
    uint32_t before = atomic_load(block);
    if (before & HAS_CODE)
        return false;
    return !writable || before & WRITABLE_LARGE ||
           !(atomic_fetch_or(block, WRITABLE_LARGE) & HAS_CODE);
}

static void tidy_block(const struct s_code *code, uint64_t block)
{
    uint64_t first = block * BLOCK_PAGES, end = first + BLOCK_PAGES;
    first = first > code->before ? first - code->before : 0;
    end -= code->before;
    if (end > code->pages)
        end = code->pages;
    for (uint64_t i = first; i < end; i++) {
        if (atomic_load_explicit(&code->page[i], memory_order_relaxed) & WRITABLE)
            atomic_fetch_and(&code->page[i], ~(WRITABLE | POKED));
    }
}

/*
 * Nobody has anything writable any more. The marks go first: whoever makes a page writable from now
 * on marks it anew, and what was entered before goes with the tables. Nobody believes that a mark
 * is missing until then. The lock is held.
 */
static void tidy(struct engine_vcpu *v)
{
    struct s_copies *copies = v->vm->s.copies;
    for (const struct s_code *code = copies->code; code; code = code->next) {
        for (uint64_t i = 0; i < code->blocks; i++) {
            if (atomic_fetch_and(&code->block[i], ~(SOME_WRITABLE | WRITABLE_LARGE)) &
                SOME_WRITABLE)
                tidy_block(code, i);
        }
    }
    hot_fence(v, &(struct fence){.kind = FENCE_TABLES});
}

/* ---- Fetching -------------------------------------------------------------------------------- */

/* The page has what the copy was made from. */
static bool same(const uint16_t *page, const uint16_t *code)
{
    for (unsigned n = 0; n < S_SCAN_HALVES; n++) {
        if (page[n] == code[n])
            continue;
        if (code[n] != INSN_C_EBREAK)
            return false;
        /* What goes on in the next page is looked at when it is met. */
        if (n == S_SCAN_HALVES - 1)
            return s_scan_may_go_on(page);
        if (!s_scan_privileged(page[n] | (uint32_t)page[n + 1] << 16))
            return false;
    }
    return true;
}

/* Somebody wrote to a page that has a copy. Nobody enters that until it is known to be the same;
 * who writes meanwhile marks it again. False: the copy went, or nothing is known yet. */
static bool look(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa)
{
    struct s_copies *copies = v->vm->s.copies;
    _Atomic uint32_t *page = word_of(slot, gpa);
    if (!lock_try(&copies->lock))
        return false;
    unsigned number = atomic_load(page) & SLOT;
    bool is_same = false;
    if (number) {
        atomic_fetch_or(page, GOING);
        atomic_fetch_and(page, ~STALE);
        is_same = same(original(slot, gpa), copies->copy[number].code);
        if (is_same)
            atomic_fetch_and(page, ~GOING);
        else
            drop_in_turn(v, page);
    }
    lock_release(&copies->lock);
    return is_same;
}

/* The oldest goes. The lock is held. */
static unsigned take(struct engine_vcpu *v)
{
    struct s_copies *copies = v->vm->s.copies;
    unsigned number = copies->next;
    copies->next = number + 1 < copies->count ? number + 1 : 1;
    drop(v, number);
    return number;
}

/* Other vCPUs may write to it meanwhile: then the copy is not used. */
static void copy_page(uint16_t *to, const uint16_t *from)
{
    uint64_t *out = (uint64_t *)(void *)to;
    const volatile uint64_t *in = (const volatile uint64_t *)(const void *)from;
#pragma GCC unroll 8
    for (unsigned n = 0; n < HOST_PAGE_SIZE / sizeof(*out); n++)
        out[n] = in[n];
}

/*
 * The half that follows the page at `gva`, where an instruction may go on in it; else 0. It is a
 * guess, for the page may have another neighbour at another address, or later: which instruction it
 * is is read anew whenever the guest comes there.
 */
static uint16_t behind(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa, uint64_t gva)
{
    uint16_t half;
    bool known = s_scan_may_go_on(original(slot, gpa)) &&
                 s_glance(v, (gva | (HOST_PAGE_SIZE - 1)) + 1, &half);
    return known ? half : 0;
}

/* Makes a copy of the page, in which an instruction starts at `known`, or a step towards one. A
 * page that needs none takes no copy's place. The lock is held. */
static void make(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa, unsigned known,
                 uint16_t next)
{
    struct s_copies *copies = v->vm->s.copies;
    _Atomic uint32_t *page = word_of(slot, gpa);
    uint32_t before = atomic_load(page);
    if (before & SLOT)
        return;                                       /* another vCPU was first */
    before = atomic_fetch_and(page, ~STALE) & ~STALE; /* who writes from now on leaves it again */
    if (before & WRITABLE || atomic_load(block_of(slot, gpa)) & WRITABLE_LARGE) {
        note_turn(copies, page); /* whoever writes to it may do so again before we are back */
        if (before & POKED && !(atomic_load(block_of(slot, gpa)) & WRITABLE_LARGE)) {
            atomic_fetch_and(page, ~(WRITABLE | POKED)); /* in tidy()'s order */
            hot_fence(v, &(struct fence){.kind = FENCE_POKED, .start = (uint64_t)page});
        } else {
            tidy(v);
        }
        return;
    }
    uint16_t *code = copies->copy[0].code;
    copy_page(code, original(slot, gpa));
    if (!s_scan_replace(code, known, next)) {
        atomic_compare_exchange_strong(page, &before, PLAIN);
        return;
    }
    unsigned number = take(v);
    struct s_copy *copy = &copies->copy[number];
    copies->copy[0].code = copy->code;
    copy->code = code;
    copy->pa = host_pa(code);
    /* Not where it became writable, or was written to, meanwhile. */
    if (atomic_compare_exchange_strong(page, &before, number))
        copy->page = page;
}

/* A device may write what no vCPU can: see docs/shadow.md. */
static bool devices_may_write(const struct engine_vcpu *v, uint64_t flags)
{
    return v->vm->s.has_devices && (flags & PTE_W || !(v->s.satp >> SATP_MODE_SHIFT));
}

enum s_copy_show s_copy_fetch(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa,
                              uint64_t gva, uint64_t flags, uint64_t *pa)
{
    struct s_copies *copies = v->vm->s.copies;
    if (!(atomic_load(block_of(slot, gpa)) & HAS_CODE)) /* from now on no large entry is made */
        atomic_fetch_or(block_of(slot, gpa), HAS_CODE);
    if (v->s.sstatus & SSTATUS_MXR || devices_may_write(v, flags))
        return S_COPY_NONE;
    _Atomic uint32_t *page = word_of(slot, gpa);
    uint32_t now = atomic_load(page);
    unsigned number = now & SLOT;
    if (now & PLAIN || turns_too_often(copies, page))
        return S_COPY_NONE;
    if (now & GOING)
        return S_COPY_AGAIN;
    if (number) {
        struct s_copy *copy = &copies->copy[number];
        if (now & STALE && !look(v, slot, gpa))
            return S_COPY_AGAIN;
        if (v->vm->s.has_devices && !same(original(slot, gpa), copy->code)) {
            drop_of(v, page);
            return S_COPY_AGAIN;
        }
        if (v->vm->s.has_devices)
            s_places_flush(&v->s); /* one privileged instruction may have become another */
        v->s.copy_shown = (uint16_t)number;
        *pa = copy->pa;
        return S_COPY_SHOWN;
    }
    if (now & STALE && !atomic_compare_exchange_strong(page, &now, now & ~STALE))
        return S_COPY_AGAIN;
    now &= ~STALE;
    uint16_t next = behind(v, slot, gpa, gva);
    if (!s_scan_possible(original(slot, gpa), next)) {
        /* Who makes it writable takes the mark away, and who wrote it meanwhile has left its own.
         */
        if (!(now & WRITABLE))
            atomic_compare_exchange_strong(page, &now, PLAIN);
        return S_COPY_NONE;
    }
    if (lock_try(&copies->lock)) {
        /* gva is where the fetch failed: behind the first half of an instruction that goes on here,
         * it is where that one's second half is. */
        uint64_t known = v->pc >> 12 == gva >> 12 ? v->pc : gva + 2;
        make(v, slot, gpa, known & (HOST_PAGE_SIZE - 1), next);
        lock_release(&copies->lock);
    }
    return S_COPY_AGAIN;
}

void s_copy_read(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa)
{
    _Atomic uint32_t *page = word_of(slot, gpa);
    if (atomic_load_explicit(page, memory_order_relaxed) & SLOT)
        note_turn(v->vm->s.copies, page);
}

/* ---- Where the replacement and the page differ ------------------------------------------------
 */

static _Atomic uint32_t *word_at_pc(struct engine_vcpu *v)
{
    struct s_found found;
    if (v->s.user || s_translate(v, v->pc, S_FETCH, &found))
        return NULL;
    const struct slot *slot = memory_slot(&v->vm->memory, found.gpa);
    return slot && slot->code ? word_of(slot, found.gpa) : NULL;
}

void s_copy_missed(struct engine_vcpu *v)
{
    struct s_copies *copies = v->vm->s.copies;
    _Atomic uint32_t *page = word_at_pc(v);
    if (!page || turns_too_often(copies, page) || !lock_try(&copies->lock))
        return;
    uint32_t now = atomic_load(page);
    uint64_t inside = v->pc & (HOST_PAGE_SIZE - 1);
    if (now & SLOT) {
        s_scan_replace_one(copies->copy[now & SLOT].code, (unsigned)inside);
        fence_i();
    } else {
        /* Its next fetch asks for a copy. */
        note_turn(copies, page);
        atomic_fetch_and(page, ~PLAIN);
    }
    s_tables_forget_entry(v, v->pc - inside);      /* it may be the page itself that is shown */
    s_fetch_line(&v->s, v->pc)->page = UINT64_MAX; /* which may say that it has no copy */
    lock_release(&copies->lock);
}

void s_copy_wrong(struct engine_vcpu *v)
{
    _Atomic uint32_t *page = word_at_pc(v);
    fence_i(); /* it may be the guest's own, of before: this hart goes on with what is there now */
    if (page)
        drop_of(v, page);
}
