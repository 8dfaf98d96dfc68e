/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of a vCPU that is put, for engine.h's regs(), special() and set_special(). */
#include "lib/engine/h/h.h"
#include "riscv/asm.h"

void h_regs(struct engine_vcpu *v, struct engine_regs *regs)
{
    struct h_vcpu *h = &v->h;
    const struct h_vm *vm = &v->vm->h;
    *regs = (struct engine_regs){
        .sstatus = &h->vsstatus,
        .sie = &h->vsie,
        .stvec = &h->vstvec,
        .scounteren = &h->scounteren,
        .senvcfg = &h->senvcfg,
        .sscratch = &h->vsscratch,
        .sepc = &h->vsepc,
        .scause = &h->vscause,
        .stval = &h->vstval,
        .satp = &h->vsatp,
        .siselect = &h->vsiselect,
        .fp = h->units.fp,
        .fcsr = &h->units.fcsr,
        .vstart = &h->units.vstart,
        .vcsr = &h->units.vcsr,
        .vl = &h->units.vl,
        .vtype = &h->units.vtype,
        .vector = h->units.vector,
        .vlenb = v->vm->machine->told.vector_bytes,
        .senvcfg_bits = vm->senvcfg,
        .scounteren_bits = UINT32_MAX, /* the register itself knows better */
        .has_fp = vm->has_fp,
        .has_vector = vm->has_vector,
    };
}

/* Where the guest's timer is the host's, a deadline that has passed is not kept: any that has
 * passed does. */
static uint64_t timer(const struct engine_vcpu *v)
{
    const struct h_vcpu *h = &v->h;
    if (h->own_timer)
        return h->vstimecmp;
    if (h->hvip & IRQ_BIT(IRQ_VS_TIMER))
        return 0;
    return h->timer == UINT64_MAX ? UINT64_MAX : h->timer + v->vm->time_delta;
}

/* One that has passed goes off when the vCPU is loaded. */
static void set_timer(struct engine_vcpu *v, uint64_t when)
{
    struct h_vcpu *h = &v->h;
    if (h->own_timer) {
        h->vstimecmp = when;
        return;
    }
    h->timer = engine_host_time(v->vm, when);
    h->hvip &= ~IRQ_BIT(IRQ_VS_TIMER);
}

uint64_t h_special(const struct engine_vcpu *v, enum engine_special which)
{
    switch (which) {
    case ENGINE_MODE:
        return !h_in_user(v);
    case ENGINE_PENDING:
        return v->h.hvip >> 1 & (IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_EXT));
    case ENGINE_TIMER:
        return timer(v);
    default:
        return v->h.vsatp;
    }
}

/* vsatp takes what the hart's satp would (privileged manual, "Virtual Supervisor Address
 * Translation and Protection Register"): a mode that it does not have leaves it as it was, and of
 * an ASID the bits that it does not have are lost. No guest runs: nothing is translated by it. */
static bool set_satp(struct h_vcpu *h, uint64_t value)
{
    csr_write(CSR_VSATP, 0);
    csr_write(CSR_VSATP, value);
    bool fits = csr_read(CSR_VSATP) == value;
    csr_write(CSR_VSATP, 0);
    if (!fits)
        return false;
    h->vsatp = value;
    h->last_hart = 0; /* h_load() has the hart forget */
    return true;
}

bool h_set_special(struct engine_vcpu *v, enum engine_special which, uint64_t value)
{
    struct h_vcpu *h = &v->h;
    switch (which) {
    case ENGINE_MODE:
        h->sstatus = value ? h->sstatus | SSTATUS_SPP : h->sstatus & ~SSTATUS_SPP;
        h->hstatus = value ? h->hstatus | HSTATUS_SPVP : h->hstatus & ~HSTATUS_SPVP;
        return true;
    case ENGINE_PENDING:
        h->hvip = (h->hvip & IRQ_BIT(IRQ_VS_TIMER)) | value << 1;
        return true;
    case ENGINE_TIMER:
        set_timer(v, value);
        return true;
    default:
        return set_satp(h, value);
    }
}
