/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps that touch memory; those that concern the hart's own state are in state.c. */
#include "guests/diff/arena.h"
#include "guests/diff/steps.h"

#define FETCH_SPOT 0x800 /* where data pages hold code; fetch_step() also uses their ends */

/* Within a page: its first or last 64 bytes, aligned or not, or over its end. */
static unsigned offset(unsigned size)
{
    unsigned die = below(100);
    if (die < 12)
        return (unsigned)PAGE - 1 - below(size);
    unsigned at = below(64 / size) * size;
    if (die < 25 && at + 2 * size <= 64)
        at += below(size);
    return chance(50) ? at : (unsigned)PAGE - 64 + at;
}

enum kind { LOAD, STORE, SHORT_LOAD, SHORT_STORE, ATOMIC, RESERVE, FP, BLOCK };

/* Puts an address into a register, less what the instruction adds to it. */
static void point(unsigned reg, uint64_t va, unsigned imm)
{
    context.gpr[reg] = va - (uint64_t)((int64_t)((uint64_t)imm << 52) >> 52);
}

static void full_access(uint64_t va, unsigned log_size, bool store)
{
    unsigned a = value_register(), imm = below(4096);
    if (store) {
        code_put(s_type(0x23, log_size, a, chance(10) ? 0 : other_register(a), imm));
    } else {
        unsigned funct3 = log_size < 3 && chance(50) ? log_size + 4 : log_size;
        code_put(i_type(0x03, funct3, any_register(), a, imm));
    }
    point(a, va, imm);
}

/* Unprivileged manual, "C" extension, "Load and Store Instructions". */
uint32_t c_access(unsigned reg, unsigned base, unsigned by, bool wide, bool store)
{
    uint32_t code = ((wide ? 3U : 2U) + (store ? 4U : 0U)) << 13;
    if (base != 2) {
        unsigned low = wide ? (by >> 6 & 3) << 5 : (by >> 2 & 1) << 6 | (by >> 6 & 1) << 5;
        return code | (by >> 3 & 7) << 10 | (base & 7) << 7 | low | (reg & 7) << 2;
    }
    if (store)
        return code | reg << 2 | 2 |
               (wide ? (by >> 3 & 7) << 10 | (by >> 6 & 7) << 7
                     : (by >> 2 & 15) << 9 | (by >> 6 & 3) << 7);
    return code | reg << 7 | 2 |
           (wide ? (by >> 5 & 1) << 12 | (by >> 3 & 3) << 5 | (by >> 6 & 7) << 2
                 : (by >> 5 & 1) << 12 | (by >> 2 & 7) << 4 | (by >> 6 & 3) << 2);
}

static void short_access(uint64_t va, bool wide, bool store)
{
    unsigned by = below(32) * (wide ? 8 : 4), a = 2, reg = other_register(2);
    if (chance(50)) {
        a = 8 + below(8);
        reg = 8 + ((a + 1 + below(7)) & 7);
        by &= wide ? 0xf8 : 0x7c;
    }
    code_put(c_access(reg, a, by, wide, store));
    point(a, va, by);
}

static void atomic(uint64_t va, unsigned log_size)
{
    static const uint8_t functions[] = {0x00, 0x01, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c};
    unsigned a = value_register(), b = other_register(a);
    code_put(0x2f | any_register() << 7 | log_size << 12 | a << 15 | b << 20 | below(4) << 25 |
             (uint32_t)functions[below(sizeof(functions))] << 27);
    point(a, va, 0);
}

/* An sc may fail for no reason, so it is tried until it doesn't. */
static void reserve(uint64_t va, unsigned log_size)
{
    unsigned a = value_register(), done = other_register(a), value, from;
    do
        value = other_register(a);
    while (value == done);
    do
        from = other_register(a);
    while (from == done || from == value);
    code_put(0x2f | value << 7 | log_size << 12 | a << 15 | 0x02u << 27);
    code_put(0x2f | done << 7 | log_size << 12 | a << 15 | from << 20 | 0x03u << 27);
    code_put(0xfe001ce3 | done << 15); /* bnez done, -8 */
    point(a, va, 0);
}

static void fp_access(uint64_t va, unsigned log_size, bool store)
{
    unsigned a = value_register(), f = 8 + below(4), imm = below(4096);
    if (store) {
        code_put(s_type(0x27, log_size, a, f, imm));
    } else {
        code_put(i_type(0x07, log_size, f, a, imm));
        code_put(0xe2000053 | f << 15 | value_register() << 7); /* fmv.x.d */
    }
    point(a, va, imm);
}

/* cbo.inval, .clean, .flush, .zero */
static void block(uint64_t va, unsigned which)
{
    unsigned a = value_register();
    code_put(i_type(0x0f, 2, 0, a, which));
    point(a, va, 0);
}

/* A byte store that leaves a table's entry something that may stand there: no pointer to what is no
 * table. */
static void store_to_table(uint64_t va)
{
    unsigned a = value_register(), b = other_register(a);
    uint64_t flags = random_word() & 0xd7; /* neither X nor G */
    if (flags & PTE_V)
        flags |= PTE_R;
    code_put(s_type(0x23, 0, a, b, 0));
    point(a, va & ~7UL, 0);
    context.gpr[b] = flags;
}

