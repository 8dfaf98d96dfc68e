/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages (MSI, MSI-X) of VMs' devices on their way through the IOMMU to interrupt files. */
#ifndef HOST_BARE_MSI_H
#define HOST_BARE_MSI_H

#include <stdbool.h>
#include <stdint.h>

struct vm;

/* On the console's hart, before any VM starts: notices arrive here. */
void msi_begin(void);

/* On the console's hart: the pause after a notice is over. */
void msi_notice_again(void);

/* The VM's MSI page table, made if there is none yet: its physical address; 0: out of memory, or
 * the VM has no interrupt files. */
uint64_t msi_table(struct vm *vm);

/* Gives it back. No device uses it any more. */
void msi_forget(struct vm *vm);

#endif
