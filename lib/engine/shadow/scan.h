/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Privileged instructions in a page of code. Pure functions on hostile bytes. Source of the
 * encodings: unprivileged manual, "Instruction Length Encoding", "RV32/64G Instruction Set
 * Listings", "C"; privileged manual, "CSR Address Mapping Conventions".
 */
#ifndef LIB_ENGINE_SHADOW_SCAN_H
#define LIB_ENGINE_SHADOW_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#define S_SCAN_HALVES 2048 /* of a page */

#define INSN_EBREAK 0x00100073u
#define INSN_C_EBREAK                                                                              \
    0x9002u /* what replaces: Caldarium's own code needs the C extension as well */

/* The instruction is one that S-mode may execute, and that traps in U-mode on our harts. */
bool s_scan_privileged(uint32_t insn);

/* Cheap: false, if there is none at any place of the page. Pages lie at multiples of 8. */
bool s_scan_possible(const uint16_t *code);

/*
 * Replaces them by ebreak in `code`, a copy of a page. An instruction starts at byte `known`, for
 * the hart fetched there. What lies behind an unconditional jump may be data: it counts as code if
 * all of it, up to the next jump, has encodings that exist. The last instruction is left alone
 * where it goes on in the next page. Returns how many were replaced.
 */
unsigned s_scan_replace(uint16_t *code, unsigned known);

/* Replaces the one at byte `at`. */
void s_scan_replace_one(uint16_t *code, unsigned at);

#endif
