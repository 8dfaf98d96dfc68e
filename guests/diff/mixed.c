/* SPDX-License-Identifier: BSD-2-Clause */
/* What is done with pieces of code: they run, run again at another address, are changed. */
#include "guests/diff/mixed.h"
#include "guests/diff/steps.h"

#define REMEMBERED 6
#define CALLS_MAX 8 /* of a handler */

static struct piece pieces[REMEMBERED];
static unsigned next;
static struct piece handler;

void mixed_reset(void)
{
    for (unsigned n = 0; n < REMEMBERED; n++)
        pieces[n].count = 0;
    next = 0;
}

/* A place for new code, and what lay there is forgotten. */
uint64_t mixed_place(void)
{
    uint64_t offset = arena_code();
    for (unsigned n = 0; n < REMEMBERED; n++) {
        uint64_t other = pieces[n].offset;
        if (other < offset + 256 && offset < other + 256)
            pieces[n].count = 0;
    }
    return offset;
}

static void set_registers(const struct piece *piece)
{
    for (unsigned n = 0; n < BASES; n++)
        context.gpr[piece->base[n]] = piece->value[n];
    context.gpr[piece->counter] = 1 + below(4);
    context.gpr[piece->status] = SSTATUS_SUM | (chance(30) ? SSTATUS_MXR : 0);
}

static void run(const char *what, const struct piece *piece)
{
    enum alias alias = arena_for_code(piece->user);
    if (piece->by_jump && alias > AT_AGAIN)
        alias = AT_HOME;
    set_registers(piece);
    code_direct();
    code_run_at(what, piece->user, arena_va(piece->offset, alias));
    space_stored();
}

void mixed_step(bool user)
{
    struct piece *piece = &pieces[next++ % REMEMBERED];
    piece_start(piece, mixed_place(), user, 0);
    piece_fill(piece, 4 + below(16), false);
    piece_end(piece);
    fence_i();
    run("mixed", piece);
    if (chance(30))
        run("mixed again", piece);
}

/* The bases have another meaning in another address space: they are looked at anew. */
static bool points_well(const struct piece *piece)
{
    for (unsigned n = 0; n < BASES; n++) {
        uint64_t va = piece->value[n] + (uint64_t)((int64_t)(piece->bias[n] << 52) >> 52);
        for (unsigned m = 0; m < 16; m += 15) {
            enum place place = arena_has(va + m) ? PLACE_DATA : space_place(va + m);
            if (place != PLACE_DATA && place != PLACE_FAULT)
                return false;
        }
    }
    return true;
}

void again_step(void)
{
    struct piece *piece = &pieces[below(REMEMBERED)];
    if (!piece->count || !points_well(piece))
        return;
    if (chance(60)) {
        unsigned at = piece->changeable[below(piece->count)];
        uint64_t offset = piece->offset + 2 * at;
        uint16_t *halves = arena_pointer(offset);
        bool is_short = (*(volatile uint16_t *)halves & 3) != 3;
        uint32_t insn = piece_other(piece, is_short);
        uint64_t va = arena_va(offset, chance(50) ? AT_HOME : AT_AGAIN);
        if (is_short)
            *(volatile uint16_t *)va = (uint16_t)insn;
        else
            arena_write(va, insn);
        fence_i();
    }
    code_start_at(arena_pointer(piece->offset));
    run("again", piece);
}

static void jumps_back(const uint16_t *to)
{
    for (unsigned n = 0; n < CALLS_MAX + 2; n++) {
        uint32_t by = (uint32_t)((const uint8_t *)to - (const uint8_t *)code_here());
        code_put((by >> 20 & 1) << 31 | (by >> 1 & 0x3ff) << 21 | (by >> 11 & 1) << 20 |
                 (by >> 12 & 0xff) << 12 | 0x6f);
    }
}

/* Saves some registers, does something, goes on behind what trapped. */
static void write_handler(const struct piece *other)
{
    unsigned base = handler.base[0], count = handler.counter, spare = handler.spare;
    unsigned saved[3], imm = (unsigned)handler.bias[0];
    bool saves = !handler.read_only[0] && !other->read_only[0];
    code_put(CSR_INSN(CSR_SSCRATCH, 1, base, base));
    code_put(i_type(0x13, 0, count, count, 0xfff));
    code_put(0x00004463 | count << 20); /* blt x0, count, +8 */
    code_put(code_jump_to_end(code_here()));
    for (unsigned n = 0; n < 2 && saves; n++) {
        saved[n] = piece_target(&handler);
        code_put(s_type(0x23, 3, base, saved[n], imm + 8 * n));
    }
    piece_fill(&handler, 2 + below(8), true);
    code_put(CSR_INSN(CSR_SEPC, 2, spare, 0));
    code_put(i_type(0x13, 0, spare, spare, 4));
    code_put(CSR_INSN(CSR_SEPC, 1, 0, spare));
    for (unsigned n = 0; n < 2 && saves; n++)
        code_put(i_type(0x03, 3, saved[n], base, imm + 8 * n));
    code_put(CSR_INSN(CSR_SSCRATCH, 1, base, base));
    code_put(INSN_SRET);
    for (unsigned n = 0; n < CALLS_MAX + 2; n++) /* behind sret, which an interrupt may come at */
        code_put(code_jump_to_end(code_here()));
}

/*
 * Traps into a handler of random code, which goes on behind what trapped, and ends the step when it
 * was called often enough. All instructions have four bytes, so that this is where the next one is.
 * Both have their addresses in the same registers: a handler that traps finds the other's.
 */
void handler_step(bool user)
{
    struct piece *piece = &pieces[next++ % REMEMBERED];
    uint64_t offset = mixed_place() & ~3UL;
    piece_start(piece, offset, user, 0);
    piece_fill(piece, 4 + below(10), true);
    const uint16_t *last = code_here();
    code_put(user && chance(50) ? INSN_ECALL : INSN_EBREAK);
    jumps_back(last);
    uint64_t other;
    do
        other = mixed_place() & ~3UL;
    while (other < offset + 256 && offset < other + 256);
    piece_start(&handler, other, false, piece);
    write_handler(piece);
    piece->count = 0; /* it is no piece that ends by itself */
    fence_i();
    context.stvec = arena_va(other, (enum alias)below(2));
    code_start_at(arena_pointer(offset));
    set_registers(piece);
    context.gpr[piece->counter] = 1 + below(CALLS_MAX);
    csr_write(CSR_SSCRATCH, handler.value[0]);
    code_run_at("handler", user, arena_va(offset, arena_for_code(user)));
    csr_write(CSR_STVAL, 0); /* it may be an ebreak's: see code.c */
    space_stored();
}
