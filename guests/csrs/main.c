/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads and writes every CSR number, in S-mode and in U-mode, with what opens registers to them
 * (sstatus.FS and VS, scounteren, senvcfg) closed and open. The same must come out on a bare
 * machine and in a VM. What a guest finds in its CSRs at its first instruction is printed first.
 *
 * Only what is more than an illegal instruction of the usual kind makes a line:
 *   csrs: MODE NUMBER read VALUE
 *   csrs: MODE NUMBER write WRITTEN READ-BACK ...
 *   csrs: MODE NUMBER read|write trap CAUSE TVAL
 * MODE is s or u, in capitals where things are open. Then come the counters, and Sstc's timer where
 * there is one.
 */
#include "guests/csrs/csrs.h"

#include "guests/common/guest.h"

#define CSRS 0x1000u
#define INSN_EBREAK 0x00100073u
#define ALL_ONES UINT64_MAX
#define COUNTERS 32u
#define SHORT_WAIT 10000    /* ticks */
#define LONG_WAIT 100000000 /* no machine is so slow */

/* csrrs rd, csr, x0; csrrw rd, csr, rs1 */
#define CSRR(rd, csr) ((uint32_t)(csr) << 20 | 2u << 12 | (rd) << 7 | 0x73)
#define CSRRW(rd, csr, rs1) ((uint32_t)(csr) << 20 | (rs1) << 15 | 1u << 12 | (rd) << 7 | 0x73)
enum { X0 = 0, A0 = 10, A1 = 11, A2 = 12 };

struct probe probe;
void guest_main(uint64_t hart, uint64_t tree);

/* How a round has the hart: `name` is the MODE of its lines. */
struct round {
    const char *name;
    bool user, open;
};

/* Roots for Sv39, Sv48 and Sv57, each of which maps the hart's RAM to itself. */
static uint64_t roots[3][512] __attribute__((aligned(4096)));

static void make_roots(void)
{
    roots[0][2] =
        0x80000000UL >> 12 << PTE_PPN_SHIFT | PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D;
    for (unsigned n = 1; n < 3; n++)
        roots[n][0] = (uint64_t)roots[n - 1] >> 12 << PTE_PPN_SHIFT | PTE_V;
}

/* The code ran to its end; else the line that tells of its trap is out. */
static bool came_through(const struct round *round, unsigned csr, const char *what, uint32_t insn)
{
    uint64_t at = (probe.epc - (uint64_t)probe_code) / 4;
    if (probe.cause == CAUSE_BREAKPOINT && probe_code[at] == INSN_EBREAK)
        return true;
    if (probe.cause != CAUSE_ILLEGAL || probe.tval != insn || at)
        guest_print("csrs: %s %x %s trap %x %x\n", round->name, (uint64_t)csr, what, probe.cause,
                    probe.tval);
    return false;
}

static void prepare(const struct round *round)
{
    csr_clear(CSR_SSTATUS, SSTATUS_FS | SSTATUS_VS | SSTATUS_SPIE);
    if (round->open)
        csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL);
    csr_write(CSR_SCOUNTEREN, round->open ? 0xffffffff : 0);
    csr_write(CSR_SSCRATCH, 0);
    csr_write(CSR_SEPC, 0);
    csr_write(CSR_SCAUSE, 0);
    csr_write(CSR_STVAL, 0);
}

static bool read(const struct round *round, unsigned csr)
{
    prepare(round);
    probe_code[0] = CSRR(A0, csr);
    probe_code[1] = INSN_EBREAK;
    probe_run(0, round->user);
    if (!came_through(round, csr, "read", probe_code[0]))
        return false;
    /* Counters run, and epc is where this round's code began. */
    bool varies = (csr >= CSR_CYCLE && csr <= CSR_HPMCOUNTER31) || csr == CSR_SEPC;
    if (varies)
        guest_print("csrs: %s %x read any\n", round->name, (uint64_t)csr);
    else
        guest_print("csrs: %s %x read %x\n", round->name, (uint64_t)csr, probe.a0);
    return true;
}

/* Writes, reads back and puts back, so that a register that we need is as it was. */
static bool write(const struct round *round, unsigned csr, uint64_t value, uint64_t *back)
{
    prepare(round);
    probe_code[0] = CSRRW(A2, csr, A0);
    probe_code[1] = CSRR(A1, csr);
    probe_code[2] = CSRRW(X0, csr, A2);
    probe_code[3] = INSN_EBREAK;
    probe_run(value, round->user);
    *back = probe.a1;
    return came_through(round, csr, "write", probe_code[0]);
}

static bool write_line(const struct round *round, unsigned csr, uint64_t value)
{
    uint64_t back;
    if (!write(round, csr, value, &back))
        return false;
    guest_print("csrs: %s %x write %x %x\n", round->name, (uint64_t)csr, value, back);
    return true;
}

