/* SPDX-License-Identifier: BSD-2-Clause */
/* Into the guest's S-mode handler, as hardware would go (privileged manual, "Supervisor Cause
 * Register", "Supervisor Interrupt Registers"). */
#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"

static void enter_handler(struct engine_vcpu *v, uint64_t cause, uint64_t tval, uint64_t handler)
{
    struct s_vcpu *s = &v->s;
    bool user = s->user;
    s_take_trap(s, user, v->pc, cause, tval);
    if (user)
        s_root_changed(s);
    v->pc = handler;
}

void s_deliver(struct engine_vcpu *v, uint64_t cause, uint64_t tval)
{
    enter_handler(v, cause, tval, v->s.stvec & ~3UL);
}

uint64_t s_interrupts(const struct engine_vcpu *v)
{
    return v->s.sip & v->s.sie;
}

void s_deliver_interrupt(struct engine_vcpu *v)
{
    uint64_t pending = s_interrupts(v);
    if (!pending || (!v->s.user && !(v->s.sstatus & SSTATUS_SIE)))
        return;
    unsigned number = pending & IRQ_BIT(IRQ_S_EXT)    ? IRQ_S_EXT
                      : pending & IRQ_BIT(IRQ_S_SOFT) ? IRQ_S_SOFT
                                                      : IRQ_S_TIMER;
    uint64_t base = v->s.stvec & ~3UL;
    enter_handler(v, CAUSE_INTERRUPT | number, 0, v->s.stvec & 1 ? base + 4 * number : base);
}
