/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel's way in and out is short, and half of it privileged. A trap for each of these
 * instructions costs far more than doing it here: so what follows one is done at once, the few
 * ordinary instructions between two of them included. Nothing is kept of the guest's code but where
 * it lies.
 */
#include <stddef.h>

#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"
#include "riscv/csr.h"

/* The hart's own interrupts wait while a sequence is done: so many instructions, then it ends. */
#define PRIVILEGED_MAX 16
#define OTHERS_MAX 8
#define PLAIN_MAX 4 /* the hart does them faster, unless a privileged one comes soon */

#define OPCODE_MASK 0x7fUL
#define OPCODE_SYSTEM 0x73u
#define OPCODE_OP_IMM 0x13u
#define OPCODE_BRANCH 0x63u

_Static_assert(CSR_SEPC == CSR_SSCRATCH + S_SEPC && CSR_SCAUSE == CSR_SSCRATCH + S_SCAUSE &&
                   CSR_STVAL == CSR_SSCRATCH + S_STVAL,
               "enum s_trap_csr has the order of the registers' numbers");

/*
 * csrr and csrrw of the four trap CSRs are most of what a handler executes. Without its last 12
 * bits (rd and the opcode) such an instruction has the register's number, rs1 (csrr: 0) and funct3.
 * The four numbers differ in their last two bits alone.
 */
#define FIELDS_FROM 12
#define FIELDS_WHICH 0x300L /* which of the four */
#define FIELDS_RS1 0xf8L
#define FIELDS_CSRR (CSR_SSCRATCH << 8 | 2)
#define CSRRW_TO_CSRR 1 /* csrrw is one less */

/* Where an instruction names a register: the lowest bit of the field, and its bits. */
enum { RD = 7, RS1 = 15, RS2 = 20, CSR = 20, GPR_BITS = 5, TRAP_CSR_BITS = 2 };
_Static_assert(S_TRAP_CSRS == 1 << TRAP_CSR_BITS, "two bits tell which");

/* The register of the array that the field names. The field is moved straight to its place among
 * the bytes of an address: gcc makes two shifts of an index that it needs twice. */
static inline uint64_t *named(uint64_t *registers, uint64_t insn, unsigned field, unsigned bits)
{
    uint64_t bytes = insn >> (field - 3) & ((1UL << bits) - 1) << 3;
    return (uint64_t *)((char *)registers + bytes);
}

static inline uint64_t *gpr_named(uint64_t *gpr, uint64_t insn, unsigned field)
{
    return named(gpr, insn, field, GPR_BITS);
}

static inline uint64_t *trap_csr_named(struct s_vcpu *s, uint64_t insn)
{
    return named(s->trap_csr, insn, CSR, TRAP_CSR_BITS);
}

/* The bits from `high` down to `low` of an instruction, moved to `to`. */
static inline uint64_t field(uint64_t insn, unsigned high, unsigned low, unsigned to)
{
    return (insn >> low & ((2UL << (high - low)) - 1)) << to;
}

static inline uint64_t extend(uint64_t value, unsigned bits)
{
    return (uint64_t)((int64_t)(value << (64 - bits)) >> (64 - bits));
}

/*
 * What a handler has between its privileged instructions, often enough to be worth it. Each of
 * these moves the pc on, or returns false: another instruction. Unprivileged manual, "C" extension:
 * c.addi, c.li, c.mv, c.add.
 */
static inline bool compressed(uint64_t *gpr, uint64_t *pc, uint64_t insn)
{
    uint64_t rs2 = insn >> 2 & 31, kind = insn >> 13 & 7;
    uint64_t imm = (extend(insn >> 7, 6) & ~31UL) | rs2;
    if ((insn & 3) == 1 && kind == 0)
        *gpr_named(gpr, insn, RD) += imm;
    else if ((insn & 3) == 1 && kind == 2)
        *gpr_named(gpr, insn, RD) = imm;
    else if ((insn & 3) == 2 && kind == 4 && rs2)
        *gpr_named(gpr, insn, RD) = gpr[rs2] + (insn & 1U << 12 ? *gpr_named(gpr, insn, RD) : 0);
    else
        return false;
    gpr[0] = 0;
    *pc += 2;
    return true;
}

/* addi, ori, andi */
static inline bool op_imm(uint64_t *gpr, uint64_t *pc, uint64_t insn)
{
    uint64_t imm = extend(insn >> 20, 12), kind = insn >> 12 & 7,
             value = *gpr_named(gpr, insn, RS1);
    if (kind == 0)
        value += imm;
    else if (kind == 6)
        value |= imm;
    else if (kind == 7)
        value &= imm;
    else
        return false;
    *gpr_named(gpr, insn, RD) = value;
    gpr[0] = 0;
    *pc += 4;
    return true;
}

/* beq, bne */
static inline bool branch(uint64_t *gpr, uint64_t *pc, uint64_t insn, uint64_t *end)
{
    if (insn >> 13 & 3)
        return false;
    if ((*gpr_named(gpr, insn, RS1) == *gpr_named(gpr, insn, RS2)) == (insn >> 12 & 1)) {
        *pc += 4;
        return true;
    }
    *pc += extend(field(insn, 31, 31, 12) | field(insn, 7, 7, 11) | field(insn, 30, 25, 5) |
                      field(insn, 11, 8, 1),
                  13);
    *end = 0;
    return true;
}

