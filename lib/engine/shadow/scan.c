/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/engine/shadow/scan.h"

#include "riscv/csr.h"
#include "riscv/decode.h"

#define OPCODE_MASK 0x7fu
#define OPCODE_SYSTEM 0x73u
#define INSN_SRET 0x10200073u
#define INSN_MRET 0x30200073u
#define SFENCE_MASK 0xfe007fffu
#define INSN_SFENCE_VMA 0x12000073u

bool s_scan_privileged(uint32_t insn)
{
    if ((insn & OPCODE_MASK) != OPCODE_SYSTEM)
        return false;
    uint32_t kind = insn >> 12 & 7, csr = insn >> 20;
    if (!kind)
        return insn == INSN_SRET || insn == INSN_WFI || (insn & SFENCE_MASK) == INSN_SFENCE_VMA;
    if (kind == 4) /* loads and stores of the hypervisor extension */
        return false;
    if (csr == CSR_CYCLE || csr == CSR_INSTRET)
        return true;
    return (csr >> 8 & 3) == 1; /* bits 9:8: the lowest privilege that has access */
}

/* Four halves at a time: SYSTEM's opcode in the low bits of one of them. */
bool s_scan_possible(const uint16_t *code)
{
    const uint64_t ones = 0x0001000100010001, low = OPCODE_MASK * ones;
    uint64_t found = 0;
    for (unsigned n = 0; n < S_SCAN_HALVES; n += 4) {
        uint64_t four;
        __builtin_memcpy(&four, code + n, sizeof(four));
        /* Zero where the opcode is; a half whose subtraction borrows was zero, or follows one. */
        four = (four & low) ^ OPCODE_SYSTEM * ones;
        found |= (four - ones) & ~four & ones << 15;
    }
    return found;
}

/* Opcodes (bits 6:2) of 32-bit instructions that no manual gives a meaning, or that are longer. */
#define NO_OPCODE (1U << 7 | 1U << 15 | 1U << 23 | 1U << 26 | 1U << 31)
#define OPCODE_LOAD 0u
#define OPCODE_STORE 8u
#define OPCODE_BRANCH 24u
#define OPCODE_JALR 25u
#define OPCODE_JAL 27u

static bool exists(uint32_t insn)
{
    if ((insn & 3) != 3)
        return (insn & 3) || insn & 0xe000 || insn & 0x1fe0; /* c.addi4spn of nothing: reserved */
    unsigned opcode = insn >> 2 & 31, kind = insn >> 12 & 7;
    if (NO_OPCODE >> opcode & 1)
        return false;
    switch (opcode) {
    case OPCODE_LOAD:
        return kind != 7;
    case OPCODE_STORE:
        return kind < 4;
    case OPCODE_BRANCH:
        return kind != 2 && kind != 3;
    case OPCODE_JALR:
        return kind == 0;
    }
    return true;
}

/* The hart never goes on behind it. */
static bool ends(uint32_t insn)
{
    if ((insn & 3) != 3) {
        bool c_j = (insn & 0xe003) == 0xa001;
        bool c_jr = (insn & 0xf07f) == 0x8002 && insn & 0x0f80;
        return c_j || c_jr || (insn & 0xffff) == INSN_C_EBREAK;
    }
    unsigned opcode = insn >> 2 & 31, rd = insn >> 7 & 31;
    return ((opcode == OPCODE_JAL || opcode == OPCODE_JALR) && !rd) || insn == INSN_SRET ||
           insn == INSN_MRET || insn == INSN_EBREAK;
}

static uint32_t insn_at(const uint16_t *code, unsigned half)
{
    return code[half] | (uint32_t)(half + 1 < S_SCAN_HALVES ? code[half + 1] : 0) << 16;
}

void s_scan_replace_one(uint16_t *code, unsigned at)
{
    *(volatile uint16_t *)&code[at / 2] = INSN_C_EBREAK; /* a hart may be fetching there */
}

/* Of a run of instructions: those to be replaced, if all of it proves to be code. */
#define RUN_MAX 64
struct run {
    bool code;
    unsigned count;
    uint16_t half[RUN_MAX]; /* where each is; more than these come by way of the firmware */
};

static unsigned end_run(struct run *run, uint16_t *code, bool good)
{
    unsigned count = good && run->code ? run->count : 0;
    for (unsigned n = 0; n < count; n++)
        s_scan_replace_one(code, run->half[n] * 2U);
    run->code = true;
    run->count = 0;
    return count;
}

/*
 * The instructions from half `at` to half `end`, run by run. A run ends behind an instruction that
 * the hart never goes on behind. One with something in it that is no instruction may be data, and
 * is left alone. `meets`: an instruction starts at `end`; a run that doesn't end there is none.
 */
static unsigned replace(uint16_t *code, unsigned at, unsigned end, bool meets)
{
    struct run run = {.code = true};
    unsigned count = 0;
    while (at < end) {
        uint32_t insn = insn_at(code, at);
        if (!exists(insn)) {
            run.code = false;
            at++;
            continue;
        }
        bool inside = (insn & 3) == 3 && at + 1 < S_SCAN_HALVES;
        if (inside && s_scan_privileged(insn) && run.count < RUN_MAX)
            run.half[run.count++] = (uint16_t)at;
        at += (insn & 3) == 3 ? 2 : 1;
        if (ends(insn))
            count += end_run(&run, code, at <= end || !meets);
    }
    return count + end_run(&run, code, at == end || !meets);
}

unsigned s_scan_replace(uint16_t *code, unsigned known)
{
    unsigned half = known / 2, start = 0;
    unsigned count = replace(code, half, S_SCAN_HALVES, false);
    /* An instruction starts behind every half whose two low bits say that it is not the first of a
     * longer one, and that is not itself the second half of one whose next half would differ. */
    while (start < half && (code[start] & 3) == 3)
        start++;
    start++;
    if (start < half)
        count += replace(code, start, half, true);
    return count;
}
