/* SPDX-License-Identifier: BSD-2-Clause */
/* What step.c and state.c share. */
#ifndef GUESTS_DIFF_STEPS_H
#define GUESTS_DIFF_STEPS_H

#include "guests/diff/diff.h"

#define COUNT(list) (sizeof(list) / sizeof(*(list)))

/* How instructions are put together (unprivileged manual, "Base Instruction Formats"). */
static inline uint32_t i_type(unsigned opcode, unsigned funct3, unsigned rd, unsigned rs1,
                              unsigned imm)
{
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | (uint32_t)imm << 20;
}

static inline uint32_t s_type(unsigned opcode, unsigned funct3, unsigned rs1, unsigned rs2,
                              unsigned imm)
{
    return opcode | (imm & 31) << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | (imm >> 5 & 127) << 25;
}

#define CSR_INSN(csr, funct3, rd, rs1)                                                             \
    (0x73u | (rd) << 7 | (uint32_t)(funct3) << 12 | (rs1) << 15 | (uint32_t)(csr) << 20)
#define INSN_SRET 0x10200073u
#define INSN_ECALL 0x00000073u
#define INSN_EBREAK 0x00100073u
#define INSN_C_EBREAK 0x9002u

/* c.lw, c.ld, c.sw, c.sd, whose registers are 8 to 15, or if the base is 2 those through sp. */
uint32_t c_access(unsigned reg, unsigned base, unsigned by, bool wide, bool store);

#define STATE_STEPS 31 /* `which` is below that */
void state_step(unsigned which, bool user);

#endif
