/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses that go out to the host. Nothing of the vCPU changes until the host completes one: the
 * pc stays at the instruction. Its state can't be read or written meanwhile, for the completion
 * would change what was read, or change what was written at another place. One that the host has
 * refused, whose exception the guest has not yet got, is made again if the VM is saved then.
 */
#include "lib/vcpu/pending.h"

#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/exit.h"
#include "lib/vcpu/vcpu.h"
#include "riscv/cause.h"
#include "riscv/csr.h"

void pending_out(struct cald_vcpu *vcpu, uint8_t why, const struct exit *exit)
{
    vcpu->pending.exit = *exit;
    vcpu->pending.why = why;
    vcpu->why = why;
}

static void tell_csr(const struct cald_vcpu *vcpu, struct cald_exit *out)
{
    struct riscv_csr_op op;
    riscv_decode_csr(vcpu->pending.exit.insn, &op);
    uint64_t operand = op.funct3 & 4 ? op.rs1_or_imm : vcpu->eng.gpr[op.rs1_or_imm];
    bool swaps = (op.funct3 & 3) == 1, clears = (op.funct3 & 3) == 3;
    out->csr = op.csr;
    out->mask = !op.writes ? 0 : swaps ? UINT64_MAX : operand;
    out->value = clears ? 0 : operand;
}

void pending_tell(const struct cald_vcpu *vcpu, struct cald_exit *out)
{
    const struct exit *exit = &vcpu->pending.exit;
    const uint64_t *gpr = vcpu->eng.gpr;
    switch (vcpu->why) {
    case CALD_MMIO:
        out->gpa = exit->gpa;
        out->width = exit->access.width;
        out->write = exit->access.store;
        out->value = out->write ? gpr[exit->access.reg] : 0;
        break;
    case CALD_SBI:
        out->extension = gpr[17];
        out->function = gpr[16];
        for (unsigned n = 0; n < 6; n++)
            out->args[n] = gpr[10 + n];
        break;
    case CALD_CSR_ACCESS:
        tell_csr(vcpu, out);
        break;
    case CALD_PAGE:
        out->gpa = exit->gpa;
        out->write = vcpu->pending.write;
        break;
    case CALD_RESET:
        out->type = vcpu->pending.type;
        break;
    case CALD_FAULT:
        out->text = vcpu->fault;
        break;
    }
}

/* A load's value is extended as the instruction says; a write to x0 is none. */
static void complete_mmio(struct cald_vcpu *vcpu, uint64_t value)
{
    const struct riscv_access *access = &vcpu->pending.exit.access;
    if (!access->store && access->reg)
        vcpu->eng.gpr[access->reg] = riscv_load_value(access, value);
    vcpu->eng.pc += access->insn_bytes;
}

static void complete_csr(struct cald_vcpu *vcpu, uint64_t value)
{
    struct riscv_csr_op op;
    riscv_decode_csr(vcpu->pending.exit.insn, &op);
    if (op.rd)
        vcpu->eng.gpr[op.rd] = value;
    vcpu->eng.pc += 4;
}

void cald_vcpu_complete(struct cald_vcpu *vcpu, int64_t error, uint64_t value)
{
    uint8_t why = vcpu->pending.why;
    if (why == CALD_SBI) {
        sbi_answer(vcpu, (struct sbi_ret){error, value});
    } else if (error) {
        vcpu->pending.failed = true;
        return;
    } else if (why == CALD_MMIO) {
        complete_mmio(vcpu, value);
    } else if (why == CALD_CSR_ACCESS) {
        complete_csr(vcpu, value);
    }
    vcpu->pending.why = 0;
}

bool pending_finish(struct cald_vcpu *vcpu)
{
    struct vcpu_pending *pending = &vcpu->pending;
    vcpu->why = pending->why;
    if (!pending->failed)
        return false;
    vcpu->why = CALD_AGAIN;
    if (pending->why == CALD_MMIO)
        exit_no_device(vcpu, &pending->exit);
    else
        exit_illegal(vcpu, &pending->exit);
    pending_drop(pending);
    return vcpu->why == CALD_AGAIN;
}
