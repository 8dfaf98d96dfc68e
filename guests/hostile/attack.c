/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/hostile/hostile.h"

#define EBREAK 0x00100073
#define A0 10
#define A1 11

/* ---- SBI ------------------------------------------------------------------------------------- */

static const uint64_t extensions[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      7,
                                      9,
                                      15,
                                      SBI_EXT_BASE,
                                      SBI_EXT_TIME,
                                      SBI_EXT_IPI,
                                      SBI_EXT_RFENCE,
                                      SBI_EXT_HSM,
                                      SBI_EXT_SRST,
                                      SBI_EXT_PMU,
                                      SBI_EXT_DBCN,
                                      SBI_EXT_SUSP,
                                      SBI_EXT_STA,
                                      SBI_EXT_CALDARIUM,
                                      0x43505043 /* CPPC */,
                                      0x4e41434c /* NACL */,
                                      0x535345 /* SSE */,
                                      0x46574654 /* FWFT */,
                                      0x44425452 /* DBTR */,
                                      0x4d505859 /* MPXY */,
                                      0x08000000,
                                      0x08ffffff,
                                      0x09000000,
                                      0x09000489,
                                      0x0a000000,
                                      0x0affffff,
                                      -1,
                                      0x80000000};

/* What would only end the run: reset, its own stop, a sleep that nothing ends. */
static bool ends_the_run(uint64_t extension, uint64_t function)
{
    return (extension == SBI_EXT_SRST && !function) || extension == 8 ||
           (extension == SBI_EXT_HSM && (function == 1 || function == 3)) ||
           (extension == SBI_EXT_SUSP && !function);
}

/* Where the supervisor would write: not into us. */
static uint64_t harmless(struct context *c, uint64_t value)
{
    return value - 0x80200000 < ARENA - 0x80200000 ? ARENA + below(c, ARENA_BYTES) : value;
}

static void attack_sbi(struct context *c)
{
    uint64_t extension = below(c, 16) ? extensions[below(c, sizeof(extensions) / 8)] : any(c);
    uint64_t function = below(c, 4) ? below(c, 10) : any_value(c);
    if (ends_the_run(extension, function))
        return;
    all_registers(c);
    for (unsigned n = A0; n < A0 + 6; n++)
        c->x[n] = harmless(c, c->x[n]);
    if (extension == SBI_EXT_DBCN && !function)
        c->x[A0] = below(c, 2) ? below(c, 4) : any(c) | 1UL << 40; /* nobody wants to read it all */
    if (extension == SBI_EXT_HSM && !function && c->x[A0] < HARTS)
        c->x[A1] = RAM_BASE - 2; /* to start a hart is another's work */
    c->x[16] = function;
    c->x[17] = extension;
    c->code[0] = 0x00000073; /* ecall */
    c->code[1] = EBREAK;
    run_code(c, !below(c, 16));
}

/* ---- CSRs ------------------------------------------------------------------------------------ */

