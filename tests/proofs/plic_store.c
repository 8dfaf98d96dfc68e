/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a store of the guest's at any offset and of any width touches no memory but the PLIC's,
 *   and leaves it a state with no bit of a source that isn't there, and priorities and thresholds
 *   within their range; machine mode's enable registers stay zero
 * Bounds: 2 contexts, 5 sources; any state of these; one store
 * Assumes: one hart at a time
 * Sources: lib/irq/plic.c
 * Loops: 6 claim.0:3 best_source.1:2 asks.0:2 report.0:3 plic_any.1:3
 */
#include "tests/proofs/plic.h"

void proof(void)
{
    plic_any();
    uint32_t offset = nondet_u32();
    unsigned width = nondet_u8();
    uint64_t value = nondet_u64();
    assume(width == 1 || width == 2 || width == 4 || width == 8);
    plic_write(&plic, offset, width, value);
    plic_holds();
}
