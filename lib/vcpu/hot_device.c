/* SPDX-License-Identifier: BSD-2-Clause */
/* Registers that are answered from inside a run (lib/engine/hot.h): those of interrupt controllers
 * and of the serial port, and the CSRs of interrupt files. */
#include "lib/dev/uart_hot.h"
#include "lib/engine/hot.h"
#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"
#include "host/host.h"
#include "riscv/csr.h"

/*
 * An interrupt controller's register. While it is answered the vCPU counts as in HOST mode, so that
 * a change of its own line arrives as mail without a kick; the mailbox is read once more before the
 * guest goes on.
 */
static inline void begin(struct cald_vcpu *vcpu)
{
    atomic_store_explicit(&vcpu->mode, VCPU_HOST, memory_order_relaxed);
}

static inline void end(struct cald_vcpu *vcpu)
{
    atomic_store(&vcpu->mode, VCPU_GUEST);
    if (atomic_load(&vcpu->mailbox) && !hot_mail(&vcpu->eng))
        host_kick(vcpu); /* control work came in between: be interrupted at once */
}

static __attribute__((noinline)) bool aia_register(struct cald_vcpu *vcpu, uint64_t gpa,
                                                   const struct riscv_access *access)
{
    const struct bus_region *region = bus_find(&vcpu->vm->bus, gpa, access->width);
    uint64_t *gpr = vcpu->eng.gpr, raw;
    bool served;
    if (!region || !region->hot)
        return false;
    begin(vcpu);
    if (access->store) {
        served = !region->ops->write(region->device, vcpu, gpa - region->gpa, access->width,
                                     gpr[access->reg]);
    } else {
        served = !region->ops->read(region->device, vcpu, gpa - region->gpa, access->width, &raw);
        if (served && access->reg)
            gpr[access->reg] = riscv_load_value(access, raw);
    }
    end(vcpu);
    vcpu->eng.exits[EXIT_HOT_IRQCHIP] += served;
    return served;
}

bool hot_device(struct engine_vcpu *eng, uint64_t gpa, const struct riscv_access *access)
{
    struct cald_vcpu *vcpu = vcpu_of(eng);
    uint64_t offset = gpa - vcpu->vm->plic_base;
    if (!vcpu->vm->has_plic)
        return aia_register(vcpu, gpa, access) || uart_hot(vcpu, gpa, access);
    if (offset >= CALD_PLIC_SIZE)
        return uart_hot(vcpu, gpa, access);
    bool served;
    if (access->store) {
        begin(vcpu);
        served =
            plic_write(&vcpu->vm->plic, (uint32_t)offset, access->width, eng->gpr[access->reg]);
    } else {
        uint64_t raw;
        begin(vcpu);
        served = plic_read(&vcpu->vm->plic, (uint32_t)offset, access->width, &raw);
        if (served && access->reg)
            eng->gpr[access->reg] = riscv_load_value(access, raw);
    }
    end(vcpu);
    eng->exits[EXIT_HOT_IRQCHIP] += served;
    return served;
}

bool hot_csr(struct engine_vcpu *eng, const struct riscv_csr_op *op, uint64_t select)
{
    struct cald_vcpu *vcpu = vcpu_of(eng);
    uint64_t before, value = op->funct3 & 4 ? op->rs1_or_imm : eng->gpr[op->rs1_or_imm];
    /* A file of the hart's traps only where it lacks the register: priorities of major interrupts.
     */
    if (vcpu->imsic.file && (op->csr != CSR_SIREG || select >= IMSIC_EIDELIVERY))
        return false;
    if (vcpu->vm->irqchip != CALD_IRQCHIP_IMSIC ||
        !imsic_csr(&vcpu->imsic, op, select, value, &before))
        return false;
    if (op->rd)
        eng->gpr[op->rd] = before;
    if (!vcpu->imsic.file)
        eng->ops->irq(eng, GUEST_IRQ_EXTERNAL, imsic_line(&vcpu->imsic));
    return true;
}
