/* SPDX-License-Identifier: BSD-2-Clause */
/* Which pages a fence concerns, for every engine. */
#ifndef LIB_ENGINE_COMMON_FENCE_H
#define LIB_ENGINE_COMMON_FENCE_H

#include "lib/engine/engine.h"
#include "host/host.h"

/* Above so many pages a full fence is the cheaper one. */
#define FENCE_PAGES 64

/* Whether it concerns all addresses, or so many that it may. SBI RFENCE: start and size 0, or size
 * UINT64_MAX, are all. */
static inline bool fence_is_full(const struct fence *fence)
{
    return fence->size == UINT64_MAX || (!fence->start && !fence->size) ||
           fence->size > FENCE_PAGES * HOST_PAGE_SIZE;
}

static inline uint64_t fence_first_page(const struct fence *fence)
{
    return fence->start & ~(HOST_PAGE_SIZE - 1);
}

/* How many, from the first one on; of one that is not full. The range may end with the last
 * address. */
static inline uint64_t fence_page_count(const struct fence *fence)
{
    uint64_t last = fence->start + (fence->size ? fence->size - 1 : 0);
    return (last - fence_first_page(fence)) / HOST_PAGE_SIZE + 1;
}

#endif
