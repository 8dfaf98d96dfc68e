/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second-stage table: guest-physical to host-physical. Its maker says how many levels it has, so
 * that the same code serves harts (hgatp) and IOMMUs (iohgatp), which share tables where both have
 * the mode. Needs no H extension.
 */
#ifndef LIB_ENGINE_H_GSTAGE_H
#define LIB_ENGINE_H_GSTAGE_H

#include <stdint.h>

struct gstage {
    uint64_t *root;  /* 16 KiB: two more address bits than Svnn (Svnnx4); NULL: there is none */
    uint64_t pages;  /* taken for it */
    unsigned levels; /* 3, 4, 5: Sv39x4, Sv48x4, Sv57x4 */
};

/*
 * The fewest levels that reach all guest-physical addresses below `end`: a TLB miss costs a walk of
 * the second stage for each level of the guest's own tables, so each level counts. `modes`: bit n
 * is set where there is a mode of n levels. 0: none of them reaches so far.
 */
unsigned gstage_levels(uint64_t end, unsigned modes);

/* An empty table. 0, or -1: out of memory. */
int gstage_init(struct gstage *table, unsigned levels);

/* Maps [gpa, gpa+size) to pa, all page-aligned, with the largest pages that fit. 0, or -1: out of
 * memory, with a part mapped. */
int gstage_map(struct gstage *table, uint64_t gpa, uint64_t pa, uint64_t size);

/* The same, for loads alone. */
int gstage_map_read_only(struct gstage *table, uint64_t gpa, uint64_t pa, uint64_t size);

/* Gives everything back; nothing translates by it any more. */
void gstage_fini(struct gstage *stage);

/* MODE and PPN as hgatp and iohgatp have them, VMID or GSCID 0. */
uint64_t gstage_atp(const struct gstage *table);

#endif
