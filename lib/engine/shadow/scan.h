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

/* The page's last half may be the first one of such an instruction, by its opcode. */
bool s_scan_may_go_on(const uint16_t *code);

/* Cheap: false, if there is none at any place of the page. `behind`: the half that follows the
 * page, which says what an instruction is that goes on there; 0 where nothing is known of it. Pages
 * lie at multiples of 8. */
bool s_scan_possible(const uint16_t *code, uint16_t behind);

/*
 * Replaces them by ebreak in `code`, a copy of a page. An instruction starts at byte `known`, for
 * the hart fetched there. What lies behind an unconditional jump may be data: it counts as code
 * where it has encodings that exist. `behind` as above. Returns how many were replaced.
 */
unsigned s_scan_replace(uint16_t *code, unsigned known, uint16_t behind);

/* Replaces the one at byte `at`. */
void s_scan_replace_one(uint16_t *code, unsigned at);

#endif
