/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's life: reset, start, on a hart and off it. */
#include <string.h>

#include "lib/machine/machine.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"

/* Of a host that has not said where it writes down that it wants the hart. */
static const _Atomic bool nobody_waits;

void vcpu_init(struct cald_vcpu *vcpu, struct cald_vm *vm, unsigned id)
{
    vcpu->vm = vm;
    vcpu->id = id;
    vcpu->eng.ops = vm->eng.ops;
    vcpu->eng.vm = &vm->eng;
    vcpu->eng.ops->vcpu_reset(&vcpu->eng, 0, 0, 0);
    vcpu->leaves = !machine_has(vm->eng.machine, CALD_MACHINE_KICKS_ARE_OURS);
    vcpu->eng.kick_irq = vcpu->leaves ? ENGINE_NO_IRQ : GUEST_IRQ_SOFT;
    if (!vcpu->eng.attention)
        vcpu->eng.attention = &nobody_waits;
    memset(vcpu->eng.exits, 0, sizeof(vcpu->eng.exits));
    memset(vcpu->fw_count, 0, sizeof(vcpu->fw_count));
    vcpu->ticks_guest = vcpu->ticks_host = 0;
    pending_drop(&vcpu->pending);
    atomic_store(&vcpu->mode, VCPU_AWAY);
    atomic_store(&vcpu->mailbox, 0);
    atomic_store(&vcpu->maps_seen, 0);
    atomic_store(&vcpu->forgets_seen, 0);
    vcpu->eng.absent = false;
    atomic_store(&vcpu->fence_from, 0);
    atomic_store(&vcpu->fence_waiting, 0);
    atomic_store(&vcpu->lines_changed, 0);
    sbi_hsm_reset(vcpu);
    sbi_pmu_reset(vcpu);
    sbi_sta_reset(vcpu);
}

void vcpu_load(struct cald_vcpu *vcpu)
{
    vcpu->eng.ops->load(&vcpu->eng);
    vm_irq_load(vcpu);
}

void vcpu_put(struct cald_vcpu *vcpu)
{
    vm_irq_put(vcpu);
    vcpu->eng.ops->put(&vcpu->eng);
}

void vcpu_begin(struct cald_vcpu *vcpu, uint64_t pc, uint64_t opaque)
{
    if (vcpu->eng.loaded)
        vcpu_put(vcpu);
    vcpu->eng.ops->vcpu_reset(&vcpu->eng, pc, vcpu->id, opaque);
    vcpu_load(vcpu); /* flushes what this hart remembers of the vCPU's earlier life */
    /* A line that is high stays high across a start: show it again. */
    atomic_fetch_or(&vcpu->lines_changed, atomic_load(&vcpu->lines));
    atomic_fetch_or(&vcpu->mailbox, MAIL_EXTERNAL | MAIL_LINES);
}
