/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists of physical memory, and where it lies in Caldarium's address space. Calculation alone:
 * nothing here touches the memory that it is about.
 */
#ifndef HOST_BARE_RAM_H
#define HOST_BARE_RAM_H

#include <stdbool.h>
#include <stdint.h>

/* Physical addresses have 56 bits in every mode of satp (privileged manual, "Sv39"). */
#define RAM_LIMIT (1UL << 56)

struct ram_range {
    uint64_t base, size;
};

/*
 * A run of physical memory, in whole GiB, at one distance from its virtual addresses. Between two
 * windows 1 GiB of addresses is left free, so that what is one run there is one in the machine.
 */
struct ram_window {
    uint64_t pa, va, size;
};

/* Cuts a range to the whole pages inside it, below RAM_LIMIT. True: there was something to cut. */
bool ram_clip(struct ram_range *range);

/* Puts whole-page ranges into order, joins those that touch or overlap, and drops empty ones.
 * Returns how many there are now. */
unsigned ram_tidy(struct ram_range *list, unsigned count);

/*
 * Lays tidy RAM into windows of [va, va + room), from the lowest on. What finds no room is cut off
 * the list. Returns the number of windows, as many as ranges at most; `count` is that of the ranges
 * left.
 */
unsigned ram_windows(struct ram_range *ram, unsigned *count, uint64_t va, uint64_t room,
                     struct ram_window *windows);

/*
 * The next run of whole pages in [*at, end), which are page-aligned, that no range of `used`
 * touches, into `run`; *at is its end then. False: there is none.
 */
bool ram_next_free(const struct ram_range *used, unsigned count, uint64_t *at, uint64_t end,
                   struct ram_range *run);

/*
 * The part of tidy RAM below the image that has to be taken for the firmware's. Firmware lies at
 * the start of the RAM that it loads us into. A tree that reserves the first page there knows what
 * of it is the firmware's; otherwise (RustSBI reserves nothing, and others may have put in nodes of
 * their own) all of it may be. Size 0: nothing.
 */
struct ram_range ram_firmware(const struct ram_range *ram, unsigned ram_count,
                              const struct ram_range *reserved, unsigned reserved_count,
                              uint64_t image);

#endif
