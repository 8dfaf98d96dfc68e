/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI IPI (2.0, chapter 7). Hot: see sbi.h. */
#include "core/sbi/sbi.h"
#include "core/vm.h"
#include "host/host.h"

/* Out of line: an IPI to oneself stays short. */
static __attribute__((noinline)) void send(struct vm *vm, uint64_t set)
{
    bool many = set & (set - 1);
    if (many)
        host_kicks_begin();
    for (; set; set &= set - 1)
        vcpu_mail(&vm->vcpus[__builtin_ctzll(set)], MAIL_SOFT);
    if (many)
        host_kicks_end();
}

struct sbi_ret sbi_hot_ipi(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                           uint64_t a5, uint64_t function, struct vcpu *vcpu)
{
    (void)a2, (void)a3, (void)a4, (void)a5;
    uint64_t set;
    if (function)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (!sbi_hart_mask(vcpu, a0, a1, &set))
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    vcpu->eng.exits[EXIT_HOT_SBI_IPI]++;
    vcpu->fw_count[FW_IPI_SENT]++;
    uint64_t self = 1ULL << vcpu->id;
    if (set & self) {
        vcpu->fw_count[FW_IPI_RECEIVED]++;
        vcpu->eng.ops->irq(&vcpu->eng, GUEST_IRQ_SOFT, true);
    }
    set &= ~self;
    if (set)
        send(vcpu->vm, set);
    return (struct sbi_ret){SBI_SUCCESS, 0};
}
