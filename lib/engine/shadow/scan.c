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

/* `behind`: the half that follows the page's last one. */
static uint32_t insn_at(const uint16_t *code, unsigned half, uint16_t behind)
{
    return code[half] | (uint32_t)(half + 1 < S_SCAN_HALVES ? code[half + 1] : behind) << 16;
}

bool s_scan_may_go_on(const uint16_t *code)
{
    return (code[S_SCAN_HALVES - 1] & OPCODE_MASK) == OPCODE_SYSTEM;
}

#define AT_ONCE 32 /* halves looked at together */

/* One of these halves has SYSTEM's opcode. */
static bool has_system(const uint16_t *code)
{
    const uint64_t ones = 0x0001000100010001, low = OPCODE_MASK * ones, above = low + ones;
    const uint16_t *at = __builtin_assume_aligned(code, sizeof(uint64_t));
    uint64_t none = above;
#pragma GCC unroll 8
    for (unsigned n = 0; n < AT_ONCE; n += 4) {
        uint64_t four;
        __builtin_memcpy(&four, at + n, sizeof(four));
        none &= ((four & low) ^ OPCODE_SYSTEM * ones) + low; /* bit 7: another opcode */
    }
    return none != above;
}

/* The first half from `at` on where such an instruction would be, if one starts there;
 * S_SCAN_HALVES: none. */
static unsigned next_possible(const uint16_t *code, unsigned at, uint16_t behind)
{
    while (at < S_SCAN_HALVES) {
        if (!(at % AT_ONCE)) {
            while (at < S_SCAN_HALVES && !has_system(code + at))
                at += AT_ONCE;
            if (at == S_SCAN_HALVES)
                break;
        }
        if ((code[at] & OPCODE_MASK) == OPCODE_SYSTEM &&
            s_scan_privileged(insn_at(code, at, behind)))
            return at;
        at++;
    }
    return S_SCAN_HALVES;
}

bool s_scan_possible(const uint16_t *code, uint16_t behind)
{
    return next_possible(code, 0, behind) < S_SCAN_HALVES;
}

/* By the opcode (bits 6:2) of a 32-bit instruction: the values of funct3 that a manual gives a
 * meaning, a set. Longer ones have none. */
static const uint8_t kinds[32] = {
    [0] = 0x7f,         [1 ... 6] = 0xff,  /* LOAD */
    [8] = 0x0f,         [9 ... 14] = 0xff, /* STORE */
    [16 ... 22] = 0xff, [24] = 0xf3,       /* BRANCH */
    [25] = 0x01,                           /* JALR */
    [27 ... 30] = 0xff,
};

/* What begins with this half is an instruction that exists. */
static bool exists(uint16_t half)
{
    if ((half & 3) != 3)
        return (half & 3) || half & 0xe000 || half & 0x1fe0; /* c.addi4spn of nothing: reserved */
    return kinds[half >> 2 & 31] >> (half >> 12 & 7) & 1;
}

static __attribute__((noinline)) bool system_ends(uint32_t insn)
{
    return insn == INSN_SRET || insn == INSN_MRET || insn == INSN_EBREAK;
}

/* The hart never goes on behind what is in that half: an unconditional jump, or a return. */
static inline bool ends(const uint16_t *code, unsigned at)
{
    uint32_t half = code[at];
    if ((half & 3) == 3) { /* jal and jalr that link nothing */
        uint32_t rest = half & 0xfff;
        return rest == 0x06f || rest == 0x067 ||
               (half == OPCODE_SYSTEM && system_ends(insn_at(code, at, 0)));
    }
    if ((half & 0xe001) == 0x8000) /* c.jr, c.ebreak */
        return (half & 0x107f) == 2 ? half & 0x0f80 : half == INSN_C_EBREAK;
    return (half & 0xe003) == 0xa001; /* c.j */
}

void s_scan_replace_one(uint16_t *code, unsigned at)
{
    *(volatile uint16_t *)&code[at / 2] = INSN_C_EBREAK; /* a hart may be fetching there */
}

