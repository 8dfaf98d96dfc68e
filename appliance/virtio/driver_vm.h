/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VM has that serves devices to others, a driver VM (docs/virtio.md): behind everything else
 * of its own, a window for each of these VMs, where their RAM is; the clean rings of the devices;
 * and a page of registers for each. And the doorbell, a device in one of its slots. Made when the
 * VM is defined; for good.
 */
#ifndef APPLIANCE_VIRTIO_DRIVER_VM_H
#define APPLIANCE_VIRTIO_DRIVER_VM_H

#include "appliance/config.h"
#include "appliance/virtio/vhost.h"

#define DRIVER_REGISTERS 0x1000UL /* of each device */

/* The RAM of a VM, or, if `device` is not NULL, a device's window. */
struct driver_window {
    const struct vm *client;
    const struct virtio_vhost *device;
    uint64_t base, size; /* guest-physical */
};

struct driver_vm {
    struct virtio_doorbell bell;
    unsigned windows, devices;
    uint64_t rings, registers, end; /* where those of the first device are; what follows */
    struct driver_window window[DRIVER_DEVICES];
    struct virtio_vhost *device[DRIVER_DEVICES];
};

/* The device `number` of a VM that another serves: made when it is asked for first. NULL: no
 * memory. */
struct virtio_vhost *driver_vm_device(struct vm *vm, unsigned number);

/* For a VM that serves others, of `count` all told whose configurations are known: finds what and
 * where. False after one line. */
bool driver_vm_resolve(struct vm *vm, struct vm_config *config, unsigned count);

/* The windows, the rings, on the VM's bus the registers: for a VM that serves none, nothing. As
 * those of shared memory. */
bool driver_vm_add(struct vm *vm);
bool driver_vm_attach(struct vm *vm);

/* The VM's life ends: nothing that it had under way goes on. */
void driver_vm_detach(struct vm *vm);

/* The one that a device's requests are in. */
const struct driver_window *driver_vm_window(const struct driver_vm *driver,
                                             const struct virtio_vhost *vhost);

/* The chunk's place within the window of its VM. */
uint64_t driver_vm_offset(const struct vm_config *client, uint64_t gpa);

#endif
