/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU virt's eight virtio-mmio slots. Several kernels look there without asking the tree, and take
 * an access fault for the end: where nothing else is, a slot answers that no device is in it.
 */
#ifndef LIB_DEV_VIRTIO_SLOT_H
#define LIB_DEV_VIRTIO_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#define GUEST_SLOTS_BASE 0x10001000UL
#define GUEST_SLOTS_SIZE 0x8000UL

/* False: the address lies in no slot. Writes have no effect. */
bool virtio_slot_read(uint64_t gpa, unsigned width, uint64_t *value);
bool virtio_slot_write(uint64_t gpa, unsigned width);

#endif
