/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI SUSP (2.0, chapter 13): suspend to RAM, asked for by the last running hart. */
#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"

#define SUSPEND_TO_RAM 0

static bool others_stopped(const struct cald_vcpu *vcpu)
{
    for (unsigned n = 0; n < vcpu->vm->vcpu_count; n++) {
        if (n != vcpu->id && atomic_load(&vcpu->vm->vcpus[n].hsm) != SBI_HSM_STOPPED)
            return false;
    }
    return true;
}

static struct sbi_ret susp_handle(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                                  const uint64_t args[6])
{
    (void)extension;
    if (function)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    uint32_t type = (uint32_t)args[0];
    if (type != SUSPEND_TO_RAM) /* 0x80000000 and up: the platform's own, none here */
        return (struct sbi_ret){type >> 31 ? SBI_ERR_NOT_SUPPORTED : SBI_ERR_INVALID_PARAM, 0};
    if (args[1] & 1 || !cald_vm_is_ram(vcpu->vm, args[1], 2))
        return (struct sbi_ret){SBI_ERR_INVALID_ADDRESS, 0};
    if (!others_stopped(vcpu))
        return (struct sbi_ret){SBI_ERR_DENIED, 0};
    vcpu->why = CALD_SUSPEND;
    return sbi_hsm_suspend(vcpu, false, args[1], args[2]);
}

const struct sbi_extension sbi_susp = {CALD_SBI_SUSP, SBI_EXT_SUSP, SBI_EXT_SUSP, 1, susp_handle};
