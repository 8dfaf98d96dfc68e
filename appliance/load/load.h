/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Puts a VM's images into its RAM: RISC-V Linux Image, ELF or flat kernel, ramdisk and tree.
 * Images are hostile: every length is checked against the file and the guest's RAM. Each function
 * prints one line that names VM and property and returns false if something does not fit.
 */
#ifndef APPLIANCE_LOAD_LOAD_H
#define APPLIANCE_LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "appliance/vm.h"

/* Where things ended up, guest-physical. */
struct loaded {
    uint64_t entry;                      /* first instruction of vCPU 0 */
    uint64_t kernel_start, kernel_end;   /* including its bss where the image says so */
    uint64_t ramdisk_start, ramdisk_end; /* equal: none */
    uint64_t fdt;                        /* 8-byte aligned */
};

/* Everything in order: kernel, ramdisk, tree (appliance/tree/tree.h). */
bool load_images(struct vm *vm, struct loaded *out);

#endif
