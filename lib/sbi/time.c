/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI TIME (2.0, chapter 6). Hot: see sbi.h. */
#include "lib/sbi/sbi.h"

struct sbi_ret sbi_timer_set(struct cald_vcpu *vcpu, uint64_t time)
{
    vcpu->eng.exits[EXIT_HOT_SBI_TIME]++; /* SBI PMU's set-timer event too */
    return vcpu->eng.ops->set_timer(&vcpu->eng, time);
}

struct sbi_ret sbi_hot_time(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                            uint64_t a5, uint64_t function, struct cald_vcpu *vcpu)
{
    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    if (function)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    return sbi_timer_set(vcpu, a0);
}
