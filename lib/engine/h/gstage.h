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

/* The same with leaves that have no more than `mask` of PTE_*. */
int gstage_map_as(struct gstage *table, uint64_t gpa, uint64_t pa, uint64_t size, uint64_t mask);

/*
 * The table down to single pages of [gpa, gpa+size), so that gstage_page() needs no memory; larger
 * pages there are split, and translate all the while as before. 0, or -1: out of memory, with a
 * part done.
 */
int gstage_split(struct gstage *stage, uint64_t gpa, uint64_t size);

/* A single page: its leaf, in a part that was split. */
void gstage_page(struct gstage *stage, uint64_t gpa, uint64_t pa, uint64_t mask);

/* A leaf around gpa that gstage_map_as() made of [first, first+size) and pa, and that went since.
 */
void gstage_again(struct gstage *stage, uint64_t gpa, uint64_t first, uint64_t size, uint64_t pa,
                  uint64_t mask);

/*
 * Takes [gpa, gpa+size) away, or has stores there fault. A larger page of which only a part is
 * meant goes as a whole. Harts and IOMMUs may remember it until they are told: an IOMMU isn't,
 * here, so what its devices reach has to stay.
 */
void gstage_unmap(struct gstage *stage, uint64_t gpa, uint64_t size);
void gstage_protect(struct gstage *stage, uint64_t gpa, uint64_t size);

/* Gives everything back; nothing translates by it any more. */
void gstage_fini(struct gstage *stage);

/* MODE and PPN as hgatp and iohgatp have them, VMID or GSCID 0. */
uint64_t gstage_atp(const struct gstage *table);

#endif
