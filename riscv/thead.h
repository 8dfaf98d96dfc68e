/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What T-Head's C906, C910, C920 and their like have beside the manuals. Source: T-Head's extension
 * specification, "XTheadSxstatus" and "MAEE"; Linux, arch/riscv/errata/thead.
 */
#ifndef RISCV_THEAD_H
#define RISCV_THEAD_H

#include <stdint.h>

#define THEAD_VENDOR_ID 0x5b7 /* mvendorid */
#define CSR_TH_SXSTATUS 0x5c0
#define TH_SXSTATUS_MAEE (1UL << 21)

/* While MAEE is set, each leaf of the page tables says how its memory behaves; in others' tables,
 * and without MAEE, these bits are reserved. */
#define TH_PTE_STRONG_ORDER (1UL << 63)
#define TH_PTE_CACHEABLE (1UL << 62)
#define TH_PTE_BUFFERABLE (1UL << 61)
#define TH_PTE_SHAREABLE (1UL << 60)

/* What leaves have besides their permissions, by what they lead to. */
struct page_attributes {
    uint64_t memory, device;
};

/* `sxstatus`: that CSR, or 0 where it can't be read. */
static inline struct page_attributes thead_page_attributes(uint64_t vendor, uint64_t sxstatus)
{
    if (vendor != THEAD_VENDOR_ID || !(sxstatus & TH_SXSTATUS_MAEE))
        return (struct page_attributes){0};
    return (struct page_attributes){TH_PTE_CACHEABLE | TH_PTE_BUFFERABLE | TH_PTE_SHAREABLE,
                                    TH_PTE_STRONG_ORDER | TH_PTE_SHAREABLE};
}

#endif
