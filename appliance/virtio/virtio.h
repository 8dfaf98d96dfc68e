/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's virtio devices, as its bundle names them (docs/virtio.md). Each lies in one of the slots
 * of QEMU virt's virtio-mmio, the first that is free, with the interrupt that belongs to it. They
 * are made when the VM is defined and stay, unless it is refused.
 */
#ifndef APPLIANCE_VIRTIO_VIRTIO_H
#define APPLIANCE_VIRTIO_VIRTIO_H

#include <stdbool.h>

#include "appliance/virtio/device.h"

struct vm;
struct vm_config;

/* Makes them, once, after all of the VM that lies somewhere is known. What can't be refuses the VM,
 * with one line. */
void virtio_resolve(struct vm *vm, struct vm_config *config);

/* A device is not ready(): the VM can't begin a life now. A line tells which, if `tell`. */
bool virtio_waits(const struct vm *vm, bool tell);

/* The VM is refused after all: they go, the last one first, with what they took. */
void virtio_unmake(struct vm *vm);

/* Their registers, on the VM's bus; when the VM is defined. False after a line. */
bool virtio_add(struct vm *vm);

/* The VM begins a life, and ends it: virtio_device_attach() and _detach(). */
void virtio_attach(struct vm *vm);
void virtio_detach(struct vm *vm);

#endif
