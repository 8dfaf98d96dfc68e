/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of a running guest come and go. A model of harts with TLBs runs a model of a guest by way
 * of the tables that the engines make: it loads, stores, changes its own page tables and fences,
 * while a host takes pages away and gives them back in other places. What it reads is compared with
 * a guest that kept its pages, and with it the dirty log: a copy that is brought up to date by the
 * log alone is the guest's memory.
 */
#include "tests/unit/unit.h"

#include "lib/engine/h/h.h"
#include "lib/engine/hot.h"
#include "lib/engine/shadow/shadow.h"
#include "lib/machine/machine.h"
#include "lib/vm/vm.h"
#include "host/host.h"
#include "host/sim/riscv/asm.h"
#include "riscv/csr.h"

#define RAM 0x80000000UL
#define PAGES 64u  /* of the guest's */
#define FRAMES 96u /* the host's, where they lie at a time */
#define WORDS 128u /* of each page are used */
#define HARTS 2u
#define LOST 0xdeaddeaddeaddeadUL
#define BITS (PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D)

/* ---- the host ----------------------------------------------------------------------- */

static uint64_t (*frames)[512], kept[PAGES][WORDS], copy[PAGES][WORDS], reference[PAGES][WORDS];
static struct page {
    bool here, writable;
    unsigned frame;
} pages[PAGES];
static unsigned free_frames[FRAMES], free_count;
static uint64_t seed, asked, taken;

static uint64_t chance(uint64_t of)
{
    return unit_random(&seed) % of;
}

enum cald_page_is host_guest_page(void *owner, uint64_t gpa, bool write, struct cald_page *out)
{
    assert_ptr_equal(owner, pages);
    struct page *page = &pages[(gpa - RAM) / 4096];
    asked++;
    if (gpa - RAM >= PAGES * 4096UL)
        return CALD_PAGE_NOTHING;
    if (!page->here || (write && !page->writable))
        return CALD_PAGE_ABSENT;
    *out = (struct cald_page){host_pa(frames[page->frame]), page->writable};
    return CALD_PAGE_HERE;
}

static void bring(unsigned n, bool writable)
{
    struct page *page = &pages[n];
    if (!page->here) {
        unsigned pick = (unsigned)chance(free_count);
        page->frame = free_frames[pick];
        free_frames[pick] = free_frames[--free_count];
        memcpy(frames[page->frame], kept[n], sizeof(kept[n]));
    }
    page->here = true;
    page->writable = writable;
}

static struct cald_vm vm;
static struct cald_vcpu vcpus[HARTS];

/* A run of pages: no longer told of, forgotten, and only then read and given to others. */
static void take(unsigned n, unsigned count)
{
    bool was[PAGES] = {0};
    for (unsigned i = n; i < n + count; i++) {
        was[i] = pages[i].here;
        pages[i].here = pages[i].writable = false;
    }
    cald_vm_forget(&vm, RAM + n * 4096UL, count * 4096UL);
    for (unsigned i = n; i < n + count; i++) {
        if (!was[i])
            continue;
        memcpy(kept[i], frames[pages[i].frame], sizeof(kept[i]));
        bool stays = chance(2); /* its place may hold the old contents for long */
        for (unsigned w = 0; w < WORDS && !stays; w++)
            frames[pages[i].frame][w] = LOST;
        free_frames[free_count++] = pages[i].frame;
        taken++;
    }
}

/* ---- harts -------------------------------------------------------------------------- */

#define TLB 64u
static struct hart {
    struct tlb {
        uint64_t page, pa, flags; /* flags 0: empty */
    } tlb[TLB];
    /* A hart may remember that there was nothing, at the leaf or above it (privileged manual,
     * "Supervisor Memory-Management Fence Instruction"). 0: it doesn't. */
    uint64_t nothing;
    bool nothing_above;
    uint64_t satp;
} harts[HARTS];
static unsigned on; /* the hart that executes */

void sim_flush_all(void)
{
    memset(harts[on].tlb, 0, sizeof(harts[on].tlb));
    harts[on].nothing = 0;
}

