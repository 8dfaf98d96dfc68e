/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ordinary instructions among privileged ones, as a kernel has them on its way in and out: loads
 * and stores that may fault, arithmetic, branches. Addresses come from registers that nothing else
 * is written to, so that no access leads where the program itself is.
 */
#include "guests/diff/mixed.h"
#include "guests/diff/steps.h"

#define BRANCHES 4

static struct piece *piece;
static bool plain_only; /* no compressed ones */

/* Branches whose target is still to be written: so many items on. */
static struct {
    uint16_t *from;
    unsigned items;
} branch[BRANCHES];
static uint16_t *loop; /* the beginning of the piece's loop */
static bool looped;    /* its end was written, too */

static bool is_kept(const struct piece *of, unsigned reg)
{
    return reg == of->base[0] || reg == of->base[1] || reg == of->base[2] || reg == of->counter ||
           reg == of->status;
}

unsigned piece_target(const struct piece *of)
{
    unsigned reg;
    do
        reg = any_register();
    while (is_kept(of, reg));
    return reg;
}

static unsigned target(void)
{
    return piece_target(piece);
}

static unsigned target_not_x0(void)
{
    unsigned reg;
    do
        reg = target();
    while (!reg);
    return reg;
}

/* One that a compressed instruction has three bits for. */
static unsigned short_target(void)
{
    unsigned reg;
    do
        reg = 8 + below(8);
    while (is_kept(piece, reg));
    return reg;
}

static uint32_t r_type(unsigned opcode, unsigned funct7, unsigned funct3)
{
    return opcode | target() << 7 | funct3 << 12 | any_register() << 15 | any_register() << 20 |
           funct7 << 25;
}

static uint32_t arithmetic(void)
{
    unsigned funct3 = below(8), which = below(7);
    bool other = (funct3 == 0 || funct3 == 5) && chance(50);
    unsigned shift = below(64) | (other && funct3 == 5 ? 0x400 : 0);
    switch (which) {
    case 0:
        return r_type(0x33, other ? 0x20 : 0, funct3);
    case 1:
        return r_type(chance(50) ? 0x33 : 0x3b, 1, chance(50) ? 0 : 4 + below(4)); /* "M" */
    case 2: /* addw, subw, sllw, srlw, sraw */
        funct3 = funct3 < 4 ? 0 : funct3 < 6 ? 1 : 5;
        return r_type(0x3b, funct3 != 1 && other ? 0x20 : 0, funct3);
    case 3: /* addiw, slliw, srliw, sraiw */
        funct3 = funct3 < 4 ? 0 : funct3 < 6 ? 1 : 5;
        shift = (shift & 31) | (funct3 == 5 && other ? 0x400 : 0);
        return i_type(0x1b, funct3, target(), any_register(), funct3 ? shift : below(4096));
    case 4:
        return (uint32_t)random_word() << 12 | target() << 7 | (chance(50) ? 0x37 : 0x17);
    default:
        return i_type(0x13, funct3, target(), any_register(),
                      funct3 % 4 == 1 ? shift : below(4096));
    }
}

/* Unprivileged manual, "C" extension. Where an immediate of zero, or x0, is reserved it is not
 * used. */
static uint32_t short_arithmetic(void)
{
    unsigned reg = target_not_x0(), rs2 = value_register(), imm = 1 + below(31);
    uint32_t high = chance(50) ? 1U << 12 : 0;
    switch (below(8)) {
    case 0:
        return 0x0001 | high | reg << 7 | imm << 2; /* c.addi */
    case 1:
        return 0x2001 | high | reg << 7 | imm << 2; /* c.addiw */
    case 2:
        return 0x4001 | high | reg << 7 | imm << 2; /* c.li */
    case 3:
        return 0x6001 | high | reg << 7 | imm << 2; /* c.lui, whose register isn't x2 */
    case 4:
        return 0x8002 | high | reg << 7 | rs2 << 2; /* c.mv, c.add */
    case 5:
        return 0x0002 | high | reg << 7 | imm << 2; /* c.slli */
    case 6:
        if (chance(50)) /* c.addi4spn */
            return 0x0000 | (1 + below(255)) << 5 | (short_target() & 7) << 2;
        return 0x8001 | high | below(3) << 10 | (short_target() & 7) << 7 | imm << 2; /* c.srli.. */
    default: /* c.sub, c.xor, c.or, c.and, c.subw, c.addw */
        high = below(6);
        return 0x8c01 | high >> 2 << 12 | (short_target() & 7) << 7 | (high & 3) << 5 |
               (rs2 & 7) << 2;
    }
}

