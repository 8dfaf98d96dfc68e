/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps that concern the hart's own state: CSRs, privileged instructions, interrupts. */
#include "guests/diff/steps.h"

#define INSN_WFI 0x10500073u
#define SSTATUS_UXL (3UL << 32)
#define ENVCFG_ALL (1UL | ENVCFG_CBIE_INVAL | ENVCFG_CBCFE | ENVCFG_CBZE)
#define COUNTERS 7UL /* cycle, time, instret; the others needn't be there */

extern uint64_t diff_hart;

static const uint16_t ours[] = {CSR_SSTATUS, CSR_SIE,      CSR_STVEC, CSR_SCOUNTEREN,
                                CSR_SENVCFG, CSR_SSCRATCH, CSR_SEPC,  CSR_SCAUSE,
                                CSR_STVAL,   CSR_SIP,      CSR_SATP};

/* M-mode's, the H extension's, those of extensions that the test's machines don't have, and numbers
 * that nobody has. Not htimedelta, which OpenSBI lets S-mode read. */
static const uint16_t not_ours[] = {
    0x015, 0x017, 0x011, 0x200, 0x204, 0x205, 0x240, 0x241, 0x242, 0x243, 0x244, 0x24d,
    0x280, 0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a, 0x320, 0x340, 0x341,
    0x342, 0x343, 0x344, 0x3a0, 0x3b0, 0x600, 0x602, 0x603, 0x604, 0x606, 0x607, 0x60a,
    0x643, 0x644, 0x645, 0x64a, 0x680, 0x747, 0x7a0, 0x7a1, 0x7b0, 0xb00, 0xb02, 0xe12,
    0xf11, 0xf12, 0xf14, 0x14d, 0x150, 0x15c, 0xdb0, 0xda0, 0x10c, 0x181, 0x1c0, 0x5c0,
    0x800, 0x9c0, 0xcc0, 0xdc0, 0x102, 0x103, 0x107, 0x145, 0x041, 0x004};
/* An operand that leaves nothing in the register that the manual leaves open. `kind`: 1 write, 2
 * set, 3 clear. */
static uint64_t operand(unsigned csr, unsigned kind)
{
    uint64_t word = random_word();
    if (chance(20))
        word &= random_word() & random_word();
    switch (csr) {
    case CSR_SSTATUS: /* UXL is WARL: only 64, or what is no value */
        if (kind != 3)
            word &= ~(1UL << 32);
        return word;
    case CSR_SIE: /* QEMU 10 takes bits 2, 6 and 10 of a VS-mode's for 1, 5 and 9 */
    case CSR_SIP:
        return word & ~0x444UL;
    case CSR_SEPC: /* QEMU 10 keeps bit 0, which is always zero */
        return word & ~1UL;
    case CSR_STVEC: /* that it may be anything is tested, that it leads there is not */
        return chance(60) ? (uint64_t)vectors_a | chance(50) : word & ~2UL;
    case CSR_SCOUNTEREN:
        return word & COUNTERS;
    case CSR_SENVCFG: /* CBIE 2 is reserved */
        word &= ENVCFG_ALL;
        if (kind != 1 || (word & ENVCFG_CBIE_INVAL) == 2UL << 4)
            word &= ~ENVCFG_CBIE_INVAL;
        return word;
    case CSR_SCAUSE: /* WLRL: causes that exist */
        return word & (CAUSE_INTERRUPT | 15);
    default:
        return word;
    }
}

/* The immediate has no bits that operand() would have had to take care of, but in these. */
static unsigned immediate(unsigned csr, unsigned kind)
{
    unsigned imm = below(32);
    if (csr == CSR_STVEC)
        return kind == 2 ? 0 : imm & ~2U;
    if (csr == CSR_SCOUNTEREN)
        return imm & COUNTERS;
    if (csr == CSR_SIE || csr == CSR_SIP)
        return imm & ~4U;
    if (csr == CSR_SEPC)
        return imm & ~1U;
    if (csr == CSR_SENVCFG)
        return imm & (kind == 1 ? 17 : 1);
    if (csr == CSR_SCAUSE)
        return imm & 15;
    return imm;
}