static void memory_step(bool user)
{
    enum kind kind = (enum kind)below(8);
    unsigned log_size =
        kind == ATOMIC || kind == RESERVE || kind == FP || kind == SHORT_LOAD || kind == SHORT_STORE
            ? 2 + below(2)
            : below(4);
    unsigned which = below(4);
    bool store = kind == STORE || kind == SHORT_STORE || kind == ATOMIC || kind == RESERVE ||
                 (kind == FP && chance(50)) || (kind == BLOCK && which == 3);
    uint64_t va = space_address() + offset(1U << log_size), last = va + (1UL << log_size) - 1;
    enum place first = space_place(va), second = space_place(last);
    if (first == PLACE_OURS || second == PLACE_OURS)
        return;
    /* Of two accesses that are both refused, or one of which is not, the manual orders nothing. */
    if (va / PAGE != last / PAGE && (first == PLACE_NOTHING || second == PLACE_NOTHING))
        return;
    if (kind == BLOCK && which < 3 && first == PLACE_NOTHING)
        return; /* whether a cache that isn't there is an access fault is open, too */
    if (kind == BLOCK && which == 0 && first == PLACE_DATA)
        which = 1; /* cbo.inval may lose what was stored */
    code_start();
    if (kind >= ATOMIC || first == PLACE_NOTHING)
        code_direct();
    if (store && (first == PLACE_TABLE || second == PLACE_TABLE)) {
        if (first != PLACE_TABLE)
            return;
        store_to_table(va);
    } else if (kind == LOAD || kind == STORE) {
        full_access(va, log_size, store);
    } else if (kind == SHORT_LOAD || kind == SHORT_STORE) {
        short_access(va, log_size == 3, store);
    } else if (kind == ATOMIC) {
        atomic(va, log_size);
    } else if (kind == RESERVE) {
        reserve(va, log_size);
    } else if (kind == FP) {
        fp_access(va, log_size, store);
    } else {
        block(va, which);
    }
    code_run("memory", user);
    if (store)
        space_stored();
}

/*
 * A jump to some page. The middle of a data page holds `c.ebreak`s; its last two bytes are the
 * lower half of an instruction whose upper half, at the beginning of the next page, is a `c.ebreak`
 * too. In a table there are zeros, an illegal instruction.
 */
static void fetch_step(bool user)
{
    uint64_t va = space_address();
    bool across = chance(30);
    va += across ? PAGE - 2 : FETCH_SPOT + 2 * below(8);
    enum place first = space_place(va), second = space_place(across ? va + 2 : va);
    if (first == PLACE_OURS || second == PLACE_OURS)
        return;
    if (across && (first == PLACE_TABLE || second == PLACE_TABLE || first == PLACE_NOTHING ||
                   second == PLACE_NOTHING))
        return;
    if (across)
        space_pattern();
    code_start();
    if (first != PLACE_DATA && first != PLACE_FAULT)
        code_direct();
    unsigned a = value_register(), imm = below(4096) & ~1U;
    code_put(i_type(0x67, 0, any_register(), a, imm));
    point(a, va, imm);
    code_run("fetch", user);
}

/* A page before and after a change of its entries, seen by the same mode: what is stale shows. */
static void edit_step(bool user)
{
    bool fetch = chance(20);
    space_focus(chance(75));
    if (fetch)
        fetch_step(user);
    else
        memory_step(user);
    space_edit();
    if (fetch)
        fetch_step(user);
    else
        memory_step(user);
    space_focus(false);
}

/* Interrupts that a step has left pending and enabled would come before each step in U-mode. */
static void prepare(void)
{
    if (chance(30))
        csr_write(CSR_SIE, 0);
    if (chance(50))
        csr_clear(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
    context.stvec = (uint64_t)(chance(50) ? vectors_a : vectors_b) | chance(50);
    if (chance(40))
        context.gpr[value_register()] = random_word();
    uint64_t bits = SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE | SSTATUS_SUM;
    if (chance(50))
        context.sstatus ^= random_word() & bits;
    if (chance(5)) /* seldom: a hart may forget translations for it */
        context.sstatus ^= SSTATUS_MXR;
    if (chance(50))
        context.sstatus |= SSTATUS_FS_INITIAL;
    /* The program itself may be anywhere in its own pages, which are the same in each space. */
}

static void code_step(bool user, unsigned die)
{
    if (die < 30)
        mixed_step(user);
    else if (die < 55)
        again_step();
    else if (die < 70)
        handler_step(user);
    else if (die < 90)
        patch_step(user);
    else if (die < 96)
        arena_edit();
    else
        second_step();
}

void step(void)
{
    bool user = chance(50);
    unsigned die = below(100);
    prepare();
    if (diff_code && chance(75))
        code_step(user, die);
    else if (die < 35)
        memory_step(user);
    else if (die < 47)
        fetch_step(user);
    else if (die < 62)
        edit_step(user);
    else if (die < 64)
        space_large();
    else if (die < 69)
        space_switch();
    else
        state_step(die - 69, user);
}
