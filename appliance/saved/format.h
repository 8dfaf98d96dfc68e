/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The form of a saved VM, version 1. Little-endian, no pointers:
 *
 *   header   struct saved_header
 *   ranges   struct saved_range for each range of its RAM, as `memory` in the bundle has them
 *   items    struct saved_item: include/caldarium/caldarium.h; what the VM is comes first
 *   places   of each page: its guest-physical address, ascending in each range. All others are zero
 *   pages
 *
 * The last two begin at a multiple of a page from the start, and the whole ends at one.
 */
#ifndef APPLIANCE_SAVED_FORMAT_H
#define APPLIANCE_SAVED_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "appliance/config.h"

#define SAVED_MAGIC "CALDSAVE"
#define SAVED_VERSION 1
#define SAVED_PAGE 4096UL
#define SAVED_OF_VM UINT32_MAX
#define SAVED_MOST_ITEMS 1000000U

struct saved_header {
    char magic[8];
    uint32_t version, header_bytes;
    uint64_t bytes; /* all of it */
    uint64_t sum;   /* saved_sum() of all that follows this */
    uint32_t vcpus, ranges, items, reserved;
    uint64_t pages;
    char name[VM_NAME_MAX]; /* of the VM, for a person */
};
_Static_assert(sizeof(struct saved_header) == 88, "the format");
#define SAVED_SUMMED_FROM 32 /* where what follows the sum begins */

struct saved_range {
    uint64_t base, size;
};

struct saved_item {
    uint32_t vcpu; /* or SAVED_OF_VM */
    uint32_t item;
    uint64_t value;
};

/* Where the parts begin, by what the header says. */
struct saved_parts {
    uint64_t ranges, items, places, pages, end;
};

/* False: the numbers can't be, or are not those of `bytes`. */
bool saved_parts(const struct saved_header *header, struct saved_parts *parts);

/* Of `bytes`, a multiple of 8; `sum` is 0, or that of what is before. */
uint64_t saved_sum(uint64_t sum, const uint8_t *at, uint64_t bytes);

#endif