static void csr_step(bool user)
{
    unsigned csr = ours[below(COUNT(ours))], kind = 1 + below(3), rd = any_register();
    if (csr == CSR_SATP) { /* writes are space_switch()'s */
        kind = 2;
        code_start();
        code_put(CSR_INSN(csr, kind + 4 * below(2), rd, 0));
        if (user)
            code_direct();
        code_run("csr", user);
        return;
    }
    code_start();
    if (chance(40)) {
        code_put(CSR_INSN(csr, kind + 4, rd, immediate(csr, kind)));
    } else {
        unsigned a = value_register();
        context.gpr[a] = operand(csr, kind);
        code_put(CSR_INSN(csr, kind, rd, kind != 1 && chance(15) ? 0 : a));
    }
    if (user)
        code_direct();
    code_run("csr", user);
}

/* What isn't there is an illegal instruction, whichever the form. */
static void no_csr_step(bool user)
{
    code_start();
    code_put(CSR_INSN(not_ours[below(COUNT(not_ours))], 1 + below(3) + 4 * below(2), any_register(),
                      chance(50) ? 0 : value_register()));
    code_direct();
    code_run("no csr", user);
}

/* cycle, time, instret: whether they may be read, and that they can't be written. */
static void counter_step(bool user)
{
    unsigned rd = any_register(), a = chance(75) ? 0 : value_register(), which = below(3);
    if (chance(50))
        csr_write(CSR_SCOUNTEREN, below(8));
    if (which == 1 && user)
        csr_set(CSR_SCOUNTEREN, COUNTEREN_TM); /* OpenSBI lets U-mode read it even so */
    code_start();
    code_put(CSR_INSN(CSR_CYCLE + which, 2 + below(2) + 4 * below(2), rd, a));
    code_forget(rd);
    code_direct();
    code_run("counter", user);
}

static void fp_csr_step(bool user)
{
    context.sstatus = (context.sstatus & ~SSTATUS_FS) | (uint64_t)below(4) << 13;
    code_start();
    code_put(CSR_INSN(1 + below(3), 1 + below(3) + 4 * below(2), any_register(), value_register()));
    code_direct();
    code_run("fp csr", user);
}

static void instruction_step(bool user)
{
    /* Not mret: QEMU 10 gives firmware another instruction's bits for it. */
    static const uint32_t insns[] = {
        INSN_SRET,  0x7b200073, 0x00200073, 0x70200073,             /* sret dret uret mnret */
        0x22000073, 0x62000073, 0x22b50073, 0x62b50073,             /* hfence.vvma .gvma */
        0x6005c573, 0x6c05c573, 0x68b54073,                         /* hlv.b hlv.d hsv.w... */
        0x16000073, 0x18000073, 0x18100073,                         /* sinval.vma and its fences */
        0x00d00073, 0x01d00073,                                     /* wrs.nto wrs.sto */
        0x12000073, 0x12b50073,                                     /* sfence.vma */
        0x0000000f, 0x0ff0000f, 0x8330000f, 0x0000100f, 0x0100000f, /* fences, pause */
        0x00100073, 0x9002,                                         /* ebreak, c.ebreak */
        0xffffffff, 0x0000000b, 0x00000000, 0x8002,                 /* illegal */
        0x00000073,                                                 /* ecall */
    };
    uint32_t insn = insns[below(COUNT(insns))];
    if (insn == 0x00000073 && !user) {
        code_start();
        code_sbi(0x0a000000 + below(1000), below(8), &context.gpr[20]); /* nobody's extension */
    } else if (insn == INSN_SRET && !user) {
        return; /* sret_step() */
    } else {
        code_start();
        code_put(insn);
    }
    code_direct();
    code_run("insn", user);
}

/* To either mode, to code, to where that mode has none, or to some page. */
static void sret_step(void)
{
    uint64_t landing = (uint64_t)step_code + LANDING, to = landing;
    if (chance(50))
        to = landing - RAM + USER_ALIAS;
    if (chance(20)) {
        to = space_address() + LANDING + 2 * below(8);
        enum place place = space_place(to);
        if (place == PLACE_OURS)
            return;
        if (place != PLACE_DATA && place != PLACE_FAULT)
            code_direct();
    } else if (space_now == BARE) {
        to = landing;
    }
    csr_write(CSR_SEPC, to);
    context.sstatus ^= random_word() & (SSTATUS_SPP | SSTATUS_SPIE);
    code_start();
    code_put(INSN_SRET);
    code_run("sret", false);
}