struct scan {
    uint16_t *code;
    uint16_t behind; /* the half that follows */
    unsigned count;  /* of those replaced */
};

/*
 * An instruction starts behind every half whose two low bits say that it is not the first of a
 * longer one, for it is an instruction, or the end of one. Halves from there on that look like the
 * first of a longer one are that and the second one in turn. So no more than a few halves tell
 * where instructions start, wherever one looks.
 */
struct part {
    unsigned start; /* nothing is known of what is before; or (known) an instruction starts there */
    bool known;
};

static bool starts(const uint16_t *code, unsigned at, const struct part *part)
{
    unsigned from = at;
    while (from > part->start && (code[from - 1] & 3) == 3)
        from--;
    return (from > part->start || part->known) && !((at - from) & 1);
}

static unsigned next_of(const uint16_t *code, unsigned at)
{
    return at + ((code[at] & 3) == 3 ? 2 : 1);
}

/* Behind the last instruction before `at` that the hart never goes on behind, or where the first
 * one starts. One starts at `at`. */
static unsigned run_start(const uint16_t *code, unsigned at, const struct part *part)
{
    for (unsigned half = at; half-- > part->start;) {
        if (ends(code, half) && next_of(code, half) <= at && starts(code, half, part))
            return next_of(code, half);
    }
    unsigned first = part->start;
    while (!part->known && !starts(code, first, part))
        first++;
    return first;
}

#define RUN_MAX 64 /* replaced in a run; more than these come by way of the firmware */
#define DOUBT 4    /* halves behind data that have to exist */

/*
 * The run of instructions from half `at` on, to one that the hart never goes on behind, or to half
 * `end`. Those to be replaced are, if what leads to them proves to be code. Something in it that is
 * no instruction is data, and so may be all that was before it: compilers put a word in front of a
 * function, for tracers, or zeros to align it. Where the first one behind data starts is not known,
 * but behind a half that is the first of none (see above), a few on, one does.
 * `meets`: an instruction starts at `end`; a run that goes on behind it is none. Returns where it
 * ends, and adds to `count`.
 */
static unsigned replace_run(struct scan *scan, unsigned at, unsigned end, bool meets)
{
    const uint16_t *code = scan->code;
    uint16_t found[RUN_MAX];
    unsigned founds = 0, data_end = at;
    bool sure = true, last = false;
    while (at < end && !last) {
        if (!exists(code[at])) {
            founds = 0;
            sure = false;
            data_end = ++at;
            continue;
        }
        if (sure && founds < RUN_MAX && (code[at] & OPCODE_MASK) == OPCODE_SYSTEM &&
            s_scan_privileged(insn_at(code, at, scan->behind)))
            found[founds++] = (uint16_t)at;
        last = ends(code, at);
        at = next_of(code, at);
        sure |= at < end && at >= data_end + DOUBT && (code[at - 1] & 3) != 3;
    }
    if (meets && (last ? at > end : at != end))
        return at;
    for (unsigned n = 0; n < founds; n++)
        s_scan_replace_one(scan->code, found[n] * 2U);
    scan->count += founds;
    return at;
}

/* Only the runs that have something to replace are looked at. */
static void replace(struct scan *scan, struct part part, unsigned end, bool meets)
{
    const uint16_t *code = scan->code;
    unsigned at = part.start;
    while ((at = next_possible(code, at, scan->behind)) < end) {
        if (starts(code, at, &part)) {
            at = replace_run(scan, run_start(code, at, &part), end, meets);
            part = (struct part){at, true};
        } else {
            at++;
        }
    }
}

unsigned s_scan_replace(uint16_t *code, unsigned known, uint16_t behind)
{
    struct scan scan = {code, behind, 0};
    unsigned half = known / 2;
    replace(&scan, (struct part){half, true}, S_SCAN_HALVES, false);
    replace(&scan, (struct part){0, false}, half, true);
    return scan.count;
}
