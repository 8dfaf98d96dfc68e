/* SPDX-License-Identifier: BSD-2-Clause */
/* Caldarium's own page tables; layout.h has the map. */
#ifndef HOST_BARE_PAGING_H
#define HOST_BARE_PAGING_H

#include <stdbool.h>
#include <stdint.h>

#include "host/bare/ram.h"

/* Physical address of the image's first byte, and its length with bss. */
uint64_t image_pa(void);
uint64_t image_size(void);

/* Physical address of an object of the image (not of the heap: that is host_pa()). */
uint64_t image_object_pa(const void *object);

/*
 * Until paging_reach(), host_va() leads to the board's tree alone, and 1 GiB from there. Then it
 * leads to tidy RAM (ram.h): cuts off the list what it can't reach, with one line. The early tables
 * map all of it writable.
 */
void paging_reach(struct ram_range *ram, unsigned *count);

/*
 * Builds the real tables, moves the image to the top of RAM, and switches this hart to them. They
 * have RAM without what is `used`, and the board's tree and the bundle where they were found, to
 * read. image_pa() is another then: what was worked out with it has to be anew. Panics when there
 * is no memory.
 */
struct paging_map {
    const struct ram_range *ram, *used;
    unsigned ram_count, used_count;
    struct ram_range tree, bundle; /* size 0: there is none */
};
void paging_init(const struct paging_map *what);

/* start.S, before the MMU is on: tables for an image loaded at `pa`, in the largest mode that this
 * hart has, and the image's pointers as they are there. */
struct early {
    uint64_t satp, image_va;
};
struct early early_tables(uint64_t pa, uint64_t tree);

/* The bundle's first byte. NULL: there is none, or it is larger than Caldarium maps, which was
 * said. */
const void *paging_bundle(void);

/* All is behind one entry of a root with 4 levels or more, out of a guest's reach. */
bool paging_apart(void);

/* Where caldarium.elf has what the image has at `va`: it is linked for Sv39 and may lie lower. */
uint64_t paging_linked(uint64_t va);

/* satp for the other harts. */
uint64_t paging_satp(void);

/* Maps a device's registers, page-exact; returns the virtual address, or NULL: no memory or room.
 */
volatile void *paging_map_device(uint64_t pa, uint64_t bytes);

/* Maps a stack for hart number `index`; returns its top, or NULL. */
void *paging_map_stack(unsigned index);
/* Which of them the address is in; of others, a number that no stack has. */
uint64_t paging_stack_index(const void *inside);

#endif
