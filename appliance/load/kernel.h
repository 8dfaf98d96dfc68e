/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel image in its three forms. */
#ifndef APPLIANCE_LOAD_KERNEL_H
#define APPLIANCE_LOAD_KERNEL_H

#include "appliance/load/load.h"

/* Recognises and places the kernel; fills in entry, kernel_start and kernel_end. */
bool load_kernel(struct vm *vm, struct loaded *out);

/* Copies into guest RAM; false if a byte of the range is none. */
bool load_bytes(struct vm *vm, uint64_t gpa, const uint8_t *from, uint64_t bytes);

#endif
