/* SPDX-License-Identifier: BSD-2-Clause */
/* The code of one step, and what came of it. */
#include "guests/diff/diff.h"

#define INSN_ECALL 0x00000073u
#define C_EBREAK 0x9002u

static uint16_t *code = step_code;
static unsigned at;        /* in halfwords */
static uint32_t forgotten; /* registers, as a mask */
static uint64_t left[32];

void code_start_at(uint16_t *where)
{
    code = where;
    at = 0;
    forgotten = 1;
}

uint16_t *code_here(void)
{
    return &code[at];
}

void code_start(void)
{
    code = step_code;
    at = 0;
    forgotten = 1;
    if (chance(30))
        code_put(0x0001); /* c.nop: the rest lies across words */
}

void code_put(uint32_t insn)
{
    code[at++] = (uint16_t)insn;
    if ((insn & 3) == 3)
        code[at++] = (uint16_t)(insn >> 16);
}

/* jal x0, run_end. All code lies within its reach: see arena.c. */
uint32_t code_jump_to_end(const uint16_t *from)
{
    uint32_t by = (uint32_t)((uint64_t)run_end - (uint64_t)from);
    return (by >> 20 & 1) << 31 | (by >> 1 & 0x3ff) << 21 | (by >> 11 & 1) << 20 |
           (by >> 12 & 0xff) << 12 | 0x6f;
}

void code_end(bool user)
{
    code_put(user ? INSN_ECALL : code_jump_to_end(code_here()));
    for (unsigned n = LANDING / 2; n < LANDING / 2 + 4; n++)
        step_code[n] = C_EBREAK;
    fence_i();
}

void code_sbi(uint64_t extension, uint64_t function, const uint64_t arguments[5])
{
    for (unsigned n = 0; n < 5; n++)
        context.gpr[10 + n] = arguments[n];
    context.gpr[16] = function;
    context.gpr[17] = extension;
    code_put(INSN_ECALL);
    code_forget(11);
}

void code_direct(void)
{
    context.stvec &= ~1UL;
}

void code_undisturbed(void)
{
    context.sstatus &= ~SSTATUS_SIE;
}

void code_forget(unsigned reg)
{
    forgotten |= 1U << reg;
}

unsigned value_register(void)
{
    unsigned n = 1 + below(30);
    return n < 4 ? n : n + 1;
}

unsigned any_register(void)
{
    return chance(8) ? 0 : value_register();
}

unsigned other_register(unsigned than)
{
    unsigned n;
    do
        n = value_register();
    while (n == than);
    return n;
}

static void trace(const char *what, bool user)
{
    space_trace();
    guest_print("diff: %s %s", user ? "u" : "s", what);
    for (unsigned n = 0; n < at; n++)
        guest_print(" %x", (uint64_t)code[n]);
    guest_print(": entry %u", context.entry);
    if (context.entry != ENTRY_NONE)
        guest_print(" cause %x epc %x tval %x", context.scause, context.sepc, context.stval);
    guest_print(" sstatus %x stvec %x satp %x sie %x hash %x\n", context.sstatus, context.stvec,
                csr_read(CSR_SATP), csr_read(CSR_SIE), diff_hash);
}

static void ran(const char *what, bool user)
{
    for (unsigned n = 0; n < 32; n++) {
        left[n] = context.gpr[n];
        if (forgotten >> n & 1)
            context.gpr[n] = 0;
        fold(context.gpr[n]);
    }
    fold(context.entry);
    fold(context.sstatus);
    fold(context.stvec);
    if (context.entry != ENTRY_NONE) {
        fold(context.scause);
        fold(context.sepc);
        /* QEMU 10 may give another address of the page that an ebreak is in, or of another. */
        if (context.scause == CAUSE_BREAKPOINT) {
            context.stval = 0;
            csr_write(CSR_STVAL, 0); /* a later step may read it */
        }
        fold(context.stval);
    }
    if (diff_trace)
        trace(what, user);
    forgotten = 1;
}

uint64_t code_left(unsigned reg)
{
    return left[reg];
}

void code_run(const char *what, bool user)
{
    code_end(user);
    context.gpr[4] = 0;
    if (user) {
        uint64_t start = (uint64_t)step_code;
        context.sstatus &= ~(SSTATUS_SPP | SSTATUS_SIE);
        context.pc = space_now == BARE ? start : start - RAM + USER_ALIAS;
        run_user();
    } else {
        run_supervisor();
    }
    ran(what, user);
}

/* By way of sret for S-mode too: no register is needed for the address, and SIE comes from SPIE. */
void code_run_at(const char *what, bool user, uint64_t va)
{
    context.gpr[4] = 0;
    context.pc = va;
    context.sstatus &= ~(SSTATUS_SPP | SSTATUS_SIE);
    if (!user)
        context.sstatus |= SSTATUS_SPP;
    run_user();
    if (diff_trace)
        guest_print("diff: at %x: sp %x a0 %x sscratch %x\n", va, context.gpr[2], context.gpr[10],
                    csr_read(CSR_SSCRATCH));
    ran(what, user);
}
