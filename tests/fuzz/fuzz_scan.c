/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page of code, made of instructions and data as the input says, and scanned: nothing but
 * privileged instructions is replaced, and none stays that is reached in line from the known one.
 */
#include "tests/fuzz/fuzz.h"

#include "lib/engine/shadow/scan.h"

#define MOST 64 /* in one run: what lies behind comes by way of the firmware (scan.c) */

static const uint32_t words[] = {
    0x10002573, 0x18051073, 0xc0002573, 0x10200073, 0x12b50073, 0x10500073, /* privileged */
    0xc0102573, 0x00302573, 0x00000073, 0x00100073, 0x30200073,             /* not so */
    0x00008067, 0x0000006f, 0x000000ef, 0x00150513, 0x25730537, 0x00b50063, 0x0005b503, 0x0001,
    0x8082,     0x9002,     0xa001,     0x4501,     0xc0202573, 0x0000,     0x257f,
};

/* By the manual, not by scan.c: a CSR of the supervisor's, a counter that a hart may keep shut,
 * sret, wfi, sfence.vma. */
static bool privileged(uint32_t insn)
{
    if ((insn & 0x7f) != 0x73)
        return false;
    uint32_t csr = insn >> 20;
    if (insn >> 12 & 3)
        return (csr & 0x300) == 0x100 || csr == 0xc00 || csr == 0xc02;
    return insn == 0x10200073 || insn == 0x10500073 || (insn & 0xfe007fff) == 0x12000073;
}

static uint16_t behind; /* the page */

static uint32_t at(const uint16_t *page, unsigned n)
{
    return page[n] | (uint32_t)(n + 1 < S_SCAN_HALVES ? page[n + 1] : behind) << 16;
}

/* These are made by make_page() as well as by chance: nobody goes on behind them. */
static bool leaves(uint32_t insn)
{
    uint16_t half = (uint16_t)insn;
    if ((half & 3) == 3)
        return (insn & 0xfff) == 0x06f || (insn & 0x7fff) == 0x067 || insn == 0x10200073 ||
               insn == 0x30200073 || insn == 0x00100073;
    return (half & 0xe003) == 0xa001 || ((half & 0xf07f) == 0x8002 && half & 0x0f80) ||
           half == 0x9002;
}

/* An instruction that exists for certain: one of the table's. */
static bool ours(uint32_t insn)
{
    for (size_t n = 0; n < sizeof(words) / sizeof(*words) - 2; n++) {
        if (words[n] == ((insn & 3) == 3 ? insn : (insn & 0xffff)))
            return true;
    }
    return false;
}

static void make_page(struct input *in, uint16_t *page)
{
    unsigned n = 0;
    while (n < S_SCAN_HALVES) {
        uint8_t what = (uint8_t)input_number(in, 1);
        uint32_t word = what < 128 ? words[what % (sizeof(words) / sizeof(*words))]
                                   : (uint32_t)input_number(in, 4);
        page[n++] = (uint16_t)word;
        if ((word & 3) == 3 && n < S_SCAN_HALVES)
            page[n++] = (uint16_t)(word >> 16);
        if (!in->left) { /* the rest is c.nop */
            while (n < S_SCAN_HALVES)
                page[n++] = 1;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static _Alignas(8) uint16_t before[S_SCAN_HALVES], page[S_SCAN_HALVES];
    struct input in = {data, bytes};
    unsigned known = (unsigned)input_number(&in, 2) % S_SCAN_HALVES;
    known = known & 1 ? known : known % 64;
    behind = (uint16_t)input_number(&in, 2);
    make_page(&in, before);
    memcpy(page, before, sizeof(page));

    bool possible = s_scan_possible(page, behind), any = false;
    unsigned count = s_scan_replace(page, known * 2, behind), differ = 0;
    for (unsigned n = 0; n < S_SCAN_HALVES; n++) {
        bool is = privileged(at(before, n));
        any |= is;
        if (page[n] == before[n])
            continue;
        differ++;
        REQUIRE(page[n] == INSN_C_EBREAK && is);
    }
    REQUIRE(differ == count);
    REQUIRE(possible == any);

    unsigned stay[S_SCAN_HALVES], stays = 0;
    for (unsigned n = known; n < S_SCAN_HALVES;) {
        uint32_t insn = at(before, n);
        if (!ours(insn))
            return 0; /* may be data: then all of the run is left */
        if (privileged(insn))
            stay[stays++] = n;
        if (leaves(insn))
            break;
        n += (insn & 3) == 3 ? 2 : 1;
    }
    for (unsigned n = 0; n < stays && n < MOST; n++)
        REQUIRE(page[stay[n]] == INSN_C_EBREAK);
    return 0;
}
