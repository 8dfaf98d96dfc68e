/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's page tables of any content and a guest's mode: engine shadow's walk says the same as
 * one that is written here after the manual's words ("Virtual Address Translation Process"), and
 * changes no more than the A and D bits of the leaf.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"

#define RAM 0x80000000UL
#define PAGES 8

static _Alignas(4096) uint64_t memory[PAGES][512], before[PAGES][512];
static struct engine_vm vm;
static struct engine_vcpu v;

/* What walk.c's neighbours ask for, and no walk does. */
unsigned s_copy_of(const struct slot *slot, uint64_t gpa)
{
    (void)slot, (void)gpa;
    return 0;
}

void s_places_flush(struct s_vcpu *s)
{
    (void)s;
}

/* What it comes to: a cause, or 0 and where. */
struct result {
    uint64_t cause, gpa, marked; /* the bits that are set where `at` is */
    uint64_t *at;
};

static uint64_t *word_at(uint64_t gpa)
{
    return gpa >= RAM && gpa < RAM + sizeof(memory) ? &memory[(gpa - RAM) / 4096][gpa % 4096 / 8]
                                                    : NULL;
}

static bool may(uint64_t pte, enum s_access access)
{
    bool user = pte & PTE_U;
    if (v.s.user != user && (v.s.user || access == S_FETCH || !(v.s.sstatus & SSTATUS_SUM)))
        return false;
    if (access == S_FETCH)
        return pte & PTE_X;
    if (access == S_STORE)
        return pte & PTE_W;
    return pte & PTE_R || (v.s.sstatus & SSTATUS_MXR && pte & PTE_X);
}

static struct result by_the_manual(uint64_t va, enum s_access access)
{
    static const uint64_t page[] = {CAUSE_INSN_PAGE, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE};
    static const uint64_t fault[] = {CAUSE_INSN_ACCESS, CAUSE_LOAD_ACCESS, CAUSE_STORE_ACCESS};
    struct result wrong = {.cause = page[access]}, none = {.cause = fault[access]};
    unsigned levels = (unsigned)(v.s.satp >> 60) - 5, bits = 12 + 9 * levels;
    if ((uint64_t)((int64_t)(va << (64 - bits)) >> (64 - bits)) != va)
        return wrong;
    uint64_t a = (v.s.satp & 0xfffffffffff) << 12;
    for (int i = (int)levels - 1; i >= 0; i--) {
        unsigned shift = 12 + 9 * (unsigned)i;
        uint64_t *at = word_at(a + (va >> shift & 511) * 8);
        if (!at)
            return none;
        uint64_t pte = *at, ppn = pte >> 10 & 0xfffffffffff;
        if (!(pte & 1) || (!(pte & PTE_R) && pte & PTE_W) || pte >> 54)
            return wrong; /* reserved bits, and no Svnapot or Svpbmt */
        if (!(pte & (PTE_R | PTE_X))) {
            if (pte & (PTE_U | PTE_A | PTE_D))
                return wrong; /* reserved in a pointer */
            a = ppn << 12;
            continue;
        }
        if ((ppn & ((1UL << (shift - 12)) - 1)) || !may(pte, access))
            return wrong;
        uint64_t bits_of = PTE_A | (access == S_STORE ? PTE_D : 0);
        if ((pte & bits_of) != bits_of && !vm.s.adue)
            return wrong;
        return (struct result){0, ppn << 12 | (va & ((1UL << shift) - 1)), bits_of, at};
    }
    return wrong;
}

static uint64_t make_pte(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t pte = input_number(in, 1) | 1, page = what & 15;
    if (what & 0x10) /* a pointer to a table */
        return ((RAM >> 12) + page % PAGES) << 10 | PTE_V;
    if (what & 0x20) /* a large page, aligned */
        page = (what & 0xc0) << 12;
    if (what & 0x40 && !(what & 0x80))
        pte |= input_number(in, 1) << 54;
    return ((RAM >> 12) + page) << 10 | pte;
}

static uint64_t make_tables(struct input *in)
{
    memset(memory, 0, sizeof(memory));
    uint64_t va = 0;
    unsigned levels = 3 + (unsigned)input_number(in, 1) % 3;
    v.s.satp = (uint64_t)(levels + 5) << 60 | RAM >> 12;
    for (unsigned n = 0; n < levels; n++) {
        unsigned index = (unsigned)input_number(in, 2) & 511;
        va = va << 9 | index;
        for (unsigned page = 0; page < PAGES; page++) {
            if (page == n % PAGES || !in->left)
                memory[page][index] = n + 1 < levels && input_number(in, 1) & 7
                                          ? ((RAM >> 12) + n + 1) << 10 | PTE_V
                                          : make_pte(in);
        }
    }
    unsigned bits = 12 + 9 * levels;
    va = va << 12 | (input_number(in, 2) & 0xfff);
    return input_number(in, 1) & 15 ? (uint64_t)((int64_t)(va << (64 - bits)) >> (64 - bits)) : va;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const struct engine_ops ops;
    struct input in = {data, bytes};
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    vm.ops = &ops;
    vm.memory.slot[0] = (struct slot){.gpa = RAM,
                                      .size = sizeof(memory),
                                      .pa = 0x1000000,
                                      .va = (uint8_t *)memory,
                                      .mask = UINT64_MAX};
    vm.memory.slots = 1;
    v.vm = &vm;
    unsigned what = (unsigned)input_number(&in, 1);
    vm.s.adue = what & 1;
    v.s.user = what & 2;
    v.s.sstatus = (what & 4 ? SSTATUS_SUM : 0) | (what & 8 ? SSTATUS_MXR : 0);
    enum s_access access = (enum s_access)(what >> 4) % 3;
    uint64_t va = make_tables(&in);
    memcpy(before, memory, sizeof(before));

    struct result right = by_the_manual(va, access);
    struct s_found found;
    uint64_t cause = s_translate(&v, va, access, &found);
    REQUIRE(cause == right.cause);
    if (!cause) {
        REQUIRE(found.gpa == right.gpa);
        uint64_t *was = (uint64_t *)before + (right.at - (uint64_t *)memory);
        REQUIRE(*right.at == (*was | right.marked) && found.pte == *right.at);
        *was = *right.at;
    }
    REQUIRE(!memcmp(before, memory, sizeof(before)));
    return 0;
}