static bool pending(void)
{
    return csr_read(CSR_SIP) & csr_read(CSR_SIE);
}

static void interrupt_step(bool user)
{
    uint64_t enabled = random_word() & (IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_TIMER));
    unsigned which = below(8), what = below(5);
    csr_write(CSR_SIE, chance(75) ? enabled : 0);
    if (which & 1)
        csr_set(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
    if (which & 2) {
        guest_sbi(SBI_EXT_IPI, 0, 1, diff_hart, 0, 0);
        while (!(csr_read(CSR_SIP) & IRQ_BIT(IRQ_S_SOFT))) {
        }
    }
    if (which & 4) {
        guest_sbi(SBI_EXT_TIME, 0, 0, 0, 0, 0);
        while (!(csr_read(CSR_SIP) & IRQ_BIT(IRQ_S_TIMER))) {
        }
    }
    if (chance(50))
        context.sstatus |= SSTATUS_SIE;
    unsigned a = value_register();
    context.gpr[a] = enabled;
    code_start();
    if (what == 0 && (user || pending()))
        code_put(INSN_WFI);
    else if (what == 1)
        code_put(CSR_INSN(CSR_SIE, 2, any_register(), a));
    else if (what == 2)
        code_put(CSR_INSN(CSR_SIP, 1 + below(3), any_register(), a));
    else if (what == 3)
        code_put(CSR_INSN(CSR_SSTATUS, 6, any_register(), SSTATUS_SIE));
    else
        code_put(0x00150513); /* addi a0, a0, 1 */
    if (user && what < 4)
        code_direct(); /* these are for S-mode alone */
    code_run("interrupt", user);
    if (which & 4) {
        guest_sbi(SBI_EXT_TIME, 0, UINT64_MAX, 0, 0, 0);
        while (csr_read(CSR_SIP) & IRQ_BIT(IRQ_S_TIMER)) {
        }
    }
}

void state_step(unsigned which, bool user)
{
    if (which < 10)
        csr_step(user && chance(30));
    else if (which < 13)
        no_csr_step(user);
    else if (which < 15)
        counter_step(user);
    else if (which < 17)
        fp_csr_step(user);
    else if (which < 21)
        instruction_step(user);
    else if (which < 26)
        sret_step();
    else
        interrupt_step(user);
}

void steps_reset(void)
{
    csr_write(CSR_SIE, 0);
    csr_clear(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
    csr_write(CSR_SCOUNTEREN, 0);
    csr_write(CSR_SENVCFG, 0);
    csr_write(CSR_SSCRATCH, 0);
    csr_write(CSR_SEPC, 0);
    csr_write(CSR_SCAUSE, 0);
    csr_write(CSR_STVAL, 0);
    for (unsigned n = 0; n < 32; n++)
        context.gpr[n] = random_word();
    context.sstatus = SSTATUS_FS_INITIAL;
    context.stvec = (uint64_t)vectors_a;
    code_start();
    for (unsigned n = 8; n < 12; n++)
        code_put(0xf2000053 | n << 7 | n << 15); /* fmv.d.x f8, s0 and so on */
    code_put(CSR_INSN(CSR_FCSR, 1, 0, 0));
    code_run("begin", false);
}

void steps_fold(void)
{
    if (diff_trace)
        guest_print("diff: sscratch %x sie %x senvcfg %x satp %x\n", csr_read(CSR_SSCRATCH),
                    csr_read(CSR_SIE), csr_read(CSR_SENVCFG), csr_read(CSR_SATP));
    fold(csr_read(CSR_SSCRATCH));
    fold(csr_read(CSR_SIE));
    fold(csr_read(CSR_SENVCFG));
    fold(csr_read(CSR_SATP));
    for (unsigned n = 8; n < 12; n++) {
        code_start();
        code_put(0xe2000053 | n << 15 | 10 << 7); /* fmv.x.d a0, f8 and so on */
        context.sstatus = SSTATUS_FS_INITIAL;
        code_run("end", false);
    }
}