void sim_flush_page(uint64_t address)
{
    harts[on].tlb[address / 4096 % TLB].flags = 0;
    if (harts[on].nothing == address / 4096 && !harts[on].nothing_above)
        harts[on].nothing = 0;
}

void sim_flush_guest(void)
{
    sim_flush_all();
}

void sim_flush_guest_page(uint64_t gpa)
{
    sim_flush_page(gpa);
}

/* The manual's walk, of a table whose root has `first` entries. Its leaf for the page, or 0. */
static uint64_t walk(const uint64_t *table, unsigned levels, unsigned first, uint64_t address,
                     uint64_t *pa)
{
    for (unsigned level = levels - 1;; level--) {
        unsigned shift = 12 + 9 * level;
        uint64_t pte = table[address >> shift & (level == levels - 1 ? first : 511)];
        if (!(pte & PTE_V))
            return 0;
        uint64_t to = pte >> PTE_PPN_SHIFT << 12;
        if (pte & (PTE_R | PTE_X)) {
            *pa = to + (address & ((1UL << shift) - 1) & ~4095UL);
            return pte;
        }
        assert_true(level > 0);
        table = host_va(to);
    }
}

static bool shadow; /* the engine at test; else h */

/* Where the host lies apart, in the root's last entry but one: its levels, else 0. */
static unsigned apart;
#define HOSTS_ENTRY (0x123UL << PTE_PPN_SHIFT | PTE_V)

static uint64_t shadow_leaf(uint64_t satp, uint64_t address, uint64_t *pa)
{
    unsigned levels = (unsigned)(satp >> SATP_MODE_SHIFT) - 8 + 3;
    const uint64_t *root = host_va((satp & SATP_PPN_MASK) << 12);
    assert_int_equal(levels, apart ? apart : 3);
    if (apart) {
        uint64_t none;
        for (unsigned n = 1; n < 511; n++)
            assert_int_equal(root[n], n == 510 ? HOSTS_ENTRY : 0);
        for (unsigned bit = 38; bit < 12 + 9 * apart - 1;
             bit++) /* what Sv39 has not, has nothing */
            assert_int_equal(walk(root, levels, 511, address ^ 1UL << bit, &none), 0);
    }
    return walk(root, levels, 511, address, pa);
}

static uint64_t hart_leaf(const struct cald_vcpu *vcpu, uint64_t address, uint64_t *pa)
{
    const struct gstage *stage = &vm.eng.h.gstage;
    if (shadow)
        return shadow_leaf(harts[vcpu->id].satp, address, pa);
    return walk(stage->root, stage->levels, 2047, address, pa);
}

/* Where an access goes, or NULL: it faults. */
static uint64_t *hart_access(const struct cald_vcpu *vcpu, uint64_t address, uint64_t needed)
{
    struct tlb *tlb = &harts[vcpu->id].tlb[address / 4096 % TLB];
    on = vcpu->id;
    struct hart *hart = &harts[on];
    if (hart->nothing == address / 4096)
        return NULL;
    if (tlb->page != address / 4096 || (tlb->flags & needed) != needed) {
        uint64_t pa, pte = hart_leaf(vcpu, address, &pa);
        if ((pte & (needed | PTE_U | PTE_A)) != (needed | PTE_U | PTE_A)) {
            if (shadow && !pte && !chance(4)) {
                hart->nothing = address / 4096;
                hart->nothing_above = chance(2);
            }
            return NULL;
        }
        *tlb = (struct tlb){address / 4096, pa, pte};
    }
    return (uint64_t *)((uint8_t *)host_va(tlb->pa) + address % 4096);
}

/* What the run's end says is absent comes: for the access that it names, and nothing else. */
static void serve(uint64_t gpa, bool write)
{
    bring((unsigned)((gpa - RAM) / 4096), write || chance(2));
}

