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
 * that is AWAY or BLOCKED runs no guest code: it is left a full flush to do before it runs
 * again, and nobody waits for it.
 */
#include "caldarium/caldarium.h"
#include "caldarium/devices.h"
#include "lib/engine/hot.h"
#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"
#include "host/host.h"

/* Has release semantics: whoever takes the bits sees what was written before this. The read of the
 * mode can't move before the write of the bits. */
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
    else if (mode == VCPU_BLOCKED && bits & ~(MAIL_FENCE | MAIL_REMAP | MAIL_FORGET | MAIL_TABLES))
        host_wake(to);
}

/* Whoever set the bit before may have done so for a vCPU that its host keeps from running, and
 * which never takes its mail: the host is always told. */
void cald_vcpu_request(struct cald_vcpu *vcpu)
{
    atomic_fetch_or(&vcpu->mailbox, MAIL_CONTROL);
    host_wake(vcpu);
}

/* The level before the note that it has changed: whoever takes the note sees this level, or a later
 * one. */
int cald_vcpu_irq(struct cald_vcpu *vcpu, uint32_t irq, bool level)
{
    uint32_t bit = 1u << (irq & 31);
    if (irq != GUEST_IRQ_SOFT && irq != GUEST_IRQ_TIMER && irq != GUEST_IRQ_EXTERNAL)
        return CALD_EINVAL;
    if (irq == GUEST_IRQ_EXTERNAL && vcpu->vm->irqchip != CALD_IRQCHIP_NONE)
        return CALD_ENOTSUP;
    if (level)
        atomic_fetch_or(&vcpu->lines, bit);
    else
        atomic_fetch_and(&vcpu->lines, ~bit);
    atomic_fetch_or(&vcpu->lines_changed, bit);
    vcpu_mail(vcpu, MAIL_LINES);
    return CALD_OK;
}

static void show_lines(struct cald_vcpu *vcpu)
{
    uint32_t changed = atomic_exchange(&vcpu->lines_changed, 0);
    uint32_t lines = atomic_load(&vcpu->lines);
    for (; changed; changed &= changed - 1) {
        enum guest_irq irq = (enum guest_irq)__builtin_ctz(changed);
        vcpu->eng.ops->irq(&vcpu->eng, irq, lines >> irq & 1);
    }
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
    if (imsic_line(&vcpu->imsic))
        atomic_fetch_or(&vcpu->mailbox, MAIL_EXTERNAL);
}

void cald_vcpu_forget(struct cald_vcpu *vcpu)
{
    vcpu_mail(vcpu, MAIL_REMAP);
}

/* The mode is read first. One that is seen outside of the guest takes its mail, MAIL_REMAP with it,
 * before it runs the guest again. */
bool cald_vcpu_has_forgotten(const struct cald_vcpu *vcpu, uint64_t maps)
{
    return atomic_load(&vcpu->mode) != VCPU_GUEST || atomic_load(&vcpu->maps_seen) >= maps;
}

/* A full barrier: later reads of the mailbox can't move before it, nor what the vCPU did in its
 * last mode after it. */
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

/* Carries out what others asked of this vCPU. The exchange has acquire semantics: a sender's
 * `fence` is read after the sender has written it. The answer has release semantics: the fence is
 * done before its sender sees so. */
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

/* What the sender wrote before, its page tables above all, is seen by every vCPU in the mask that
 * runs guest code after this has returned. */
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
    if (mask >> self->id & 1)
        self->eng.ops->fence(&self->eng, fence);
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
            atomic_fetch_or(&to->mailbox,
                            fence->kind > FENCE_ALL ? MAIL_FLUSH | MAIL_TABLES : MAIL_FLUSH);
            if (atomic_fetch_and(&to->fence_from, ~(1ULL << self->id)) >> self->id & 1)
                atomic_fetch_and(&self->fence_waiting, ~(1ULL << id));
        }
        if (atomic_load_explicit(&self->fence_from, memory_order_relaxed))
            serve_fences(self);
    }
}

/* Who waits has counted before it sent the mail: the count that is read here is no older. */
static void forget(struct cald_vcpu *vcpu)
{
    uint64_t forgets = atomic_load(&vcpu->vm->eng.memory.forgets);
    vcpu->eng.ops->forget(&vcpu->eng);
    atomic_store(&vcpu->forgets_seen, forgets);
}

/* Has acquire semantics: what a sender wrote before its bits is read after this. */
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
    if (bits & MAIL_LINES)
        show_lines(vcpu);
    if (bits & MAIL_TIMER)
        ops->timer_check(&vcpu->eng);
    if (bits & MAIL_REMAP)
        atomic_store(&vcpu->maps_seen, ops->window_flush(&vcpu->eng));
    if (bits & MAIL_FORGET)
        forget(vcpu);
    if (bits & MAIL_FLUSH) {
        ops->fence(&vcpu->eng, &(struct fence){.kind = FENCE_I});
        ops->fence(&vcpu->eng, &(struct fence){.kind = FENCE_ALL});
    }
    if (bits & MAIL_TABLES)
        ops->fence(&vcpu->eng, &(struct fence){.kind = FENCE_TABLES});
    if (bits & MAIL_FENCE)
        serve_fences(vcpu);
    return bits & (MAIL_WAKE | MAIL_CONTROL);
}

void hot_fence(struct engine_vcpu *eng, const struct fence *fence)
{
    struct cald_vcpu *vcpu = vcpu_of(eng);
    vcpu_fence_others(vcpu, UINT64_MAX >> (64 - vcpu->vm->vcpu_count), fence);
}

/* `left` goes back without a look at the mode: this vCPU leaves the guest now, and looks again. */
bool hot_mail(struct engine_vcpu *eng)
{
    struct cald_vcpu *vcpu = vcpu_of(eng);
    uint32_t left = vcpu_take_mail(vcpu);
    if (left)
        atomic_fetch_or(&vcpu->mailbox, left); /* for the slow path, which looks again */
    return !left && !atomic_load_explicit(eng->attention, memory_order_relaxed);
}
