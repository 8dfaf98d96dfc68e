/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * QEMU virt's eight virtio-mmio slots. Several kernels look there without asking the tree, and take
 * an access fault for the end: where nothing else is, a slot answers that no device is in it.
 */
#ifndef APPLIANCE_DEVICE_VIRTIO_SLOT_H
#define APPLIANCE_DEVICE_VIRTIO_SLOT_H

#include <stdint.h>

struct cald_vm;

#define VIRTIO_SLOT_BYTES 0x1000UL

/* Each slot of [base, base + size) where nothing else is on the VM's bus is there from now on. */
void virtio_slots_begin(struct cald_vm *vm, uint64_t base, uint64_t size);

#endif
