/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SBI HSM (2.0, chapter 9): starting, stopping and suspending harts.
 *
 * A start is won by one caller (STOPPED to CLAIMED), who writes where to begin before the target
 * can see START_PENDING; the target's own hart does the rest when the mail wakes it.
 */
#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"

enum { HART_START, HART_STOP, HART_GET_STATUS, HART_SUSPEND };

/* The least a kernel can begin with is one instruction in RAM. */
static bool can_run_at(const struct cald_vm *vm, uint64_t pc)
{
    return !(pc & 1) && cald_vm_is_ram(vm, pc, 2);
}

static struct sbi_ret error(int64_t code)
{
    return (struct sbi_ret){code, 0};
}

static struct sbi_ret start(struct cald_vcpu *vcpu, uint64_t id, uint64_t pc, uint64_t opaque)
{
    struct cald_vm *vm = vcpu->vm;
    if (id >= vm->vcpu_count)
        return error(SBI_ERR_INVALID_PARAM);
    if (!can_run_at(vm, pc))
        return error(SBI_ERR_INVALID_ADDRESS);
    struct cald_vcpu *target = &vm->vcpus[id];
    uint32_t state = SBI_HSM_STOPPED;
    if (!atomic_compare_exchange_strong(&target->hsm, &state, HSM_START_CLAIMED))
        return error(SBI_ERR_ALREADY_AVAILABLE);
    target->start_pc = pc;
    target->start_opaque = opaque;
    atomic_store(&target->hsm, SBI_HSM_START_PENDING);
    vcpu_mail(target, MAIL_WAKE);
    return error(SBI_SUCCESS);
}

/* The last one to stop sees all the others' states. */
static bool all_stopped(const struct cald_vm *vm)
{
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        if (atomic_load(&vm->vcpus[n].hsm) != SBI_HSM_STOPPED)
            return false;
    }
    return true;
}

static struct sbi_ret stop(struct cald_vcpu *vcpu)
{
    vcpu_enter_mode(vcpu, VCPU_AWAY);
    atomic_store(&vcpu->hsm, SBI_HSM_STOPPED);
    if (all_stopped(vcpu->vm))
        vcpu_fault(vcpu, "it stopped its last hart: nobody is left who could start one");
    return error(SBI_NO_ANSWER);
}

static struct sbi_ret status(const struct cald_vcpu *vcpu, uint64_t id)
{
    if (id >= vcpu->vm->vcpu_count)
        return error(SBI_ERR_INVALID_PARAM);
    uint32_t state = atomic_load(&vcpu->vm->vcpus[id].hsm);
    if (state == HSM_START_CLAIMED)
        state = SBI_HSM_START_PENDING;
    return (struct sbi_ret){SBI_SUCCESS, state};
}

struct sbi_ret sbi_hsm_suspend(struct cald_vcpu *vcpu, bool retentive, uint64_t pc, uint64_t opaque)
{
    vcpu->suspend_retentive = retentive;
    vcpu->start_pc = pc;
    vcpu->start_opaque = opaque;
    atomic_store(&vcpu->hsm, SBI_HSM_SUSPENDED);
    return error(SBI_NO_ANSWER);
}

static struct sbi_ret suspend(struct cald_vcpu *vcpu, uint64_t type, uint64_t pc, uint64_t opaque)
{
    switch ((uint32_t)type) { /* the parameter is 32 bits wide */
    case SBI_HSM_SUSPEND_RETENTIVE:
        return sbi_hsm_suspend(vcpu, true, 0, 0);
    case SBI_HSM_SUSPEND_NON_RETENTIVE:
        if (!can_run_at(vcpu->vm, pc))
            return error(SBI_ERR_INVALID_ADDRESS);
        return sbi_hsm_suspend(vcpu, false, pc, opaque);
    }
    /* Platform-specific types exist (0x10000000..7fffffff, and the same with bit 31), but none
     * here; the rest is reserved. */
    bool platform = (uint32_t)type & 0x70000000;
    return error(platform ? SBI_ERR_NOT_SUPPORTED : SBI_ERR_INVALID_PARAM);
}

static struct sbi_ret hsm_handle(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                                 const uint64_t args[6])
{
    (void)extension;
    switch (function) {
    case HART_START:
        return start(vcpu, args[0], args[1], args[2]);
    case HART_STOP:
        return stop(vcpu);
    case HART_GET_STATUS:
        return status(vcpu, args[0]);
    case HART_SUSPEND:
        return suspend(vcpu, args[0], args[1], args[2]);
    default:
        return error(SBI_ERR_NOT_SUPPORTED);
    }
}

void sbi_hsm_reset(struct cald_vcpu *vcpu)
{
    atomic_store(&vcpu->hsm, SBI_HSM_STOPPED);
}

/* A hart that starts has no counter taken and no memory that is written for it: what an earlier
 * kernel asked for on it is not the next one's (kexec). */
void sbi_hsm_started(struct cald_vcpu *vcpu)
{
    sbi_pmu_reset(vcpu);
    sbi_pmu_back(vcpu);
    vcpu->sta_shmem = UINT64_MAX;
    vcpu_begin(vcpu, vcpu->start_pc, vcpu->start_opaque);
    atomic_store(&vcpu->hsm, SBI_HSM_STARTED);
}

void sbi_hsm_resume(struct cald_vcpu *vcpu)
{
    struct engine_vcpu *v = &vcpu->eng;
    if (vcpu->suspend_retentive) {
        engine_sbi_answer(v, SBI_SUCCESS, 0);
        v->pc += 4;
    } else {
        v->ops->vcpu_resume(v, vcpu->start_pc, vcpu->id, vcpu->start_opaque);
    }
    atomic_store(&vcpu->hsm, SBI_HSM_STARTED);
}

int sbi_hsm_get(const struct cald_vcpu *vcpu, uint32_t index, uint64_t *value)
{
    switch (index) {
    case CALD_HSM_STATE: /* no start is half done: its caller would be in the guest */
        *value = atomic_load(&vcpu->hsm);
        return CALD_OK;
    case CALD_HSM_PC:
        *value = vcpu->start_pc;
        return CALD_OK;
    case CALD_HSM_OPAQUE:
        *value = vcpu->start_opaque;
        return CALD_OK;
    case CALD_HSM_RETENTIVE:
        *value = vcpu->suspend_retentive;
        return CALD_OK;
    }
    return CALD_ENOENT;
}

int sbi_hsm_set(struct cald_vcpu *vcpu, uint32_t index, uint64_t value)
{
    switch (index) {
    case CALD_HSM_STATE:
        if (value != SBI_HSM_STARTED && value != SBI_HSM_STOPPED &&
            value != SBI_HSM_START_PENDING && value != SBI_HSM_SUSPENDED)
            return CALD_EINVAL;
        atomic_store(&vcpu->hsm, (uint32_t)value);
        return CALD_OK;
    case CALD_HSM_PC:
        vcpu->start_pc = value & ~1UL;
        return CALD_OK;
    case CALD_HSM_OPAQUE:
        vcpu->start_opaque = value;
        return CALD_OK;
    case CALD_HSM_RETENTIVE:
        if (value > 1)
            return CALD_EINVAL;
        vcpu->suspend_retentive = value;
        return CALD_OK;
    }
    return CALD_ENOENT;
}

const struct sbi_extension sbi_hsm = {CALD_SBI_HSM, SBI_EXT_HSM, SBI_EXT_HSM, 4, hsm_handle};