static void shadow_fault(struct cald_vcpu *vcpu, uint64_t address, bool write)
{
    struct exit exit = {.cause = write ? CAUSE_STORE_PAGE : CAUSE_LOAD_PAGE, .gva = address};
    uint64_t traps = vcpu->eng.exits[EXIT_HOT_TRAP];
    if (!s_fault(&vcpu->eng, &exit)) {
        assert_int_equal(exit.reason, EXIT_PAGE);
        serve(exit.gpa, exit.write);
    }
    assert_int_equal(vcpu->eng.exits[EXIT_HOT_TRAP], traps); /* never the guest's own */
    harts[on].satp = s_tables_satp(&vcpu->eng);
}

static void h_guest_fault(struct cald_vcpu *vcpu, uint64_t address, bool write)
{
    enum memory_is is = h_fault(&vcpu->eng, address, write ? PTE_W : PTE_R);
    assert_int_not_equal(is, MEMORY_NOTHING);
    if (is == MEMORY_ABSENT)
        serve(address, write);
}

/* A vCPU comes to its hart: it looks at its mail first. */
static void enter(struct cald_vcpu *vcpu)
{
    on = vcpu->id;
    atomic_store(&vcpu->mode, VCPU_GUEST);
    if (atomic_load(&vcpu->mailbox))
        hot_mail(&vcpu->eng);
    if (shadow)
        harts[on].satp = s_tables_satp(&vcpu->eng);
}

static uint64_t *reach(struct cald_vcpu *vcpu, uint64_t address, bool write)
{
    if (atomic_load(&vcpu->mode) != VCPU_GUEST)
        enter(vcpu);
    for (unsigned n = 0; n < 20; n++) {
        uint64_t *at = hart_access(vcpu, address, write ? PTE_W | PTE_R : PTE_R);
        if (at)
            return at;
        if (shadow)
            shadow_fault(vcpu, address, write);
        else
            h_guest_fault(vcpu, address, write);
        if (!chance(8)) /* and perhaps it goes again at once */
            take((unsigned)chance(PAGES - 1), 1);
    }
    fail_msg("the guest does not come on: %#lx", (unsigned long)address);
    return NULL;
}

/* The interrupt arrives: the hart answers from within the guest. */
void host_kick(struct cald_vcpu *vcpu)
{
    unsigned before = on;
    on = vcpu->id;
    assert_true(hot_mail(&vcpu->eng));
    if (shadow)
        harts[on].satp = s_tables_satp(&vcpu->eng);
    on = before;
}

/* ---- the guest ---------------------------------------------------------------------- */

/* Page 0 is its root, 1 and 2 are tables of last levels, 3 a middle one. All of its pages are at
 * LINEAR, globally; at OTHER they are as it likes them just now. */
#define LINEAR 0x40000000UL
#define OTHER 0x40200000UL
enum { ROOT, LAST, OTHER_LAST, MIDDLE, DATA };
static unsigned other[PAGES]; /* which page is there */

static uint64_t pte(unsigned page, uint64_t bits)
{
    return (RAM / 4096 + page) << PTE_PPN_SHIFT | bits;
}

static uint64_t address_of(unsigned page, unsigned word)
{
    return (shadow ? LINEAR : RAM) + page * 4096UL + word * 8;
}

static void store(struct cald_vcpu *vcpu, uint64_t address, unsigned page, unsigned word,
                  uint64_t value)
{
    *reach(vcpu, address, true) = value;
    reference[page][word] = value;
}

/* What the guest reads; accessed and dirty bits of its tables come as they come. */
static void compare(unsigned page, unsigned word, uint64_t value)
{
    uint64_t may = shadow && page < DATA ? PTE_A | PTE_D : 0;
    if ((value ^ reference[page][word]) & ~may)
        fail_msg("page %u, word %u: %#lx, not %#lx", page, word, (unsigned long)value,
                 (unsigned long)reference[page][word]);
}

