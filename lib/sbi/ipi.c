/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI IPI (2.0, chapter 7). Hot: see sbi.h. */
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"

static void show(struct cald_vcpu *vcpu)
{
    vcpu->fw_count[FW_IPI_RECEIVED]++;
    vcpu->eng.ops->irq(&vcpu->eng, GUEST_IRQ_SOFT, true);
}

/* Out of line: an IPI to oneself alone stays short. */
static __attribute__((noinline)) struct sbi_ret send(struct cald_vcpu *vcpu, uint64_t set)
{
    struct cald_vm *vm = vcpu->vm;
    uint64_t self = 1ULL << vcpu->id;
    if (set & self)
        show(vcpu);
    set &= ~self;
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
    vcpu->fw_count[FW_IPI_SENT]++;
    if (set != 1ULL << vcpu->id)
        return send(vcpu, set);
    show(vcpu);
    return (struct sbi_ret){SBI_SUCCESS, 0};
}
