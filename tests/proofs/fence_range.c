/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a fence that is not carried out as a full one covers every page of its range, the last
 *   one with the last address too, in at most 65 pages, and no address twice
 * Bounds: none: any start and size
 * Assumes: the range doesn't wrap, as sbi_hot_rfence() asks for (proof rfence_arguments)
 * Sources: lib/engine/common/counter.c
 * Loops: 1
 */
#include "lib/engine/common/fence.h"
#include "tests/proofs/proof.h"

void proof(void)
{
    struct fence fence = {.kind = FENCE_VMA, .start = nondet_u64(), .size = nondet_u64()};
    uint64_t at = nondet_u64();
    assume(!fence.size || fence.size == UINT64_MAX || fence.start + fence.size - 1 >= fence.start);
    if (fence_is_full(&fence))
        return;
    uint64_t first = fence_first_page(&fence), count = fence_page_count(&fence);
    uint64_t last = fence.start + (fence.size ? fence.size - 1 : 0);
    holds(first % HOST_PAGE_SIZE == 0 && count >= 1 && count <= FENCE_PAGES + 1);
    if (at >= fence.start && at <= last)
        holds(at >= first && (at - first) / HOST_PAGE_SIZE < count);
    holds(first + (count - 1) * HOST_PAGE_SIZE >= first);
}