uint32_t piece_other(const struct piece *of, bool is_short)
{
    struct piece now = *of;
    piece = &now;
    if (is_short)
        return chance(15) ? INSN_C_EBREAK : chance(10) ? 0x0001 : short_arithmetic();
    if (chance(15))
        return of->user && chance(50) ? INSN_ECALL
                                      : INSN_EBREAK; /* S-mode's would be an SBI call */
    if (chance(40))
        return CSR_INSN(CSR_SSCRATCH, 1 + below(3), target(), any_register());
    return arithmetic();
}

static void put_changeable(uint32_t insn)
{
    if (piece->count < ITEMS)
        piece->changeable[piece->count++] = (uint8_t)(code_here() - arena_pointer(piece->offset));
    code_put(insn);
}

static void access(void)
{
    unsigned n = below(BASES), base = piece->base[n], by = below(9), size = below(4),
             rs2 = any_register();
    bool store = !piece->read_only[n] && chance(45), wide = chance(60);
    if (!plain_only && !piece->bias[n] && n < 2 && chance(60)) {
        unsigned reg =
            n == 0 ? (store ? 8 + below(8) : short_target()) : (store ? rs2 : target_not_x0());
        put_changeable(c_access(reg, base, wide ? by & 8 : by & 12, wide, store));
    } else if (!piece->bias[n] && piece->value[n] % 8 == 0 && !piece->read_only[n] && chance(10)) {
        static const uint8_t functions[] = {0x00, 0x01, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c};
        put_changeable(0x2f | target() << 7 | (2 + below(2)) << 12 | base << 15 | rs2 << 20 |
                       (uint32_t)functions[below(COUNT(functions))] << 27); /* amo*.w, amo*.d */
    } else {
        unsigned imm = (by + (unsigned)piece->bias[n]) & 0xfff;
        if (store)
            put_changeable(s_type(0x23, size, base, rs2, imm));
        else
            put_changeable(
                i_type(0x03, size < 3 && chance(40) ? size + 4 : size, target(), base, imm));
    }
}

/* Writes the offset into a branch, now that its target is known. Its other bits are there. */
static void reach(uint16_t *from, const uint16_t *to)
{
    uint32_t by = (uint32_t)((const uint8_t *)to - (const uint8_t *)from), insn = from[0];
    if ((insn & 0xe003) == 0xa001) { /* c.j */
        from[0] |= (uint16_t)((by >> 11 & 1) << 12 | (by >> 4 & 1) << 11 | (by >> 8 & 3) << 9 |
                              (by >> 10 & 1) << 8 | (by >> 6 & 1) << 7 | (by >> 7 & 1) << 6 |
                              (by >> 1 & 7) << 3 | (by >> 5 & 1) << 2);
        return;
    }
    if ((insn & 3) != 3) { /* c.beqz, c.bnez */
        from[0] |= (uint16_t)((by >> 8 & 1) << 12 | (by >> 3 & 3) << 10 | (by >> 6 & 3) << 5 |
                              (by >> 1 & 3) << 3 | (by >> 5 & 1) << 2);
        return;
    }
    uint32_t bits = (insn & 0x7f) == 0x6f ? (by >> 20 & 1) << 31 | (by >> 1 & 0x3ff) << 21 |
                                                (by >> 11 & 1) << 20 | (by >> 12 & 0xff) << 12
                                          : (by >> 12 & 1) << 31 | (by >> 5 & 63) << 25 |
                                                (by >> 1 & 15) << 8 | (by >> 11 & 1) << 7;
    from[0] |= (uint16_t)bits;
    from[1] |= (uint16_t)(bits >> 16);
}

static uint32_t b_type(unsigned funct3, unsigned rs1, unsigned rs2)
{
    return 0x63 | funct3 << 12 | rs1 << 15 | rs2 << 20;
}

