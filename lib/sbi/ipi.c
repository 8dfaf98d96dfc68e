/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI IPI (2.0, chapter 7). Hot: see sbi.h. */
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"

/* Out of line: an IPI to oneself alone stays short. The PMU's events are IPIs to other harts, and
 * from them (2.0, section 11.4). */
__attribute__((noinline)) struct sbi_ret sbi_ipi_set(struct cald_vcpu *vcpu, uint64_t set)
{
    struct cald_vm *vm = vcpu->vm;
    uint64_t self = 1ULL << vcpu->id;
    if (set & self)
        vcpu->eng.ops->irq(&vcpu->eng, GUEST_IRQ_SOFT, true);
    set &= ~self;
    vcpu->fw_count[FW_IPI_SENT] += set != 0;
    bool many = set & (set - 1);
    if (many)
        host_kicks_begin();
    for (; set; set &= set - 1)
        vcpu_mail(&vm->vcpus[__builtin_ctzll(set)], MAIL_SOFT);
    if (many)
        host_kicks_end();
    return (struct sbi_ret){SBI_SUCCESS, 0};
}

struct sbi_ret sbi_hot_ipi(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                           uint64_t a5, uint64_t function, struct cald_vcpu *vcpu)
{
    (void)a2, (void)a3, (void)a4, (void)a5;
    uint64_t set;
    if (function)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (!sbi_hart_mask(vcpu, a0, a1, &set))
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    vcpu->eng.exits[EXIT_HOT_SBI_IPI]++;
    if (set != 1ULL << vcpu->id)
        return sbi_ipi_set(vcpu, set);
    vcpu->eng.ops->irq(&vcpu->eng, GUEST_IRQ_SOFT, true);
    return (struct sbi_ret){SBI_SUCCESS, 0};
}
