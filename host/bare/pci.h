/* SPDX-License-Identifier: BSD-2-Clause */
/* The board's PCI functions: found, put in their places, given to VMs (appliance/device/pci.h shows
 * them to the guest). */
#ifndef HOST_BARE_PCI_H
#define HOST_BARE_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "appliance/device/passthrough.h"

/* Boot hart, once: finds the host bridges of the board's tree. Every function on their first buses
 * is silenced, so that none does DMA or interrupts before somebody owns it. */
void pci_init(void);

/* The functions' lines in the boot table. */
void pci_print(void);

/* The ECAM window of a host bridge begins there. */
bool pci_owns(uint64_t base);

/* A function that Caldarium drives itself, by its host bridge's node in the tree and its number on
 * the bus: its first BAR is given a place and mapped, memory and DMA are on. NULL: there is none.
 */
volatile void *pci_claim(int bridge_node, unsigned devfn, uint64_t bytes);

/* The host bridge's node and the requester id of a VM's function, for `iommu-map`. */
int pci_requester(const struct pci_function *function, uint32_t *id);

/* BARs and memory decoding on; DMA stays off until the guest turns it on. */
void pci_start(const struct passthrough *device);

/* DMA and interrupts off. What is still on its way when this returns, only an IOMMU's fence can
 * tell; false: it says itself that something is. */
bool pci_quiet(const struct passthrough *device);

/* Begins a reset, where the function can. */
bool pci_reset(const struct passthrough *device);

#endif