static void jump_on(void)
{
    static const uint8_t conditions[] = {0, 1, 4, 5, 6, 7};
    unsigned n = 0;
    while (n < BRANCHES && branch[n].from)
        n++;
    if (n == BRANCHES)
        return;
    branch[n].from = code_here();
    branch[n].items = 1 + below(4);
    if (!plain_only && chance(40))
        code_put(chance(20) ? 0xa001 : 0xc001 | below(2) << 13 | below(8) << 7);
    else if (chance(15))
        code_put(0x6f | target() << 7);
    else
        code_put(b_type(conditions[below(COUNT(conditions))], any_register(), any_register()));
}

static void branches_reach(bool all)
{
    for (unsigned n = 0; n < BRANCHES; n++) {
        if (branch[n].from && (all || !--branch[n].items)) {
            reach(branch[n].from, code_here());
            branch[n].from = 0;
        }
    }
}

/* Once in a piece: some of it several times. */
static void loop_step(void)
{
    if (!loop) {
        code_put(i_type(0x13, 0, piece->counter, 0, 2 + below(4)));
        loop = code_here();
    } else if (!looped) {
        code_put(i_type(0x13, 0, piece->counter, piece->counter, 0xfff));
        uint16_t *from = code_here();
        code_put(b_type(1, piece->counter, 0));
        reach(from, loop);
        looped = true;
    }
}

/* A constant for what an instruction can't have any value of: see operand() in state.c. */
static void constant(unsigned value)
{
    code_put(i_type(0x13, 0, piece->spare, 0, value));
}

static void with_spare(unsigned csr)
{
    code_put(CSR_INSN(csr, 1 + below(3), target(), piece->spare));
}

static void status_bits(void)
{
    if (chance(30)) {
        code_put(CSR_INSN(CSR_SSTATUS, 6 + below(2), target(), SSTATUS_SIE));
        return;
    }
    if (chance(50))
        code_put((uint32_t)(chance(80) ? SSTATUS_SUM : 0) |
                 (uint32_t)(chance(40) ? SSTATUS_MXR : 0) | piece->spare << 7 | 0x37); /* lui */
    else
        constant((unsigned)random_word() & (SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE));
    code_put(CSR_INSN(CSR_SSTATUS, chance(10) ? 1 : 2 + below(2), target(), piece->spare));
}

static void sret_on(void)
{
    if (chance(60)) {
        constant(SSTATUS_SPP);
        code_put(CSR_INSN(CSR_SSTATUS, 2, target(), piece->spare));
    }
    code_put(piece->spare << 7 | 0x17); /* auipc */
    code_put(i_type(0x13, 0, piece->spare, piece->spare, 16));
    code_put(CSR_INSN(CSR_SEPC, 1, 0, piece->spare));
    code_put(INSN_SRET);
}

/* What comes in several instructions: an interrupt whose handler skips one of them must not come.
 */
static void privileged_several(unsigned die)
{
    if (die < 40) {
        status_bits();
    } else if (die < 55) {
        constant(below(2048) & ~1U);
        with_spare(CSR_SEPC);
    } else if (die < 63) {
        constant(below(16));
        code_put(CSR_INSN(CSR_SCAUSE, 1, target(), piece->spare));
    } else if (die < 75) {
        constant(below(2048) & ~0x444U);
        with_spare(CSR_SIE);
    } else {
        sret_on();
    }
}

static void privileged(void)
{
    static const uint16_t readable[] = {CSR_SSCRATCH, CSR_SEPC, CSR_SCAUSE, CSR_SSTATUS, CSR_SIE,
                                        CSR_SIP,      CSR_SATP, CSR_STVEC,  CSR_SSTATUS, CSR_STVAL};
    unsigned die = below(100);
    if (die <
        (plain_only ? 40 : 25)) /* a handler may have come by an ebreak: see code.c of stval */
        put_changeable(CSR_INSN(readable[below(COUNT(readable) - plain_only)], 2, target(), 0));
    else if (die < 45 && !plain_only)
        put_changeable(CSR_INSN(chance(60) ? CSR_SSCRATCH : CSR_STVAL, 1 + below(3) + 4 * below(2),
                                target(), any_register()));
    else if (die < 55)
        code_put(CSR_INSN(CSR_SSTATUS, 2 + below(2), target(), piece->status));
    else if (die < 60)
        code_put(CSR_INSN(CSR_SIP, 6 + below(2), target(), 2));
    else if (die < 66)
        put_changeable(0x12000073 | (chance(50) ? 0 : any_register()) << 15 |
                       (chance(70) ? 0 : any_register()) << 20); /* sfence.vma */
    else if (!plain_only)
        privileged_several(below(100));
}

