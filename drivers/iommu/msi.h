/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entries of an MSI page table, 16 bytes each: where a message for an interrupt file goes. Sources:
 * RISC-V IOMMU specification 1.0, "MSI page tables"; AIA specification 1.0, "MSI page table
 * entries".
 *
 * The second half only matters in the mode for files in memory and is free for software otherwise,
 * so it is written once: an entry changes by one store, and no message falls in between.
 */
#ifndef DRIVERS_IOMMU_MSI_H
#define DRIVERS_IOMMU_MSI_H

#include <stdint.h>

#define IOMMU_MSI_ENTRY_WORDS 2
#define IOMMU_MRIF_BYTES                                                                           \
    512 /* a file in memory: 32 pairs of pending and enable bits, aligned so                       \
         */
#define IOMMU_MRIF_PAIRS 32

/* To the page of a hart's interrupt file. */
static inline uint64_t iommu_msi_file(uint64_t page_pa)
{
    return page_pa >> 12 << 10 | 3 << 1 | 1;
}

/* To an interrupt file in memory: pending bits are set there, and a notice is sent. */
static inline uint64_t iommu_msi_memory(uint64_t mrif_pa)
{
    return mrif_pa >> 9 << 7 | 1 << 1 | 1;
}

/* The second half: the notice is `id`, written to the page at `page_pa`. */
static inline uint64_t iommu_msi_notice(uint64_t page_pa, uint32_t id)
{
    return (uint64_t)(id >> 10 & 1) << 60 | page_pa >> 12 << 10 | (id & 0x3ff);
}

#endif
