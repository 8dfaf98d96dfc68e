/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How one vCPU reaches another: a bit in its mailbox and, where needed, a kick.
 *
 * The protocol has two halves that cannot miss each other. A sender sets the bit, then reads
 * `mode`. A receiver writes `mode` = GUEST (or BLOCKED), then reads the mailbox once more. Both are
 * sequentially consistent, so either the sender sees GUEST and kicks (BLOCKED: wakes), or the
 * receiver sees the bit and stays.
 *
 * A fence has to be finished on all vCPUs before its sender goes on. The sender keeps one request
 * of its own, tells each receiver to look at it, and waits until each has answered. Whoever waits
 * carries out what others ask of it meanwhile, so two senders can't wait for each other. A receiver
 * that is AWAY or BLOCKED runs no guest code: it is left a full flush to do before it runs again,
 * and nobody waits for it.
 */
#include "caldarium/caldarium.h"
#include "caldarium/devices.h"
#include "lib/dev/uart_hot.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"
#include "lib/engine/hot.h"
#include "host/host.h"
#include "riscv/csr.h"

void vcpu_mail(struct cald_vcpu *to, uint32_t bits)
{
    uint32_t before = atomic_fetch_or(&to->mailbox, bits);
    if ((before & bits) == bits)
        return; /* whoever set them first has kicked, or the receiver is about to look */
    uint32_t mode = atomic_load(&to->mode);
    if (bits & (MAIL_WAKE | MAIL_CONTROL))
        host_wake(to);
    else if (mode == VCPU_GUEST)
        host_kick(to);
    else if (mode == VCPU_BLOCKED && bits & ~(MAIL_FENCE | MAIL_REMAP))
        host_wake(to);
}

/* Whoever set the bit before may have done so for a vCPU that its host keeps from running, and
 * which never takes its mail: the host is always told. */
void cald_vcpu_request(struct cald_vcpu *vcpu)
{
    atomic_fetch_or(&vcpu->mailbox, MAIL_CONTROL);
    host_wake(vcpu);
}

void cald_vcpu_timer(struct cald_vcpu *vcpu)
{
    vcpu_mail(vcpu, MAIL_TIMER);
}

void cald_vcpu_messages(struct cald_vcpu *vcpu)
{
    vcpu_mail(vcpu, MAIL_EXTERNAL);
}

void cald_vcpu_messages_kept(struct cald_vcpu *vcpu)
{
    atomic_fetch_or(&vcpu->mailbox, MAIL_EXTERNAL);
}

void cald_vcpu_forget(struct cald_vcpu *vcpu)
{
    vcpu_mail(vcpu, MAIL_REMAP);
}

bool cald_vcpu_has_forgotten(const struct cald_vcpu *vcpu, uint64_t maps)
{
    return atomic_load(&vcpu->mode) != VCPU_GUEST || atomic_load(&vcpu->maps_seen) >= maps;
}

void vcpu_enter_mode(struct cald_vcpu *vcpu, enum vcpu_mode mode)
{
    atomic_store(&vcpu->mode, mode);
}

static void count_received(struct cald_vcpu *vcpu, enum fence_kind kind)
{
    if (kind == FENCE_I)
        vcpu->fw_count[FW_FENCE_I_RECEIVED]++;
    else if (kind == FENCE_VMA)
        vcpu->fw_count[FW_SFENCE_VMA_RECEIVED]++;
    else if (kind == FENCE_VMA_ASID)
        vcpu->fw_count[FW_SFENCE_VMA_ASID_RECEIVED]++;
}

/* Carries out what others asked of this vCPU. */
static void serve_fences(struct cald_vcpu *vcpu)
{
    uint64_t from = atomic_exchange(&vcpu->fence_from, 0);
    for (; from; from &= from - 1) {
        struct cald_vcpu *sender = &vcpu->vm->vcpus[__builtin_ctzll(from)];
        vcpu->eng.ops->fence(&vcpu->eng, &sender->fence);
        count_received(vcpu, sender->fence.kind);
        atomic_fetch_and(&sender->fence_waiting, ~(1ULL << vcpu->id));
    }
}

void vcpu_fence_others(struct cald_vcpu *self, uint64_t mask, const struct fence *fence)
{
    struct cald_vm *vm = self->vm;
    uint64_t others = mask & ~(1ULL << self->id);
    self->fence = *fence;
    atomic_store(&self->fence_waiting, others);
    host_kicks_begin();
    for (uint64_t left = others; left; left &= left - 1) {
        struct cald_vcpu *to = &vm->vcpus[__builtin_ctzll(left)];
        atomic_fetch_or(&to->fence_from, 1ULL << self->id);
        vcpu_mail(to, MAIL_FENCE);
    }
    host_kicks_end(); /* before anybody is waited for */
    if (mask >> self->id & 1) {
        self->eng.ops->fence(&self->eng, fence);
        count_received(self, fence->kind);
    }
    uint64_t waiting;
    while ((waiting = atomic_load(&self->fence_waiting))) {
        for (; waiting; waiting &= waiting - 1) {
            unsigned id = (unsigned)__builtin_ctzll(waiting);
            struct cald_vcpu *to = &vm->vcpus[id];
            uint32_t mode = atomic_load(&to->mode);
            if (mode != VCPU_AWAY && mode != VCPU_BLOCKED)
                continue;
            /* The flush first: if the receiver comes back and finds our request gone, it must find
             * the flush. If it took the request before us, it answers, and flushes once too often.
             */
            atomic_fetch_or(&to->mailbox, MAIL_FLUSH);
            if (atomic_fetch_and(&to->fence_from, ~(1ULL << self->id)) >> self->id & 1)
                atomic_fetch_and(&self->fence_waiting, ~(1ULL << id));
        }
        if (atomic_load_explicit(&self->fence_from, memory_order_relaxed))
            serve_fences(self);
    }
}

uint32_t vcpu_take_mail(struct cald_vcpu *vcpu)
{
    const struct engine_ops *ops = vcpu->eng.ops;
    uint32_t bits = atomic_exchange(&vcpu->mailbox, 0);
    if (bits & MAIL_SOFT) {
        vcpu->fw_count[FW_IPI_RECEIVED]++;
        ops->irq(&vcpu->eng, GUEST_IRQ_SOFT, true);
    }
    if (bits & MAIL_EXTERNAL)
        vm_irq_show(vcpu);
    if (bits & MAIL_TIMER)
        ops->timer_check(&vcpu->eng);
    if (bits & MAIL_REMAP)
        atomic_store(&vcpu->maps_seen, ops->window_flush(&vcpu->eng));
    if (bits & MAIL_FLUSH) {
        ops->fence(&vcpu->eng, &(struct fence){.kind = FENCE_I});
        ops->fence(&vcpu->eng, &(struct fence){.kind = FENCE_ALL});
    }
    if (bits & MAIL_FENCE)
        serve_fences(vcpu);
    return bits & (MAIL_WAKE | MAIL_CONTROL);
}

bool hot_mail(struct engine_vcpu *eng)
{
    struct cald_vcpu *vcpu = vcpu_of(eng);
    uint32_t left = vcpu_take_mail(vcpu);
    if (left)
        atomic_fetch_or(&vcpu->mailbox, left); /* for the slow path, which looks again */
    return !left && !atomic_load_explicit(eng->attention, memory_order_relaxed);
}

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
    uint64_t offset = gpa - GUEST_PLIC_BASE;
    if (!vcpu->vm->has_plic)
        return aia_register(vcpu, gpa, access) || uart_hot(vcpu, gpa, access);
    if (offset >= GUEST_PLIC_SIZE)
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