/* A mode that is taken is in force at once. */
static void write_satp(const struct round *round)
{
    for (uint64_t mode = 1; mode < 16; mode++) {
        uint64_t root = 0, back;
        if (mode >= SATP_MODE_SV39 && mode <= SATP_MODE_SV57)
            root = (uint64_t)roots[mode - SATP_MODE_SV39] >> 12;
        /* The root's number is not printed: it changes with this program. */
        if (write(round, CSR_SATP, mode << SATP_MODE_SHIFT | root, &back))
            guest_print("csrs: %s %x mode %u %u\n", round->name, (uint64_t)CSR_SATP, mode,
                        back >> SATP_MODE_SHIFT);
    }
    write_line(round, CSR_SATP, 0);
}

static void one(const struct round *round, unsigned csr)
{
    read(round, csr);
    if (csr == CSR_SATP && !round->user) {
        write_satp(round);
        return;
    }
    if (write_line(round, csr, ALL_ONES))
        write_line(round, csr, 0);
}

/* Which counters S-mode lets U-mode read, one by one. */
static void each_counter(void)
{
    for (unsigned n = 0; n < COUNTERS; n++) {
        uint64_t open = 0;
        for (unsigned bit = 0; bit < COUNTERS; bit++) {
            csr_write(CSR_SCOUNTEREN, 1UL << bit);
            probe_code[0] = CSRR(A0, CSR_CYCLE + n);
            probe_code[1] = INSN_EBREAK;
            probe_run(0, true);
            if (probe.cause == CAUSE_BREAKPOINT)
                open |= 1UL << bit;
        }
        guest_print("csrs: counter %u is read where scounteren has one of %x\n", (uint64_t)n, open);
    }
}

static void entry_state(void)
{
    guest_print("csrs: entry sstatus %x sie %x satp %x scounteren %x\n", csr_read(CSR_SSTATUS),
                csr_read(CSR_SIE), csr_read(CSR_SATP), csr_read(CSR_SCOUNTEREN));
}

static uint64_t pending(void)
{
    return csr_read(CSR_SIP) >> IRQ_S_TIMER & 1;
}

/* Until the timer is pending, or (it never will be) time is far beyond `when`. */
static void wait_timer(const char *what, uint64_t when)
{
    while (!pending() && csr_read(CSR_TIME) < when + LONG_WAIT)
        ;
    guest_print("csrs: timer %s: pending %u, early %u, stimecmp as set %u\n", what, pending(),
                (uint64_t)(csr_read(CSR_TIME) < when), (uint64_t)(csr_read(CSR_STIMECMP) == when));
}

/* Sstc: one timer, whether it is set by stimecmp or by SBI. */
static void timer(void)
{
    csr_write(CSR_STIMECMP, 0);
    guest_print("csrs: timer in the past: pending %u, stimecmp %x\n", pending(),
                csr_read(CSR_STIMECMP));
    csr_write(CSR_SIP, 0); /* STIP is not S-mode's to clear */
    guest_print("csrs: timer after a write to sip: pending %u\n", pending());
    csr_write(CSR_STIMECMP, UINT64_MAX);
    guest_print("csrs: timer never: pending %u, stimecmp %x\n", pending(), csr_read(CSR_STIMECMP));
    guest_sbi(SBI_EXT_TIME, 0, 0x7654321076543210, 0, 0, 0);
    guest_print("csrs: timer by SBI: pending %u, stimecmp %x\n", pending(), csr_read(CSR_STIMECMP));
    csr_set(CSR_STIMECMP, 0xf);
    guest_print("csrs: timer with bits set: stimecmp %x\n", csr_read(CSR_STIMECMP));
    uint64_t when = csr_read(CSR_TIME) + SHORT_WAIT;
    csr_write(CSR_STIMECMP, when);
    wait_timer("by stimecmp", when);
    when = csr_read(CSR_TIME) + SHORT_WAIT;
    guest_sbi(SBI_EXT_TIME, 0, when, 0, 0, 0);
    wait_timer("by SBI", when);
    when = csr_read(CSR_TIME) + SHORT_WAIT;
    csr_write(CSR_STIMECMP, when);
    csr_write(CSR_SIE, IRQ_BIT(IRQ_S_TIMER));
    while (!pending() && csr_read(CSR_TIME) < when + LONG_WAIT)
        wait_for_interrupt();
    csr_write(CSR_SIE, 0);
    wait_timer("in its sleep", when);
    csr_write(CSR_STIMECMP, UINT64_MAX);
    guest_print("csrs: timer over: pending %u\n", pending());
}

void guest_main(uint64_t hart, uint64_t tree)
{
    static const struct round rounds[] = {
        {"s", false, false}, {"S", false, true}, {"u", true, false}, {"U", true, true}};
    (void)hart, (void)tree;
    entry_state();
    csr_write(CSR_SIE, 0);
    csr_write(CSR_STVEC, (uint64_t)probe_vector);
    guest_sbi(SBI_EXT_TIME, 0, UINT64_MAX, 0, 0, 0);
    make_roots();
    for (unsigned n = 0; n < sizeof(rounds) / sizeof(*rounds); n++) {
        for (unsigned csr = 0; csr < CSRS; csr++)
            one(&rounds[n], csr);
    }
    each_counter();
    if (read(&rounds[0], CSR_STIMECMP))
        timer();
    guest_print("csrs: done\n");
    guest_poweroff();
}