static void attack_csr(struct context *c)
{
    uint64_t csr = below(c, 4096), function = 1 + below(c, 7);
    if (function == 4)
        function = 1;
    /* satp has an attack of its own: with any value in it we'd be gone. csrrs and csrrc of x0 read.
     */
    bool reads = csr == CSR_SATP;
    all_registers(c);
    c->x[6] = csr_read(CSR_STVEC);
    uint64_t source = reads ? 0 : below(c, 4) ? A0 : below(c, 32);
    c->code[0] =
        (uint32_t)(csr << 20 | source << 15 | (reads ? 2 : function) << 12 | A1 << 7 | 0x73);
    c->code[1] = 0x10531073; /* csrw stvec, t1: a trap has to find us */
    c->code[2] = EBREAK;
    if (csr != CSR_STVEC) {
        run_code(c, !below(c, 8));
        return;
    }
    csr_write(CSR_SIE, 0); /* nothing may trap until it is as it was */
    fence_i();
    hostile_try(c, (uint64_t)c->code, 1UL << 8);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

/* Instructions that touch memory at a0, with a1. */
static uint32_t any_access(struct context *c)
{
    static const uint32_t some[] = {
        0x00050583, 0x00051583, 0x00052583, 0x00053583, 0x00054583, 0x00055583,
        0x00056583, 0x00057583,                                     /* loads; the last is none */
        0x00b50023, 0x00b51023, 0x00b52023, 0x00b53023, 0x00b54023, /* stores; the last is none */
        0x100525af, 0x100535af, 0x18b525af, 0x18b535af,             /* lr, sc */
        0x00b525af, 0x00b535af, 0x08b525af, 0x08b535af, 0xe0b535af, 0x28b535af, /* amo */
        0x00052587, 0x00053587, 0x00b52027, 0x00b53027,             /* flw, fld, fsw, fsd */
        0x02050587, 0x02057587, 0x020505a7, 0x020575a7, 0xe2850587, /* vle, vse, vl8r */
        0x0005200f, 0x0015200f, 0x0025200f, 0x0045200f,             /* cbo */
        0x600545f3, 0x643545f3, 0x6c0545f3, 0x62b54073, 0x6eb54073, /* hlv, hlvx, hsv */
        0x12b50073, 0x22b50073, 0x62b50073, 0x16b50073,             /* sfence, hfence, sinval */
        0x0005100f, 0x0000100f, 0x01a5358f,                         /* fence.i and reserved ones */
    };
    static const uint16_t small[] = {0x410c, 0x610c, 0xc10c, 0xe10c, 0x210c, 0xa10c, 0x810c};
    if (below(c, 6))
        return some[below(c, sizeof(some) / sizeof(*some))];
    return 0x90020000U | small[below(c, sizeof(small) / sizeof(*small))]; /* c.ebreak behind it */
}

static void attack_address(struct context *c)
{
    all_registers(c);
    c->x[A0] = harmless(c, any_address(c));
    c->code[0] = any_access(c);
    c->code[1] = EBREAK;
    run_code(c, !below(c, 8));
}

/* ---- Instructions ---------------------------------------------------------------------------- */

/* One page a hart in the arena, filled with whatever. */
static void attack_instructions(struct context *c)
{
    uint32_t *page = (uint32_t *)(ARENA + c->id * 0x10000);
    unsigned count = 1 + (unsigned)below(c, 32);
    for (unsigned n = 0; n < count; n++) {
        uint32_t word = (uint32_t)any(c);
        switch (below(c, 4)) {
        case 0:
            word = (word & ~0x7fU) | 0x73; /* the system's own */
            break;
        case 1:
            word |= 3;
            break;
        case 2:
            word = any_access(c);
        }
        /* Not those that take our own ground away: satp, stvec. */
        if ((word & 0x7f) == 0x73 && (word >> 12 & 3) &&
            (word >> 20 == CSR_SATP || word >> 20 == CSR_STVEC))
            word = EBREAK;
        page[n] = word;
    }
    page[count] = EBREAK;
    all_registers(c);
    for (unsigned n = 1; n < 32; n++)
        c->x[n] = harmless(c, c->x[n]);
    fence_i();
    run_at(c, (uint64_t)page, below(c, 2));
}

/* ---- Page tables ----------------------------------------------------------------------------- */

static uint64_t any_pte(struct context *c)
{
    static const uint64_t where[] = {0,          0x0c000000, 0x10000000, 0x50000000,
                                     0x7ffff000, 0x02000000, 1UL << 40,  (1UL << 56) - 4096};
    uint64_t pa = ARENA + below(c, ARENA_BYTES);
    switch (below(c, 8)) {
    case 0:
        return 0;
    case 1:
        return any(c) & ~1UL;
    case 2:
        return any(c) | 0xffUL << 46; /* far from any RAM */
    case 3:
    case 4:
        pa = where[below(c, sizeof(where) / sizeof(*where))];
        break;
    case 5:
        pa = ram_end - 4096 + below(c, 3) * 4096;
    }
    uint64_t bits = below(c, 2) ? PTE_V : below(c, 256) | PTE_V;
    return (below(c, 32) ? 0 : any(c) << 54) | pa >> 12 << PTE_PPN_SHIFT | bits;
}

static void attack_paging(struct context *c)
{
    uint64_t mine = ARENA + c->id * 0x10000 + 0x1000, mode = SATP_MODE_SV39;
    uint64_t *table = (uint64_t *)mine, root = mine;
    for (unsigned n = 0; n < 512 * 3; n++)
        table[n] = any_pte(c);
    /* Where we are ourselves: the third GiB. */
    table[2] = RAM_BASE >> 12 << PTE_PPN_SHIFT | 0xcf;
    for (uint64_t more = below(c, 3); more; more--, mode++) {
        uint64_t *up = (uint64_t *)(root + 4096);
        up[0] = root >> 12 << PTE_PPN_SHIFT | PTE_V;
        root += 4096;
    }
    csr_write(CSR_SATP, mode << SATP_MODE_SHIFT | (any(c) & 0xffff) << 44 | root >> 12);
    sfence_vma_all();
    for (unsigned tries = 0; tries < 8; tries++) {
        all_registers(c);
        uint64_t va = below(c, 512) << 30 | below(c, 1UL << 30);
        if (va >> 30 == 2)
            va += 1UL << 30;
        c->x[A0] = below(c, 4) ? (uint64_t)((int64_t)(va << 25) >> 25) : any(c);
        if (c->x[A0] - RAM_BASE < 1UL << 30)
            continue;
        c->code[0] = below(c, 8) ? any_access(c) : 0x00050067; /* or jumps there */
        c->code[1] = EBREAK;
        csr_write(CSR_SATP, mode << SATP_MODE_SHIFT | (any(c) & 0xffff) << 44 | root >> 12);
        run_code(c, false);
    }
    csr_write(CSR_SATP, 0);
    sfence_vma_all();
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

static void poke(uint64_t address, uint64_t value)
{
    *(volatile uint32_t *)address = (uint32_t)value;
}

/* The PLIC's registers as they may be, the timer in the past, calls to everybody. */
static void attack_interrupts(struct context *c)
{
    uint64_t own = 2 * c->id + 1, context = below(c, 4) ? own : 2 * below(c, harts) + 1;
    poke(0x0c000000 + 4 * (1 + below(c, 95)), any(c));
    poke(0x0c000000 + 4 * 10, below(c, 8));
    poke(0x0c002000 + 0x80 * context + 4 * below(c, 3), any(c));
    poke(0x0c200000 + 0x1000 * context, below(c, 4) ? 0 : any(c));
    *(volatile uint8_t *)0x10000001 = (uint8_t)below(c, 16); /* the port's own interrupts */
    for (unsigned n = 0; n < 8; n++) {
        guest_sbi(SBI_EXT_IPI, 0, below(c, 2) ? 1UL << c->id : any(c) & 0xff, 0, 0, 0);
        csr_write(CSR_SIE, 0x222);
        guest_sbi(SBI_EXT_TIME, 0, below(c, 2) ? 0 : csr_read(CSR_TIME) + below(c, 300), 0, 0, 0);
        all_registers(c);
        c->code[0] = below(c, 2) ? 0x10500073 : 0x00d00073; /* wfi, wrs.nto */
        c->code[1] = EBREAK;
        fence_i();
        hostile_try(c, (uint64_t)c->code, 1UL << 8 | 1UL << 5);
        if (c->cause == (CAUSE_INTERRUPT | IRQ_S_SOFT))
            csr_clear(CSR_SIP, 2);
        uint64_t claim = *(volatile uint32_t *)(0x0c200004 + 0x1000 * own);
        poke(0x0c200004 + 0x1000 * own, below(c, 4) ? claim : any(c));
    }
    guest_sbi(SBI_EXT_RFENCE, below(c, 4), -1, -1, any_value(c), any_value(c));
}

void attack(struct context *c)
{
    switch (below(c, 16)) {
    case 0:
    case 1:
    case 2:
    case 3:
        attack_sbi(c);
        break;
    case 4:
    case 5:
    case 6:
        attack_csr(c);
        break;
    case 7:
    case 8:
    case 9:
    case 10:
        attack_address(c);
        break;
    case 11:
    case 12:
        attack_instructions(c);
        break;
    case 13:
        attack_paging(c);
        break;
    default:
        attack_interrupts(c);
    }
}
