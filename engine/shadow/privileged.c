/* SPDX-License-Identifier: BSD-2-Clause */
/* The instructions that the guest's S-mode may execute, and U-mode, where it really runs, may not.
 */
#include "engine/shadow/shadow.h"
#include "riscv/asm.h"

#define INSN_SRET 0x10200073u
#define SFENCE_MASK 0xfe007fffu
#define INSN_SFENCE_VMA 0x12000073u

static void do_sret(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    uint64_t status = s->sstatus & ~(SSTATUS_SPP | SSTATUS_SIE);
    if (s->sstatus & SSTATUS_SPIE)
        status |= SSTATUS_SIE;
    s->user = !(s->sstatus & SSTATUS_SPP);
    s->stale_root |= s->user;
    s->sstatus = status | SSTATUS_SPIE;
    v->pc = s->sepc;
}

static void do_sfence(struct engine_vcpu *v, uint32_t insn)
{
    unsigned address = insn >> 15 & 31, asid = insn >> 20 & 31;
    if (address)
        s_tables_flush_page(v, v->gpr[address], !asid, v->gpr[asid] & 0xffff);
    else if (asid)
        s_tables_flush_asid(v, v->gpr[asid] & 0xffff);
    else
        s_tables_flush(v);
}

/* Not for the engine to answer: core decides. */
static bool leave(struct exit *exit, enum exit_reason reason)
{
    exit->reason = reason;
    return false;
}

bool s_privileged(struct engine_vcpu *v, uint32_t insn, struct exit *exit)
{
    struct riscv_csr_op op;
    exit->insn = insn;
    exit->gva = 0;
    bool is_csr = riscv_decode_csr(insn, &op);
    if (is_csr && op.csr >= CSR_CYCLE && op.csr <= CSR_HPMCOUNTER31)
        return leave(exit, EXIT_CSR);
    if (v->s.user)
        return leave(exit, EXIT_ILLEGAL);
    if (is_csr && (s_csr_access(v, &op) || s_aia_access(v, &op))) {
        v->pc += 4;
    } else if (insn == INSN_SRET) {
        do_sret(v);
    } else if ((insn & SFENCE_MASK) == INSN_SFENCE_VMA) {
        do_sfence(v, insn);
        v->pc += 4;
    } else if (insn == INSN_WFI || insn == INSN_WRS_NTO) {
        return leave(exit, EXIT_WFI);
    } else {
        return leave(exit, EXIT_ILLEGAL);
    }
    v->exits[EXIT_HOT_PRIVILEGED]++;
    return true;
}
