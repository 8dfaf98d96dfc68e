/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the board's IMSICs keep their interrupt files, and this hart's own supervisor-level file.
 * Source: RISC-V AIA specification 1.0, chapter 3; Linux' binding riscv,imsics.yaml. A hart's files
 * lie side by side, a page each: the supervisor's, then those of guests 1, 2, ...
 */
#ifndef DRIVERS_IMSIC_IMSIC_H
#define DRIVERS_IMSIC_IMSIC_H

#include <stdbool.h>
#include <stdint.h>

#define IMSIC_PAGE 4096UL
#define IMSIC_RANGES 16

/* The tree's node, as it is. */
struct imsic_layout {
    struct {
        uint64_t base, size;
    } range[IMSIC_RANGES];
    unsigned ranges;
    unsigned guest_bits, hart_bits, group_bits, group_shift;
    unsigned ids, guest_ids; /* identities 1..ids exist, in a guest's file 1..guest_ids */
};

/* False: the numbers make no sense. */
bool imsic_layout_check(const struct imsic_layout *layout);

/* Physical address of the file of the n-th hart in the node; 0: the ranges don't reach that far. */
uint64_t imsic_file_address(const struct imsic_layout *layout, unsigned n);

/* The hart index by which an APLIC names the hart that has its file there (4.9.1). */
unsigned imsic_hart_index(const struct imsic_layout *layout, uint64_t address);

#endif
