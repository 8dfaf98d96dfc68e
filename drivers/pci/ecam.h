/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration space of a PCI bus through ECAM (PCI Express Base Specification 5.0, 7.2.2), and
 * what the driver of a whole function needs of it. Only the first bus of a host bridge is looked
 * at.
 */
#ifndef DRIVERS_PCI_ECAM_H
#define DRIVERS_PCI_ECAM_H

#include <stdbool.h>
#include <stdint.h>

#define ECAM_BUS_BYTES 0x100000UL
#define ECAM_FUNCTIONS 256 /* of a bus: device << 3 | function */

/* One function: `config` is its 4 KiB of the mapped window. */
static inline volatile uint8_t *ecam_function(volatile uint8_t *bus, unsigned devfn)
{
    return bus + ((uint64_t)devfn << 12);
}

bool ecam_present(volatile const uint8_t *config);

/* Offset of a capability in the first 256 bytes; 0: it has none of that kind. */
unsigned ecam_capability(volatile const uint8_t *config, unsigned kind);

/* The next one of that kind behind the one at `after`. */
unsigned ecam_next_capability(volatile const uint8_t *config, unsigned after, unsigned kind);

/* A BAR, with decoding off: its size and low four bits; 0: none, or one of I/O ports. Leaves it 0.
 */
uint64_t ecam_bar_size(volatile uint8_t *config, unsigned bar, uint8_t *flags);

void ecam_bar_set(volatile uint8_t *config, unsigned bar, uint64_t base, bool wide);

/* Starts a reset of the function alone, where it has PCI Express' FLR. It may take 100 ms (5.0,
 * 6.6.2), during which it must be left alone. False: it can't be reset. */
bool ecam_reset(volatile uint8_t *config);

/* It has sent requests that are not answered yet. */
bool ecam_busy(volatile const uint8_t *config);

#endif