static void fence(uint64_t address, bool all)
{
    for (unsigned n = 0; n < HARTS; n++) {
        on = n;
        if (atomic_load(&vcpus[n].mode) != VCPU_GUEST)
            atomic_fetch_or(&vcpus[n].mailbox, MAIL_FLUSH);
        else if (all)
            s_tables_fence(&vcpus[n].eng);
        else
            s_tables_flush_page(&vcpus[n].eng, address, true, 0);
        if (atomic_load(&vcpus[n].mode) == VCPU_GUEST)
            harts[n].satp = s_tables_satp(&vcpus[n].eng);
    }
}

/* Another page at one of the addresses, some not yet dirty, and a fence of it. */
static void remap(struct cald_vcpu *vcpu)
{
    unsigned n = (unsigned)chance(PAGES), to = DATA + (unsigned)chance(PAGES - DATA);
    store(vcpu, address_of(OTHER_LAST, n), OTHER_LAST, n,
          pte(to, chance(3) ? BITS : BITS & ~(PTE_D | PTE_A)));
    other[n] = to;
    fence(OTHER + n * 4096UL, !chance(3));
}

static void step(void)
{
    struct cald_vcpu *vcpu = &vcpus[chance(HARTS)];
    unsigned word = (unsigned)chance(WORDS), page = (unsigned)chance(PAGES),
             kind = (unsigned)chance(64);
    uint64_t address = address_of(page, word);
    if (shadow && kind < 24) {
        address = OTHER + page * 4096UL + word * 8;
        page = other[page];
    }
    if (kind == 63)
        atomic_store(&vcpu->mode, VCPU_AWAY);
    else if (kind == 62 && shadow)
        remap(vcpu);
    else if (kind % 3 || page < DATA)
        compare(page, word, *reach(vcpu, address, false));
    else
        store(vcpu, address, page, word, unit_random(&seed));
}

/* ---- the two together ----------------------------------------------------------------- */

static void model_fence(struct engine_vcpu *v, const struct fence *f)
{
    if (shadow && f->kind == FENCE_ALL)
        s_tables_fence(v);
}

static const struct engine_ops shadow_ops = {.fence = model_fence, .forget = s_forget};
static const struct engine_ops h_ops = {.fence = model_fence,
                                        .enter = h_enter_slot,
                                        .unmap = h_unmap,
                                        .protect = h_protect,
                                        .forget = h_forget};

static struct cald_machine machine = {.told = {.harts = HARTS, .satp_levels = 3, .asids = 256}};
static struct h_vm_hart h_harts[HARTS];

/* What trampoline.c names of entry.S: the guest has nothing near it, so nobody goes there. */
char s_trampoline_code[4096], s_in_asid[1], s_in_flush[1], s_out_asid[1], s_out_flush[1];
void s_trap(void)
{
}

void s_trap_here(void)
{
}

void s_out_here_asid(void)
{
}

void s_out_here_flush(void)
{
}

static void first_contents(void)
{
    for (unsigned n = 0; n < PAGES; n++) {
        for (unsigned w = 0; w < WORDS; w++)
            reference[n][w] = n < DATA ? 0 : unit_random(&seed);
    }
    for (unsigned n = 0; n < PAGES; n++) {
        reference[LAST][n] = pte(n, BITS | PTE_G);
        other[n] = DATA + n % (PAGES - DATA);
        reference[OTHER_LAST][n] = pte(other[n], BITS);
    }
    reference[ROOT][LINEAR >> 30] = pte(MIDDLE, PTE_V);
    reference[MIDDLE][0] = pte(LAST, PTE_V);
    reference[MIDDLE][1] = pte(OTHER_LAST, PTE_V);
    memcpy(kept, reference, sizeof(kept));
    memcpy(copy, reference, sizeof(copy));
}

