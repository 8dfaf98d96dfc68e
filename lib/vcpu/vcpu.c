/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's life: reset, start, one turn of running. */
#include <string.h>

#include "lib/vcpu/exit.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/trace.h"
#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"
#include "host/host.h"

void vcpu_init(struct cald_vcpu *vcpu, struct cald_vm *vm, unsigned id)
{
    vcpu->vm = vm;
    vcpu->id = id;
    vcpu->eng.ops = vm->eng.ops;
    vcpu->eng.vm = &vm->eng;
    vcpu->eng.ops->vcpu_reset(&vcpu->eng, 0, 0, 0);
    memset(vcpu->eng.exits, 0, sizeof(vcpu->eng.exits));
    memset(vcpu->fw_count, 0, sizeof(vcpu->fw_count));
    vcpu->ticks_guest = vcpu->ticks_host = vcpu->ticks_idle = vcpu->asleep_since = 0;
    atomic_store(&vcpu->mode, VCPU_AWAY);
    atomic_store(&vcpu->mailbox, 0);
    atomic_store(&vcpu->maps_seen, 0);
    atomic_store(&vcpu->fence_from, 0);
    atomic_store(&vcpu->fence_waiting, 0);
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
    atomic_fetch_or(&vcpu->mailbox, MAIL_EXTERNAL);
}

void vcpu_run_once(struct cald_vcpu *vcpu)
{
    vcpu_enter_mode(vcpu, VCPU_GUEST);
    if (atomic_load(&vcpu->mailbox)) {
        vcpu_enter_mode(vcpu, VCPU_HOST);
        vcpu_take_mail(vcpu); /* what it leaves shows in the request and in the HSM state too */
        return;
    }
    struct exit exit;
    vcpu->entered = host_time();
    vcpu->eng.ops->run(&vcpu->eng, &exit);
    vcpu_enter_mode(vcpu, VCPU_HOST);
    uint64_t left = host_time();
    vcpu->ticks_guest += left - vcpu->entered;
    vcpu->entered = 0;
    struct trace_entry entry;
    bool traced = trace_on(vcpu);
    if (traced)
        entry = trace_describe(vcpu, &exit, left);
    exit_handle(vcpu, &exit);
    uint64_t end = host_time();
    vcpu->ticks_host += end - left;
    if (traced)
        trace_note(vcpu, &entry, end);
}
