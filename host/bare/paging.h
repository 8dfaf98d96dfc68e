/* SPDX-License-Identifier: BSD-2-Clause */
/* Caldarium's own page tables; layout.h has the map. */
#ifndef HOST_BARE_PAGING_H
#define HOST_BARE_PAGING_H

#include <stdbool.h>
#include <stdint.h>

/* Physical address of the image's first byte, and its length with bss. */
uint64_t image_pa(void);
uint64_t image_size(void);

/* Physical address of an object of the image (not of the heap: that is host_pa()). */
uint64_t image_object_pa(const void *object);

/*
 * Builds the real tables, RAM ranges as [base, size) pairs, moves the image to the top of RAM, and
 * switches this hart to them. The early tables, which map everything writable, are gone then, and
 * image_pa() is another: what was worked out with it has to be anew. Panics when there is no
 * memory.
 */
struct ram_range {
    uint64_t base, size;
};
void paging_init(const struct ram_range *ram, unsigned ranges);

/* satp for the other harts. */
uint64_t paging_satp(void);

/* Maps a device's registers, page-exact; returns the virtual address, or NULL: no memory or room.
 */
volatile void *paging_map_device(uint64_t pa, uint64_t bytes);

/* Maps a stack for hart number `index`; returns its top, or NULL. */
void *paging_map_stack(unsigned index);

#endif