static void set_up(bool engine_shadow, uint32_t flags)
{
    static const _Atomic bool attention;
    sim_reset();
    shadow = engine_shadow;
    seed = 14;
    asked = taken = 0;
    frames = host_pages_alloc(FRAMES * 4096UL, 4096);
    for (free_count = 0; free_count < FRAMES; free_count++)
        free_frames[free_count] = free_count;
    memset(pages, 0, sizeof(pages));
    memset(&vm, 0, sizeof(vm));
    memset(vcpus, 0, sizeof(vcpus));
    memset(harts, 0, sizeof(harts));
    first_contents();
    vm.open = true;
    vm.vcpus = vcpus;
    vm.vcpu_count = HARTS;
    vm.eng.ops = shadow ? &shadow_ops : &h_ops;
    vm.eng.gpa_end = RAM + (1UL << 30);
    vm.eng.memory.owner = pages;
    vm.eng.machine = &machine;
    memset(&machine.s, 0, sizeof(machine.s));
    if (apart) {
        machine.s.apart = (uint8_t)apart;
        machine.s.way[0][apart - 1] = HOSTS_ENTRY;
        machine.s.there = -(2UL << (12 + 9 * (apart - 1)));
    }
    if (shadow) {
        vm.eng.s.adue = true;
        vm.eng.s.levels = 3;
    } else {
        vm.eng.h.hart = h_harts;
        assert_int_equal(gstage_init(&vm.eng.h.gstage, 3), 0);
    }
    assert_int_equal(cald_vm_slot(&vm, 3, RAM, PAGES * 4096UL, NULL, flags), CALD_OK);
    for (unsigned n = 0; n < HARTS; n++) {
        vcpus[n].vm = &vm;
        vcpus[n].id = n;
        vcpus[n].eng.vm = &vm.eng;
        vcpus[n].eng.ops = vm.eng.ops;
        vcpus[n].eng.hart = n;
        vcpus[n].eng.attention = &attention;
        if (shadow) {
            assert_int_equal(s_tables_init(&vcpus[n].eng), 0);
            vcpus[n].eng.s.satp = SATP_MODE_SV39 << SATP_MODE_SHIFT | RAM / 4096;
        }
    }
}

static void tear_down(void)
{
    for (unsigned n = 0; n < HARTS; n++)
        atomic_store(&vcpus[n].mode, VCPU_AWAY);
    for (unsigned n = 0; n < HARTS && shadow; n++)
        s_tables_fini(&vcpus[n].eng);
    assert_int_equal(cald_vm_slot(&vm, 3, 0, 0, NULL, 0), CALD_OK);
    if (!shadow)
        gstage_fini(&vm.eng.h.gstage);
    host_pages_free(frames, FRAMES * 4096UL);
    assert_int_equal(sim_pages_taken, 0);
}

/* All of the guest's memory, by the host's own way to it. */
static void compare_all(void)
{
    for (unsigned n = 0; n < PAGES; n++) {
        uint64_t words[WORDS];
        int error = cald_vm_read(&vm, RAM + n * 4096UL, words, sizeof(words));
        if (error == CALD_EAGAIN) {
            assert_false(pages[n].here);
            bring(n, false);
            error = cald_vm_read(&vm, RAM + n * 4096UL, words, sizeof(words));
        }
        assert_int_equal(error, CALD_OK);
        for (unsigned w = 0; w < WORDS; w++)
            compare(n, w, words[w]);
    }
}

#define TAKES 1000000

static void run_and_take(bool engine_shadow, unsigned takes)
{
    set_up(engine_shadow, 0);
    while (taken < takes) {
        unsigned count = 1 + (unsigned)chance(8);
        take((unsigned)chance(PAGES - count + 1), count);
        for (unsigned n = 0; n < 6; n++)
            step();
    }
    compare_all();
    tear_down();
}

static void test_pages_come_and_go_under_engine_shadow(void **state)
{
    (void)state;
    run_and_take(true, TAKES);
}

static void test_pages_come_and_go_under_engine_h(void **state)
{
    (void)state;
    run_and_take(false, TAKES);
}

static void test_pages_come_and_go_where_the_host_lies_apart(void **state)
{
    (void)state;
    for (apart = 4; apart <= 5; apart++)
        run_and_take(true, TAKES / 20);
    apart = 0;
}

static const uint64_t *now(unsigned n)
{
    return pages[n].here ? frames[pages[n].frame] : kept[n];
}

