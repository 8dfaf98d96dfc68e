/* SPDX-License-Identifier: BSD-2-Clause */
/* The board's IOMMUs: which devices are behind them, and what each VM's devices may reach. */
#ifndef HOST_BARE_IOMMU_H
#define HOST_BARE_IOMMU_H

#include <stdbool.h>

#include "appliance/device/passthrough.h"
#include "drivers/iommu/iommu.h"

struct vm;

/* Boot hart, once, after pci_init(): finds and starts them. All devices behind them are blocked. */
void iommu_init(void);

/* Their lines in the boot table. */
void iommu_print(void);

/* An IOMMU's registers begin there. */
bool iommu_owns(uint64_t base);

/* On the console's hart: lets them interrupt there. */
void iommu_begin(void);

/* Tells the console of faults. True: to be called again soon, since one doesn't interrupt or has
 * been kept from it for a while. On the console's hart. */
bool iommu_poll(void);

/* Finds the IOMMU that a device is behind, and makes room for it there. Boot hart, once a device.
 */
void iommu_adopt(struct passthrough *device);

/* The device reaches its VM's memory and nothing else; false after one line. */
bool iommu_start(struct vm *vm, const struct passthrough *device);

/* The device reaches nothing, and nothing that it sent is on its way any more; false: the IOMMU
 * does not say so. */
bool iommu_stop(struct vm *vm, const struct passthrough *device);

/* What IOMMUs cached of the VM's tables goes: they have changed. */
void iommu_flush(struct vm *vm);

/* After all devices of a VM have been stopped. */
void iommu_forget(struct vm *vm);

/* For host/oracle: the nth IOMMU, or NULL; the VM's own table for devices, or 0. */
const struct iommu_hw *iommu_number(unsigned n);
uint64_t iommu_own_table(const struct vm *vm);

#endif
