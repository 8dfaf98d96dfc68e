/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of a vCPU that is put, for engine.h's regs(), special() and set_special(). */
#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"

void s_regs(struct engine_vcpu *v, struct engine_regs *regs)
{
    struct s_vcpu *s = &v->s;
    const struct s_vm *vm = &v->vm->s;
    *regs = (struct engine_regs){
        .sstatus = &s->sstatus,
        .sie = &s->sie,
        .stvec = &s->stvec,
        .scounteren = &s->scounteren,
        .senvcfg = &s->senvcfg,
        .sscratch = &s->sscratch,
        .sepc = &s->sepc,
        .scause = &s->scause,
        .stval = &s->stval,
        .satp = &s->satp,
        .siselect = &s->siselect,
        .fp = s->units.fp,
        .fcsr = &s->units.fcsr,
        .vstart = &s->units.vstart,
        .vcsr = &s->units.vcsr,
        .vl = &s->units.vl,
        .vtype = &s->units.vtype,
        .vector = s->units.vector,
        .vlenb = v->vm->machine->told.vector_bytes,
        .senvcfg_bits = vm->has_senvcfg ? vm->envcfg : 0,
        .scounteren_bits = vm->scounteren,
        .has_fp = vm->has_fp,
        .has_vector = vm->has_vector,
    };
}

static uint64_t timer(const struct engine_vcpu *v)
{
    const struct s_vcpu *s = &v->s;
    if (s->timer == UINT64_MAX)
        return s->sip & IRQ_BIT(IRQ_S_TIMER) ? s->stimecmp : UINT64_MAX;
    return s->timer + v->vm->time_delta;
}

/* One that has passed goes off when the vCPU is loaded; one that was due before the host's time
 * began has no host time. */
static void set_timer(struct engine_vcpu *v, uint64_t when)
{
    struct s_vcpu *s = &v->s;
    s->timer = engine_host_time(v->vm, when);
    s->sip &= ~IRQ_BIT(IRQ_S_TIMER);
    if (s->timer)
        return;
    s->timer = UINT64_MAX;
    s->stimecmp = when;
    s->sip |= IRQ_BIT(IRQ_S_TIMER);
}

uint64_t s_special(const struct engine_vcpu *v, enum engine_special which)
{
    switch (which) {
    case ENGINE_MODE:
        return !v->s.user;
    case ENGINE_PENDING:
        return v->s.sip & (IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_EXT));
    case ENGINE_TIMER:
        return timer(v);
    default:
        return v->s.satp;
    }
}

static bool set_satp(struct engine_vcpu *v, uint64_t value)
{
    uint64_t mode = value >> SATP_MODE_SHIFT;
    if (mode && (mode < SATP_MODE_SV39 || mode - SATP_MODE_SV39 + 3 > v->vm->s.levels))
        return false;
    v->s.satp = value;
    s_tables_reset(v);
    return true;
}

bool s_set_special(struct engine_vcpu *v, enum engine_special which, uint64_t value)
{
    struct s_vcpu *s = &v->s;
    s->due = s->stale_root = true;
    switch (which) {
    case ENGINE_MODE:
        s->user = !value;
        return true;
    case ENGINE_PENDING:
        s->sip = (s->sip & IRQ_BIT(IRQ_S_TIMER)) | value;
        return true;
    case ENGINE_TIMER:
        set_timer(v, value);
        return true;
    default:
        return set_satp(v, value);
    }
}