/* What the log names is copied, as a migration would; then the copy is the guest's memory. */
static unsigned collect(void)
{
    uint64_t bits;
    unsigned count = 0;
    assert_int_equal(cald_vm_dirty(&vm, 3, &bits, 1), CALD_OK);
    for (unsigned n = 0; n < PAGES; n++) {
        if (!(bits >> n & 1))
            continue;
        memcpy(copy[n], now(n), sizeof(copy[n]));
        count++;
    }
    for (unsigned n = 0; n < PAGES; n++)
        assert_memory_equal(copy[n], now(n), sizeof(copy[n]));
    return count;
}

static void host_writes(void)
{
    unsigned page = DATA + (unsigned)chance(PAGES - DATA), word = (unsigned)chance(WORDS);
    uint64_t value = unit_random(&seed);
    bring(page, true);
    assert_int_equal(cald_vm_write(&vm, RAM + page * 4096UL + word * 8, &value, 8), CALD_OK);
    reference[page][word] = value;
}

static void log_writes(bool engine_shadow)
{
    set_up(engine_shadow, CALD_SLOT_LOG_DIRTY);
    unsigned named = 0;
    for (unsigned n = 0; n < 100000; n++) {
        step();
        if (!chance(16))
            take((unsigned)chance(PAGES), 1);
        if (!chance(32))
            host_writes();
        if (!chance(64))
            named += collect();
        if (!chance(1000)) { /* off and on: a log that begins has every page to copy once */
            assert_int_equal(cald_vm_slot(&vm, 3, RAM, PAGES * 4096UL, NULL, 0), CALD_OK);
            for (unsigned i = 0; i < 20; i++)
                step();
            assert_int_equal(cald_vm_slot(&vm, 3, RAM, PAGES * 4096UL, NULL, CALD_SLOT_LOG_DIRTY),
                             CALD_OK);
            for (unsigned i = 0; i < PAGES; i++)
                memcpy(copy[i], now(i), sizeof(copy[i]));
        }
    }
    collect();
    assert_true(named > 1000 && named < 100000UL / 64 * PAGES / 2); /* and not all of them */
    assert_int_equal(collect(), 0);
    compare_all();
    tear_down();
}

static void test_no_write_is_missed_under_engine_shadow(void **state)
{
    (void)state;
    log_writes(true);
}

static void test_no_write_is_missed_under_engine_h(void **state)
{
    (void)state;
    log_writes(false);
}

static int slot(uint32_t number, uint64_t gpa, uint64_t size, uint64_t at, uint32_t flags)
{
    return cald_vm_slot(&vm, number, gpa, size, (void *)at, flags);
}

/* What can't be is refused, and nothing has changed. */
static void test_slots_that_can_not_be(void **state)
{
    (void)state;
    set_up(false, 0);
    uint64_t taken_before = sim_pages_taken, end = RAM + PAGES * 4096UL, at = (uint64_t)frames;
    assert_int_equal(slot(4, end + 1, 4096, at, 0), CALD_EINVAL);
    assert_int_equal(slot(4, end, 4095, at, 0), CALD_EINVAL);
    assert_int_equal(slot(4, end, 4096, at + 8, 0), CALD_EINVAL);
    assert_int_equal(slot(4, end, 4096, at, 1 << 3), CALD_EINVAL);
    assert_int_equal(slot(4, end, 4096, 4096, CALD_SLOT_DEVICE | CALD_SLOT_LOG_DIRTY), CALD_EINVAL);
    assert_int_equal(slot(4, vm.eng.gpa_end, 4096, at, 0), CALD_EINVAL);
    assert_int_equal(slot(4, end, vm.eng.gpa_end, at, 0), CALD_EINVAL);
    assert_int_equal(slot(4, 0UL - 4096, 8192, at, 0), CALD_EINVAL);
    assert_int_equal(slot(4, end, 0UL - 4096, at, 0), CALD_EINVAL);
    assert_int_equal(slot(UINT32_MAX, end, 4096, at, 0), CALD_EINVAL);
    assert_int_equal(slot(4, RAM - 4096, 8192, at, 0), CALD_EBUSY);
    assert_int_equal(slot(4, end - 4096, 8192, at, 0), CALD_EBUSY);
    assert_int_equal(slot(4, RAM + 4096, 4096, at, 0), CALD_EBUSY);
    assert_int_equal(slot(4, RAM - 4096, (PAGES + 2) * 4096UL, at, 0), CALD_EBUSY);
    assert_int_equal(slot(3, RAM, 4096, 0, 0), CALD_EBUSY);
    assert_int_equal(slot(3, RAM, PAGES * 4096UL, at, 0), CALD_EBUSY);
    assert_int_equal(slot(4, 0, 0, 0, 0), CALD_ENOENT);
    uint64_t bits[2];
    assert_int_equal(cald_vm_dirty(&vm, 4, bits, 2), CALD_ENOENT);
    assert_int_equal(cald_vm_dirty(&vm, 3, bits, 2), CALD_EINVAL);
    assert_int_equal(sim_pages_taken, taken_before);
    /* An IOMMU uses the table: what is there stays, and is the host's memory in one run. */
    vm.eng.memory.pinned = true;
    assert_int_equal(slot(3, 0, 0, 0, 0), CALD_EBUSY);
    assert_int_equal(slot(4, end, 4096, 0, 0), CALD_EBUSY);
    assert_int_equal(slot(4, end, 4096, at, CALD_SLOT_LOG_DIRTY), CALD_EBUSY);
    vm.eng.memory.pinned = false;
    tear_down();
}

