/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CSRs that a guest's S-mode has, with the WARL behaviour of a hart without H (privileged
 * manual, "Supervisor-Level ISA"). What isn't here doesn't exist: an illegal instruction.
 */
#include "lib/engine/shadow/shadow.h"
#include "riscv/asm.h"
#include "riscv/isa.h"

#define SIE_WRITABLE (IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_TIMER) | IRQ_BIT(IRQ_S_EXT))

static uint64_t read_sstatus(const struct s_vcpu *s)
{
    uint64_t value = (s->sstatus & ~S_HARTS_SSTATUS) | (csr_read(CSR_SSTATUS) & S_HARTS_SSTATUS);
    if ((value & SSTATUS_FS) == SSTATUS_FS || (value & SSTATUS_VS) == SSTATUS_VS)
        value |= SSTATUS_SD;
    return value;
}

/* FS and VS go to the hart, for the guest's FP and vector instructions to find. */
static void write_unit_state(struct engine_vcpu *v, uint64_t before, uint64_t next)
{
    struct s_vcpu *s = &v->s;
    uint64_t changed = before ^ next;
    /* The guest may call registers clean that were not saved by us yet. */
    if (changed & SSTATUS_FS && (before & SSTATUS_FS) == SSTATUS_FS)
        s->fp_dirty = true;
    if (changed & SSTATUS_VS && (before & SSTATUS_VS) == SSTATUS_VS)
        s->vector_dirty = true;
    csr_clear(CSR_SSTATUS, S_HARTS_SSTATUS);
    csr_set(CSR_SSTATUS, next & S_HARTS_SSTATUS);
}

static void write_sstatus(struct engine_vcpu *v, uint64_t before, uint64_t value)
{
    struct s_vcpu *s = &v->s;
    before &= ~SSTATUS_SD;
    uint64_t next = (before & ~s->status_writable) | (value & s->status_writable);
    uint64_t changed = next ^ before;
    s->sstatus = next;
    if (changed & S_HARTS_SSTATUS)
        write_unit_state(v, before, next);
    if (changed & SSTATUS_MXR) {
        csr_clear(CSR_SSTATUS, SSTATUS_MXR);
        csr_set(CSR_SSTATUS, next & SSTATUS_MXR);
        s_tables_flush(v); /* see shadow_flags() in fault.c */
    }
    if (changed & SSTATUS_SUM)
        s_root_changed(s);
    if (changed & SSTATUS_SIE)
        s->due = true;
}

/* A mode that the guest doesn't have: the whole write has no effect. */
void s_satp_write(struct s_vcpu *s, uint64_t value)
{
    uint64_t mode = value >> SATP_MODE_SHIFT;
    bool legal = !mode || (mode >= SATP_MODE_SV39 && mode - SATP_MODE_SV39 + 3 <= s->levels);
    if (!legal || value == s->satp)
        return;
    s->satp = value;
    if (s->noting)
        s_fetch_leave(s);
    else
        s_fetch_flush(s, false);
    s_root_changed(s);
}

/* `timer` is host time. */
static uint64_t read_stimecmp(const struct engine_vcpu *v)
{
    const struct s_vcpu *s = &v->s;
    bool passed = s->timer == UINT64_MAX && s->sip & IRQ_BIT(IRQ_S_TIMER);
    if (passed)
        return s->stimecmp;
    return s->timer == UINT64_MAX ? s->timer : s->timer + v->vm->time_delta;
}

/* One that has passed already is pending at once (privileged manual, "Supervisor Timer (stimecmp)
 * Register"). */
static void write_stimecmp(struct engine_vcpu *v, uint64_t value)
{
    s_set_timer(v, value);
    s_timer_check(v);
    v->s.due = true;
}

static void virtual_csr_write(struct engine_vcpu *v, unsigned csr, uint64_t before, uint64_t value)
{
    struct s_vcpu *s = &v->s;
    switch (csr) {
    case CSR_SSTATUS:
        write_sstatus(v, before, value);
        break;
    case CSR_SIE:
        s->sie = value & SIE_WRITABLE;
        s->due = true;
        break;
    case CSR_STVEC:
        if (!(value & 2)) /* modes 2 and 3 are reserved */
            s->stvec = value;
        break;
    case CSR_SCOUNTEREN:
        s->scounteren = value & v->vm->s.scounteren;
        s->mode_shown = MODE_NONE;
        break;
    case CSR_SENVCFG:
        if ((value & ENVCFG_CBIE_INVAL) == ENVCFG_CBIE_RESERVED)
            value &= ~ENVCFG_CBIE_INVAL;
        value &= v->vm->s.envcfg;
        if (s->senvcfg == value) /* as at most changes of task */
            break;
        s->senvcfg = value;
        s->mode_shown = MODE_NONE;
        break;
    case CSR_SSCRATCH:
        s->sscratch = value;
        break;
    case CSR_SEPC:
        s->sepc = value & ~1UL;
        break;
    case CSR_SCAUSE:
        s->scause = value;
        break;
    case CSR_STVAL:
        s->stval = value;
        break;
    case CSR_SIP: /* the software interrupt alone is the guest's to change */
        s->sip = (s->sip & ~IRQ_BIT(IRQ_S_SOFT)) | (value & IRQ_BIT(IRQ_S_SOFT));
        s->due = true;
        break;
    case CSR_STIMECMP:
        write_stimecmp(v, value);
        break;
    case CSR_SATP:
        s_satp_write(s, value);
        break;
    }
}

static bool virtual_csr_read(const struct engine_vcpu *v, unsigned csr, uint64_t *value)
{
    const struct s_vcpu *s = &v->s;
    switch (csr) {
    case CSR_SSTATUS:
        *value = read_sstatus(s);
        return true;
    case CSR_SIE:
        *value = s->sie;
        return true;
    case CSR_STVEC:
        *value = s->stvec;
        return true;
    case CSR_SCOUNTEREN:
        *value = s->scounteren;
        return true;
    case CSR_SENVCFG:
        *value = s->senvcfg;
        return v->vm->s.has_senvcfg;
    case CSR_SSCRATCH:
        *value = s->sscratch;
        return true;
    case CSR_SEPC:
        *value = s->sepc;
        return true;
    case CSR_SCAUSE:
        *value = s->scause;
        return true;
    case CSR_STVAL:
        *value = s->stval;
        return true;
    case CSR_SIP:
        *value = s->sip;
        return true;
    case CSR_STIMECMP: /* whatever the hart has; see docs/shadow.md for why the tree doesn't say so
                        */
        *value = read_stimecmp(v);
        return !v->vm->isa_disable[ISA_SSTC];
    case CSR_SATP:
        *value = s->satp;
        return true;
    }
    return false;
}

/* funct3: 1, 2, 3 virtual_csr_write, set, clear with a register; 5, 6, 7 with the register's number
 * itself. */
bool s_csr_access(struct engine_vcpu *v, uint32_t insn)
{
    unsigned csr = insn >> 20, rd = insn >> 7 & 31, rs1 = insn >> 15 & 31;
    unsigned kind = insn >> 12 & 3;
    uint64_t before;
    if (!kind || !virtual_csr_read(v, csr, &before))
        return false;
    if (kind == 1 || rs1) {
        uint64_t operand = insn & 1U << 14 ? rs1 : v->gpr[rs1];
        virtual_csr_write(v, csr, before,
                          kind == 1   ? operand
                          : kind == 2 ? before | operand
                                      : before & ~operand);
    }
    if (rd)
        v->gpr[rd] = before;
    return true;
}
