/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI RFENCE (2.0, chapter 8). Hot: see sbi.h. A guest has no hypervisor extension, so the hfence
 * calls (functions 3 to 6) are not there. */
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"

enum { REMOTE_FENCE_I, REMOTE_SFENCE_VMA, REMOTE_SFENCE_VMA_ASID, REMOTE_FUNCTIONS };

static const uint8_t kind_of[REMOTE_FUNCTIONS] = {
    [REMOTE_FENCE_I] = FENCE_I,
    [REMOTE_SFENCE_VMA] = FENCE_VMA,
    [REMOTE_SFENCE_VMA_ASID] = FENCE_VMA_ASID,
};

static const uint8_t sent_event[] = {
    [FENCE_I] = FW_FENCE_I_SENT,
    [FENCE_VMA] = FW_SFENCE_VMA_SENT,
    [FENCE_VMA_ASID] = FW_SFENCE_VMA_ASID_SENT,
};

/* The PMU's events are requests to other harts, and from them (2.0, section 11.4): a fence of the
 * caller's own is neither. */
static inline struct sbi_ret fence_set(struct cald_vcpu *vcpu, uint64_t set,
                                       const struct fence *fence)
{
    /* A range may end where the addresses do. */
    if (fence->kind != FENCE_I && fence->size && fence->size != UINT64_MAX &&
        fence->start + fence->size - 1 < fence->start)
        return (struct sbi_ret){SBI_ERR_INVALID_ADDRESS, 0};
    if (set == 1ULL << vcpu->id) {
        vcpu->eng.ops->fence(&vcpu->eng, fence);
    } else if (set) {
        vcpu->fw_count[sent_event[fence->kind]]++;
        vcpu_fence_others(vcpu, set, fence);
    }
    return (struct sbi_ret){SBI_SUCCESS, 0};
}

struct sbi_ret sbi_fence_set(struct cald_vcpu *vcpu, uint64_t set, const struct fence *fence)
{
    return fence_set(vcpu, set, fence);
}

struct sbi_ret sbi_hot_rfence(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t function, struct cald_vcpu *vcpu)
{
    (void)a5;
    uint64_t set;
    if (function >= REMOTE_FUNCTIONS)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (!sbi_hart_mask(vcpu, a0, a1, &set))
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    vcpu->eng.exits[EXIT_HOT_SBI_RFENCE]++;
    return fence_set(
        vcpu, set, &(struct fence){.kind = kind_of[function], .start = a2, .size = a3, .asid = a4});
}