/* Two places of one device in a page, as two of its registers may have them. */
static void test_devices_may_overlap_themselves(void **state)
{
    (void)state;
    set_up(true, 0);
    assert_int_equal(slot(4, 0x10000000, 8192, 0x20000000, CALD_SLOT_DEVICE), CALD_OK);
    assert_int_equal(slot(5, 0x10001000, 8192, 0x20001000, CALD_SLOT_DEVICE), CALD_OK);
    assert_int_equal(slot(6, 0x10001000, 8192, 0x20000000, CALD_SLOT_DEVICE), CALD_EBUSY);
    uint64_t word;
    assert_int_equal(cald_vm_read(&vm, 0x10000000, &word, 8), CALD_EFAULT);
    assert_int_equal(slot(4, 0, 0, 0, 0), CALD_OK);
    assert_int_equal(slot(5, 0, 0, 0, 0), CALD_OK);
    tear_down();
}

/* The host runs out of memory at each place in turn: what was taken comes back. */
static void out_of_memory(bool engine_shadow, uint32_t flags)
{
    set_up(engine_shadow, 0);
    uint64_t before = sim_pages_taken, gpa = RAM + (2UL << 20);
    int error = CALD_ENOMEM;
    for (uint64_t left = 0; error == CALD_ENOMEM && left < 64; left++) {
        sim_pages_total = sim_pages_taken + left * 4096;
        error = slot(4, gpa, 4UL << 20, 0, flags);
        if (error) /* tables that were made stay the VM's, empty, and are used next time */
            assert_true(sim_pages_taken - before <= 2 * 4096);
        assert_false(cald_vm_is_ram(&vm, gpa, 1) && error);
    }
    assert_int_equal(error, CALD_OK);
    sim_pages_total = 256UL << 20;
    assert_int_equal(slot(4, 0, 0, 0, 0), CALD_OK);
    assert_true(sim_pages_taken - before <= 2 * 4096);
    tear_down();
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    out_of_memory(true, CALD_SLOT_LOG_DIRTY);
    out_of_memory(false, 0);
    out_of_memory(false, CALD_SLOT_LOG_DIRTY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_come_and_go_under_engine_shadow),
        cmocka_unit_test(test_pages_come_and_go_under_engine_h),
        cmocka_unit_test(test_pages_come_and_go_where_the_host_lies_apart),
        cmocka_unit_test(test_no_write_is_missed_under_engine_shadow),
        cmocka_unit_test(test_no_write_is_missed_under_engine_h),
        cmocka_unit_test(test_slots_that_can_not_be),
        cmocka_unit_test(test_devices_may_overlap_themselves),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
