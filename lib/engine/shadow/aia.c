/* SPDX-License-Identifier: BSD-2-Clause */
/* The CSRs that Ssaia adds to S-mode (AIA specification 2.2), for guests that are shown it. The
 * interrupt file itself is lib/irq's, in memory. */
#include "lib/engine/hot.h"
#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"
#include "riscv/isa.h"

/* stopi, 5.4.2: the highest of what is pending and enabled. Priorities are read-only zeros, so
 * there is only the default order, and IPRIO reads one. */
static uint64_t top(const struct engine_vcpu *v)
{
    uint64_t pending = s_interrupts(v);
    unsigned number = pending & IRQ_BIT(IRQ_S_EXT)     ? IRQ_S_EXT
                      : pending & IRQ_BIT(IRQ_S_SOFT)  ? IRQ_S_SOFT
                      : pending & IRQ_BIT(IRQ_S_TIMER) ? IRQ_S_TIMER
                                                       : 0;
    return number ? number << 16 | 1 : 0;
}

static void select(struct engine_vcpu *v, const struct riscv_csr_op *op)
{
    uint64_t before = v->s.siselect;
    uint64_t operand = op->funct3 & 4 ? op->rs1_or_imm : v->gpr[op->rs1_or_imm];
    unsigned kind = op->funct3 & 3;
    if (op->writes)
        v->s.siselect = kind == 1 ? operand : kind == 2 ? before | operand : before & ~operand;
    if (op->rd)
        v->gpr[op->rd] = before;
}

bool s_aia_access(struct engine_vcpu *v, const struct riscv_csr_op *op)
{
    if (v->vm->isa_disable[ISA_SSAIA])
        return false;
    switch (op->csr) {
    case CSR_SISELECT:
        select(v, op);
        return true;
    case CSR_SIREG:
    case CSR_STOPEI:
        return hot_csr(v, op, v->s.siselect);
    case CSR_STOPI:
        if (op->writes)
            return false;
        if (op->rd)
            v->gpr[op->rd] = top(v);
        return true;
    }
    return false;
}
