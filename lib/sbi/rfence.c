/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI RFENCE (2.0, chapter 8). Hot: see sbi.h. A guest has no hypervisor extension, so the hfence
 * calls (functions 3 to 6) are not there. */
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"

enum { REMOTE_FENCE_I, REMOTE_SFENCE_VMA, REMOTE_SFENCE_VMA_ASID };

struct sbi_ret sbi_hot_rfence(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t function, struct cald_vcpu *vcpu)
{
    (void)a5;
    uint64_t set;
    struct fence fence = {.kind = (enum fence_kind)function, .start = a2, .size = a3, .asid = a4};
    if (function > REMOTE_SFENCE_VMA_ASID)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (!sbi_hart_mask(vcpu, a0, a1, &set))
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    /* A range may end where the addresses do. */
    if (function != REMOTE_FENCE_I && a3 && a3 != UINT64_MAX && a2 + a3 - 1 < a2)
        return (struct sbi_ret){SBI_ERR_INVALID_ADDRESS, 0};
    vcpu->eng.exits[EXIT_HOT_SBI_RFENCE]++;
    vcpu->fw_count[FW_FENCE_I_SENT + 2 * function]++; /* each sent is followed by its received */
    if (set == 1ULL << vcpu->id)
        vcpu->eng.ops->fence(&vcpu->eng, &fence);
    else if (set)
        vcpu_fence_others(vcpu, set, &fence);
    return (struct sbi_ret){SBI_SUCCESS, 0};
}
