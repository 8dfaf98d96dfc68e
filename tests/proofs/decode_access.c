/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: the decoder takes exactly the integer loads and stores of RV64I, C and Zcb, and gives
 *   their width, their register and their length as the manual's tables of encodings have them
 * Bounds: none: all 2^32 instructions
 * Assumes: nothing
 * Sources: riscv/decode.c
 * Loops: 27
 */
#include "riscv/decode.h"
#include "tests/proofs/proof.h"

enum reg { RD, RS2, CREG, CRD, CRS2 };

/* Unprivileged manual, "RV32/64G Instruction Set Listings", "Compressed Instruction Listings". */
static const struct encoding {
    uint32_t mask, match;
    bool store, sign;
    uint8_t width;
    enum reg reg;
} encodings[] = {
    {0x707f, 0x0003, false, true, 1, RD},    {0x707f, 0x1003, false, true, 2, RD},
    {0x707f, 0x2003, false, true, 4, RD},    {0x707f, 0x3003, false, false, 8, RD},
    {0x707f, 0x4003, false, false, 1, RD},   {0x707f, 0x5003, false, false, 2, RD},
    {0x707f, 0x6003, false, false, 4, RD},   {0x707f, 0x0023, true, false, 1, RS2},
    {0x707f, 0x1023, true, false, 2, RS2},   {0x707f, 0x2023, true, false, 4, RS2},
    {0x707f, 0x3023, true, false, 8, RS2},   {0xe003, 0x4000, false, true, 4, CREG},
    {0xe003, 0x6000, false, false, 8, CREG}, {0xe003, 0xc000, true, false, 4, CREG},
    {0xe003, 0xe000, true, false, 8, CREG},  {0xfc03, 0x8000, false, false, 1, CREG},
    {0xfc43, 0x8400, false, false, 2, CREG}, {0xfc43, 0x8440, false, true, 2, CREG},
    {0xfc03, 0x8800, true, false, 1, CREG},  {0xfc43, 0x8c00, true, false, 2, CREG},
    {0xe003, 0x4002, false, true, 4, CRD},   {0xe003, 0x6002, false, false, 8, CRD},
    {0xe003, 0xc002, true, false, 4, CRS2},  {0xe003, 0xe002, true, false, 8, CRS2},
};

static unsigned reg_of(uint32_t insn, enum reg reg)
{
    switch (reg) {
    case RD:
    case CRD:
        return insn >> 7 & 31;
    case RS2:
        return insn >> 20 & 31;
    case CREG:
        return 8 + (insn >> 2 & 7);
    default:
        return insn >> 2 & 31;
    }
}

void proof(void)
{
    uint32_t insn = nondet_u32();
    const struct encoding *found = NULL;
    for (unsigned n = 0; n < sizeof(encodings) / sizeof(*encodings); n++) {
        const struct encoding *e = &encodings[n];
        if ((insn & e->mask) == e->match && !(e->reg == CRD && reg_of(insn, CRD) == 0))
            found = e;
    }
    struct riscv_access access;
    bool taken = riscv_decode_access(insn, &access);
    holds(taken == (found != NULL));
    if (!taken)
        return;
    holds(access.store == found->store && access.sign_extend == found->sign);
    holds(access.width == found->width && access.reg == reg_of(insn, found->reg));
    holds(access.insn_bytes == ((insn & 3) == 3 ? 4 : 2));
    /* What lands in the register: the bytes, and above them zeros or the sign. */
    uint64_t raw = nondet_u64(), value = riscv_load_value(&access, raw);
    unsigned bits = 8 * access.width;
    uint64_t above = bits == 64 ? 0 : UINT64_MAX << bits;
    holds((value & ~above) == (raw & ~above));
    holds((value & above) == (access.sign_extend && raw >> (bits - 1) & 1 ? above : 0));
}
