/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI SRST (2.0, chapter 10): the guest's way to power off and reboot. */
#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"

static struct sbi_ret srst_handle(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                                  const uint64_t args[6])
{
    (void)extension;
    uint32_t type = (uint32_t)args[0], reason = (uint32_t)args[1];
    if (function)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    /* Reasons from 0xe0000000 on are the implementation's and the platform's own: none here. */
    if (type > SBI_SRST_WARM_REBOOT || reason > SBI_SRST_REASON_SYSTEM_FAILURE)
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    if (reason == SBI_SRST_REASON_SYSTEM_FAILURE && type == SBI_SRST_SHUTDOWN)
        vcpu_fault(vcpu, "the guest reports a system failure and powers off");
    else
        vcpu->why = type == SBI_SRST_SHUTDOWN ? CALD_OFF : CALD_RESET;
    vcpu->pending.type = type;
    return (struct sbi_ret){SBI_NO_ANSWER, 0};
}

const struct sbi_extension sbi_srst = {CALD_SBI_SRST, SBI_EXT_SRST, SBI_EXT_SRST, 1, srst_handle};
