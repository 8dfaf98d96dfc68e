/* SPDX-License-Identifier: BSD-2-Clause */
#include "riscv/decode.h"

/* Major opcodes, low two bits included. */
#define OPCODE_LOAD 0x03
#define OPCODE_STORE 0x23
#define OPCODE_SYSTEM 0x73

/* Bits [low + count - 1 : low]. */
static inline uint32_t field(uint32_t insn, unsigned low, unsigned count)
{
    return insn >> low & ((1u << count) - 1);
}

static void set_load(struct riscv_access *out, unsigned log_width, bool sign_extend, uint32_t rd,
                     unsigned bytes)
{
    *out = (struct riscv_access){.store = false,
                                 .sign_extend = sign_extend,
                                 .width = (uint8_t)(1u << log_width),
                                 .reg = (uint8_t)rd,
                                 .insn_bytes = (uint8_t)bytes};
}

static void set_store(struct riscv_access *out, unsigned log_width, uint32_t rs2, unsigned bytes)
{
    *out = (struct riscv_access){.store = true,
                                 .sign_extend = false,
                                 .width = (uint8_t)(1u << log_width),
                                 .reg = (uint8_t)rs2,
                                 .insn_bytes = (uint8_t)bytes};
}

/* funct3 of a load is log2 of the width, plus 4 for the unsigned ones. ld, which fills its
 * register, counts as not sign-extending, and there is no ldu. */
static bool decode_32(uint32_t insn, unsigned bytes, struct riscv_access *out)
{
    uint32_t opcode = field(insn, 0, 7), funct3 = field(insn, 12, 3);
    if (opcode == OPCODE_LOAD && funct3 != 7) {
        set_load(out, funct3 & 3, funct3 < 3, field(insn, 7, 5), bytes);
        return true;
    }
    if (opcode == OPCODE_STORE && funct3 < 4) {
        set_store(out, funct3, field(insn, 20, 5), bytes);
        return true;
    }
    return false;
}

/* Zcb's loads and stores share funct3 4 of quadrant 0; bits 12:10 tell them apart, and bit 6 tells
 * c.lh from c.lhu and is zero in c.sh. */
static bool decode_zcb(uint32_t insn, struct riscv_access *out)
{
    uint32_t reg = 8 + field(insn, 2, 3), bit6 = field(insn, 6, 1);
    switch (field(insn, 10, 3)) {
    case 0: /* c.lbu */
        set_load(out, 0, false, reg, 2);
        return true;
    case 1: /* c.lhu, c.lh */
        set_load(out, 1, bit6, reg, 2);
        return true;
    case 2: /* c.sb */
        set_store(out, 0, reg, 2);
        return true;
    case 3: /* c.sh */
        set_store(out, 1, reg, 2);
        return bit6 == 0;
    default:
        return false;
    }
}

static bool decode_compressed(uint32_t insn, struct riscv_access *out)
{
    uint32_t quadrant = field(insn, 0, 2), funct3 = field(insn, 13, 3);
    if (quadrant == 0) {
        uint32_t reg = 8 + field(insn, 2, 3);
        switch (funct3) {
        case 2: /* c.lw */
            set_load(out, 2, true, reg, 2);
            return true;
        case 3: /* c.ld */
            set_load(out, 3, false, reg, 2);
            return true;
        case 4:
            return decode_zcb(insn, out);
        case 6: /* c.sw */
            set_store(out, 2, reg, 2);
            return true;
        case 7: /* c.sd */
            set_store(out, 3, reg, 2);
            return true;
        default:
            return false;
        }
    }
    if (quadrant == 2) {
        uint32_t rd = field(insn, 7, 5), rs2 = field(insn, 2, 5);
        switch (funct3) {
        case 2: /* c.lwsp; rd = 0 is reserved */
            set_load(out, 2, true, rd, 2);
            return rd != 0;
        case 3: /* c.ldsp, likewise */
            set_load(out, 3, false, rd, 2);
            return rd != 0;
        case 6: /* c.swsp */
            set_store(out, 2, rs2, 2);
            return true;
        case 7: /* c.sdsp */
            set_store(out, 3, rs2, 2);
            return true;
        default:
            return false;
        }
    }
    return false;
}

bool riscv_decode_access(uint32_t insn, struct riscv_access *out)
{
    if (riscv_insn_bytes(insn) == 2) {
        return decode_compressed(insn, out);
    }
    return decode_32(insn, 4, out);
}

bool riscv_decode_transformed(uint32_t htinst, struct riscv_access *out)
{
    /* A pseudoinstruction and zero have bit 0 clear. A compressed instruction arrives expanded to
     * 32 bits with bit 1 cleared; setting it again gives the expanded opcode. A custom value does
     * not become a LOAD or STORE opcode by that. */
    if (!(htinst & 1)) {
        return false;
    }
    return decode_32(htinst | 2, htinst & 2 ? 4 : 2, out);
}

bool riscv_decode_csr(uint32_t insn, struct riscv_csr_op *out)
{
    uint32_t funct3 = field(insn, 12, 3), kind = funct3 & 3;
    if (field(insn, 0, 7) != OPCODE_SYSTEM || kind == 0) {
        return false;
    }
    uint32_t rd = field(insn, 7, 5), rs1 = field(insn, 15, 5);
    *out = (struct riscv_csr_op){.csr = (uint16_t)field(insn, 20, 12),
                                 .rd = (uint8_t)rd,
                                 .rs1_or_imm = (uint8_t)rs1,
                                 .funct3 = (uint8_t)funct3,
                                 .reads = kind != 1 || rd != 0,
                                 .writes = kind == 1 || rs1 != 0};
    return true;
}
