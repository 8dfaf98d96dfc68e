/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One S-level interrupt domain of the board's advanced platform-level interrupt controller, for
 * Caldarium's own interrupts. (The guest's is lib/irq/aplic.h.) Source: RISC-V AIA specification
 * 1.0, chapter 4. The domain delivers either straight to harts, through an IDC (interrupt delivery
 * control) structure each, or as MSIs to their IMSICs. Only one hart at a time may set up; claim
 * belongs to the IDC's own hart; masking and retriggering are single stores of any hart.
 */
#ifndef DRIVERS_APLIC_APLIC_H
#define DRIVERS_APLIC_APLIC_H

#include <stdbool.h>
#include <stdint.h>

/* How a wire tells: the numbers of the device tree's second interrupt cell. */
#define APLIC_RISING 1u
#define APLIC_FALLING 2u
#define APLIC_HIGH 4u
#define APLIC_LOW 8u

struct aplic_hw {
    volatile uint8_t *base; /* mapped registers */
    unsigned sources;       /* "riscv,num-sources": ids 1..sources exist */
    unsigned idcs;          /* that fit; 0 where MSIs are delivered */
};

/* Nothing enabled, delivery on. `bytes` is the length in "reg", `sources` "riscv,num-sources".
 * False: the numbers make no sense, or the domain doesn't deliver that way. */
bool aplic_hw_init(struct aplic_hw *aplic, volatile void *base, uint64_t bytes, unsigned sources,
                   bool msi);

/* Lets everything that is aimed at this IDC through. False: there is no such IDC. */
bool aplic_hw_idc_init(const struct aplic_hw *aplic, unsigned idc);

/* What `target` of a source holds (4.5.16): the hart's index, and a priority or an identity. */
uint32_t aplic_hw_target(unsigned hart_index, unsigned guest_index, unsigned low);

/* Source 1..sources comes by a wire of that kind and goes to `target`. False: no such source. */
bool aplic_hw_enable(const struct aplic_hw *aplic, unsigned source, unsigned type, uint32_t target);

/* The source can't interrupt, or can again; what its wire does meanwhile isn't lost. */
void aplic_hw_mask(const struct aplic_hw *aplic, unsigned source);
void aplic_hw_unmask(const struct aplic_hw *aplic, unsigned source);

/* Takes the highest pending source of the IDC; 0 if there is none (any more). */
unsigned aplic_hw_claim(const struct aplic_hw *aplic, unsigned idc);

/* With MSI delivery a level is told of once; if it still holds, it is told of again (4.9.2). */
void aplic_hw_retrigger(const struct aplic_hw *aplic, unsigned source);

#endif