static inline bool plain(uint64_t *gpr, uint64_t *pc, uint64_t insn, uint64_t *end)
{
    if ((insn & 3) != 3)
        return compressed(gpr, pc, insn);
    uint64_t opcode = insn & OPCODE_MASK;
    if (opcode == OPCODE_BRANCH)
        return branch(gpr, pc, insn, end);
    return opcode == OPCODE_OP_IMM && op_imm(gpr, pc, insn);
}

/*
 * Reads of sstatus (with a set of nothing), and SIE and SUM on and off: what kernels do with it.
 * csrrs, csrrc and their immediate forms. False: another bit is touched, and nothing was done.
 */
static bool status(struct engine_vcpu *v, uint64_t insn)
{
    struct s_vcpu *s = &v->s;
    uint64_t *gpr = v->gpr,
             operand = insn & 1U << 14 ? insn >> 15 & 31 : *gpr_named(gpr, insn, RS1);
    if (operand & ~(SSTATUS_SIE | SSTATUS_SUM))
        return false;
    uint64_t units = csr_read(CSR_SSTATUS) & (SSTATUS_FS | SSTATUS_VS);
    uint64_t before = (s->sstatus & ~(SSTATUS_FS | SSTATUS_VS)) | units;
    uint64_t next = insn & 1U << 12 ? before & ~operand : before | operand;
    if ((next ^ before) & SSTATUS_SUM)
        s->stale_root = true;
    if (next & ~before & SSTATUS_SIE)
        s->due = true;
    s->sstatus = next;
    if ((units & SSTATUS_FS) == SSTATUS_FS || (units & SSTATUS_VS) == SSTATUS_VS)
        before |= SSTATUS_SD;
    *gpr_named(gpr, insn, RD) = before;
    gpr[0] = 0;
    return true;
}

/*
 * Executes at the pc what can be done with no call of anything: this function has no stack frame,
 * which matters here. Returns 0, or a privileged instruction that stopped it, or AFTER_SRET with
 * interrupts to be looked at.
 */
#define AFTER_SRET 1

uint64_t s_run_on(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    uint64_t *gpr = v->gpr, pc = v->pc, result = 0;
    uint64_t end = 0; /* of the pcs whose four bytes are in the page at hand; 0: no page is */
    uint64_t base = 0, left = PRIVILEGED_MAX, plains = PLAIN_MAX, csrr = FIELDS_CSRR;
    __asm__("" : "+r"(csrr)); /* so that it is not made anew in each turn */
    while (left) {
        if (pc >= end) {
            const struct s_fetch_line *line = s_fetch_line(s, pc);
            uint64_t page = pc & ~(HOST_PAGE_SIZE - 1);
            end = page + HOST_PAGE_SIZE - 3;
            if (line->page != pc >> 12 || pc >= end)
                break;
            base = (uint64_t)line->va - page;
        }
        const volatile uint16_t *half = (const volatile uint16_t *)(base + pc);
        uint64_t insn = (uint64_t)half[1] << 16 | half[0];
        if ((insn & OPCODE_MASK) != OPCODE_SYSTEM) {
            if (!plains-- || !plain(gpr, &pc, insn, &end))
                break;
            continue;
        }
        uint64_t fields = (insn >> FIELDS_FROM) - csrr;
        if (!(fields & ~FIELDS_WHICH)) {
            *gpr_named(gpr, insn, RD) = *trap_csr_named(s, insn);
            gpr[0] = 0;
        } else if (!((fields + CSRRW_TO_CSRR) & ~(FIELDS_WHICH | FIELDS_RS1))) {
            uint64_t *csr = trap_csr_named(s, insn), value = *gpr_named(gpr, insn, RS1);
            if (gpr_named(gpr, insn, RD) != gpr) { /* x0 is no place */
                *gpr_named(gpr, insn, RD) = *csr;
                gpr[0] = 0;
            }
            *csr = value;
            s->sepc &= ~1UL;
        } else if (insn == INSN_SRET) {
            pc = s_sret(s);
            end = 0;
            left--;
            if (s->sip & s->sie)
                result = AFTER_SRET;
            else if (!s->user)
                continue;
            break;
        } else {
            result = insn;
            break;
        }
        pc += 4;
        left--;
    }
    v->pc = pc;
    return result;
}

void s_go_on(struct engine_vcpu *v, uint64_t insn)
{
    struct s_vcpu *s = &v->s;
    for (unsigned n = 0; n < OTHERS_MAX && insn; n++) {
        if (insn == AFTER_SRET)
            s->due = true;
        else if (insn >> 20 == CSR_SSTATUS && insn & 2U << 12 && status(v, insn))
            v->pc += 4;
        else if (!s_privileged(v, (uint32_t)insn))
            return;
        if (s->due)
            s_due(v);
        insn = s->user ? 0 : s_run_on(v);
    }
}
