/* SPDX-License-Identifier: BSD-2-Clause */
/* riscv/decode.c beside a table of what the unprivileged manual prints. */
#include "tests/fuzz/fuzz.h"

#include "riscv/decode.h"

/* What an encoding is, as bits to look at, their values, and where the register stands. */
static const struct row {
    uint32_t mask, match;
    uint8_t low, bits; /* of the register's number; three bits name x8 to x15 */
    bool store, sign_extend;
    uint8_t width;
} table[] = {
    {0x707f, 0x0003, 7, 5, false, true, 1},  {0x707f, 0x1003, 7, 5, false, true, 2},
    {0x707f, 0x2003, 7, 5, false, true, 4},  {0x707f, 0x3003, 7, 5, false, false, 8},
    {0x707f, 0x4003, 7, 5, false, false, 1}, {0x707f, 0x5003, 7, 5, false, false, 2},
    {0x707f, 0x6003, 7, 5, false, false, 4}, {0x707f, 0x0023, 20, 5, true, false, 1},
    {0x707f, 0x1023, 20, 5, true, false, 2}, {0x707f, 0x2023, 20, 5, true, false, 4},
    {0x707f, 0x3023, 20, 5, true, false, 8}, {0xe003, 0x4000, 2, 3, false, true, 4},
    {0xe003, 0x6000, 2, 3, false, false, 8}, {0xe003, 0xc000, 2, 3, true, false, 4},
    {0xe003, 0xe000, 2, 3, true, false, 8},  {0xe003, 0x4002, 7, 5, false, true, 4},
    {0xe003, 0x6002, 7, 5, false, false, 8}, {0xe003, 0xc002, 2, 5, true, false, 4},
    {0xe003, 0xe002, 2, 5, true, false, 8},  {0xfc03, 0x8000, 2, 3, false, false, 1},
    {0xfc43, 0x8400, 2, 3, false, false, 2}, {0xfc43, 0x8440, 2, 3, false, true, 2},
    {0xfc03, 0x8800, 2, 3, true, false, 1},  {0xfc43, 0x8c00, 2, 3, true, false, 2},
};

static bool reference(uint32_t insn, struct riscv_access *out)
{
    for (size_t n = 0; n < sizeof(table) / sizeof(*table); n++) {
        const struct row *row = &table[n];
        if ((insn & row->mask) != row->match)
            continue;
        unsigned reg = insn >> row->low & ((1U << row->bits) - 1);
        if ((row->match & 3) == 2 && !row->store && !reg) /* c.lwsp, c.ldsp of x0: reserved */
            return false;
        *out = (struct riscv_access){.store = row->store,
                                     .sign_extend = row->sign_extend,
                                     .width = row->width,
                                     .reg = (uint8_t)(row->bits == 3 ? reg + 8 : reg),
                                     .insn_bytes = (insn & 3) == 3 ? 4 : 2};
        return true;
    }
    return false;
}

static void same(const struct riscv_access *a, const struct riscv_access *b)
{
    REQUIRE(a->store == b->store && a->sign_extend == b->sign_extend && a->width == b->width);
    REQUIRE(a->reg == b->reg && a->insn_bytes == b->insn_bytes);
}

static void access_of(uint32_t insn)
{
    struct riscv_access ours, theirs;
    bool known = reference(insn, &theirs);
    REQUIRE(riscv_decode_access(insn, &ours) == known);
    if (!known)
        return;
    same(&ours, &theirs);
    if ((insn & 3) != 3)
        return;
    /* As htinst has it: no immediate, and bit 1 clear where the original was compressed. */
    uint32_t kept = theirs.store ? insn & 0x01f0707f : insn & 0x00007fff;
    REQUIRE(riscv_decode_transformed(kept, &ours));
    same(&ours, &theirs);
    REQUIRE(riscv_decode_transformed(kept & ~2U, &ours));
    theirs.insn_bytes = 2;
    same(&ours, &theirs);
}

static void csr_of(uint32_t insn)
{
    struct riscv_csr_op op;
    uint32_t kind = insn >> 12 & 7, rd = insn >> 7 & 31, rs1 = insn >> 15 & 31;
    bool known = (insn & 0x7f) == 0x73 && (kind & 3);
    REQUIRE(riscv_decode_csr(insn, &op) == known);
    if (!known)
        return;
    REQUIRE(op.csr == insn >> 20 && op.rd == rd && op.rs1_or_imm == rs1 && op.funct3 == kind);
    REQUIRE(op.reads == ((kind & 3) != 1 || rd));
    REQUIRE(op.writes == ((kind & 3) == 1 || rs1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    while (in.left) {
        uint32_t insn = (uint32_t)input_number(&in, 4);
        struct riscv_access any;
        access_of(insn);
        access_of((insn & ~0x7fU) | 0x03); /* loads, stores and CSR instructions more often */
        access_of((insn & ~0x7fU) | 0x23);
        csr_of(insn);
        csr_of((insn & ~0x7fU) | 0x73);
        riscv_decode_transformed(insn, &any);
    }
    return 0;
}