static void rare(void)
{
    static const uint32_t insns[] = {0x0000100f, 0x0ff0000f, 0x8330000f, INSN_EBREAK};
    if (!plain_only && chance(30))
        put_changeable(INSN_C_EBREAK);
    else
        put_changeable(insns[below(COUNT(insns))]);
}

void piece_fill(struct piece *of, unsigned items, bool plain)
{
    piece = of;
    plain_only = plain;
    loop = 0;
    looped = false;
    uint16_t *limit = arena_pointer(of->offset) + CODE_BYTES / 2 - (plain ? 60 : 20);
    for (; items && code_here() < limit; items--) {
        unsigned die = below(100);
        if (die < 35)
            access();
        else if (die < 50)
            put_changeable(plain || chance(40) ? arithmetic() : short_arithmetic());
        else if (die < 60)
            jump_on();
        else if (die < 63 && !plain)
            loop_step();
        else if (die < 66)
            rare();
        else if (!piece->user || chance(5))
            privileged();
        branches_reach(false);
    }
    branches_reach(true);
}

/* Most of it is read and written; `[va, va + 16)`, and what comes with the bias. */
static void point_base(struct piece *of, unsigned n, const struct piece *like)
{
    for (;;) {
        enum alias alias = arena_for_data();
        uint64_t va = arena_va(arena_data() & (chance(70) ? ~7UL : ~0UL), alias);
        enum place first = PLACE_DATA, second = PLACE_DATA;
        if (chance(30)) {
            va = space_address() + (chance(15) ? PAGE - 1 - below(15) : 8 * below(6));
            if (chance(20))
                va += below(8);
            first = space_place(va);
            second = space_place(va + 15);
        }
        if (first == PLACE_OURS || second == PLACE_OURS)
            continue;
        /* Of two accesses that are both refused, or one of which is not, the manual orders nothing.
         */
        if ((first == PLACE_NOTHING) != (second == PLACE_NOTHING) ||
            (va / PAGE != (va + 15) / PAGE && first == PLACE_NOTHING))
            continue;
        if (!like)
            of->bias[n] = chance(50) ? 0 : random_word() & 0xfef;
        of->value[n] = va - (uint64_t)((int64_t)(of->bias[n] << 52) >> 52);
        of->read_only[n] = first == PLACE_TABLE || second == PLACE_TABLE || first == PLACE_NOTHING;
        return;
    }
}

static void choose_registers(struct piece *of)
{
    of->base[0] = 8 + below(7);
    of->base[1] = 2;
    of->spare = 15;
    do
        of->base[2] = value_register();
    while (of->base[2] == of->base[0] || of->base[2] == 2 || of->base[2] == of->spare);
    of->counter = 0;
    unsigned counter;
    do
        counter = value_register();
    while (is_kept(of, counter) || counter == of->spare);
    of->counter = counter;
    of->status = 0;
    do
        counter = value_register();
    while (is_kept(of, counter) || counter == of->spare);
    of->status = counter;
}

void piece_start(struct piece *of, uint64_t offset, bool user, const struct piece *like)
{
    if (like)
        *of = *like;
    else
        choose_registers(of);
    of->offset = offset;
    of->user = user;
    of->count = 0;
    for (unsigned n = 0; n < BASES; n++)
        point_base(of, n, like);
    code_start_at(arena_pointer(offset));
}

void piece_end(struct piece *of)
{
    of->by_jump = !of->user && chance(50);
    if (of->by_jump)
        code_put(code_jump_to_end(code_here()));
    else if (of->user && chance(50))
        code_put(INSN_ECALL);
    else
        code_put(chance(50) ? INSN_EBREAK : INSN_C_EBREAK);
}
