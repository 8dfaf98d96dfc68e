/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoding of the instructions that can reach memory-mapped devices, and of CSR instructions.
 * Source: RISC-V unprivileged manual, chapters "RV32I", "RV64I", "C" (Zca, Zcd, Zcb), "A", "F",
 * "D". Pure functions on hostile bits: any 32-bit value is a legal argument.
 */
#ifndef RISCV_DECODE_H
#define RISCV_DECODE_H

/* Instructions that wait (privileged manual, "Wait for Interrupt"; Zawrs). */
#define INSN_WFI 0x10500073u
#define INSN_WRS_NTO 0x00d00073u

#include <stdbool.h>
#include <stdint.h>

/* What a load or store does, apart from its address. */
struct riscv_access {
    bool store;
    bool sign_extend;   /* loads: lb, lh, lw */
    uint8_t width;      /* bytes: 1, 2, 4, 8 */
    uint8_t reg;        /* rd of a load, rs2 of a store */
    uint8_t insn_bytes; /* 2 or 4: how far the pc moves on */
};

/*
 * Decodes an integer load or store, 32-bit or compressed (low two bits not 3). Compressed forms
 * include C.LW C.LD C.SW C.SD and the SP-relative ones, and Zcb's C.LBU C.LHU C.LH C.SB C.SH.
 * False: it is none of these (FP, vector and atomic accesses to a device are not decoded).
 */
bool riscv_decode_access(uint32_t insn, struct riscv_access *out);

/*
 * The same from htinst/mtinst (privileged manual, "Transformed Instruction or Pseudoinstruction for
 * mtinst or htinst"): bit 0 set means a transformed instruction, bit 1 clear then means that the
 * original was compressed. False where htinst holds zero, a pseudoinstruction or a custom value:
 * then the instruction has to be read from the guest.
 */
bool riscv_decode_transformed(uint32_t htinst, struct riscv_access *out);

/* A CSR instruction (CSRRW, CSRRS, CSRRC and immediate forms). */
struct riscv_csr_op {
    uint16_t csr;
    uint8_t rd;
    uint8_t rs1_or_imm;
    uint8_t funct3; /* 1 2 3: rw rs rc with register; 5 6 7: with immediate */
    bool reads;     /* false for CSRRW/CSRRWI with rd = x0 */
    bool writes;    /* false for CSRRS/CSRRC(I) with rs1 or immediate 0 */
};
bool riscv_decode_csr(uint32_t insn, struct riscv_csr_op *out);

/* 2 or 4, from the low bits. */
static inline unsigned riscv_insn_bytes(uint32_t insn)
{
    return (insn & 3) == 3 ? 4 : 2;
}

/* Value that lands in rd for a load that returned `raw` in its low `width` bytes. */
static inline uint64_t riscv_load_value(const struct riscv_access *access, uint64_t raw)
{
    unsigned unused = 64 - 8 * access->width;
    uint64_t top = raw << unused;
    return access->sign_extend ? (uint64_t)((int64_t)top >> unused) : top >> unused;
}

#endif
