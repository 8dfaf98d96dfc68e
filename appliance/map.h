/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a guest finds the virtual devices: QEMU virt's familiar map. */
#ifndef APPLIANCE_MAP_H
#define APPLIANCE_MAP_H

#include "appliance/device/pci.h"
#include "appliance/device/virtio_slot.h"
#include "lib/vm/vm.h"

#define GUEST_PLIC_BASE 0x0c000000UL
#define GUEST_PLIC_SIZE VM_PLIC_SIZE
#define GUEST_APLIC_BASE 0x0d000000UL
#define GUEST_APLIC_SIZE VM_APLIC_SIZE
#define GUEST_IMSIC_BASE 0x28000000UL
#define GUEST_IMSIC_PAGE VM_IMSIC_PAGE
#define GUEST_IMSIC_SIZE (GUEST_IMSIC_PAGE * CALD_MAX_VCPUS)
#define GUEST_UART_BASE 0x10000000UL
#define GUEST_UART_SIZE VM_UART_SIZE
#define GUEST_UART_IRQ 10
#define GUEST_SLOTS_BASE 0x10001000UL
#define GUEST_SLOTS_SIZE 0x8000UL
#define GUEST_PCI_BASE 0x30000000UL
#define GUEST_PCI_SIZE PCI_ECAM_SIZE
#define GUEST_MIN_SOURCES 95 /* of a guest's PLIC or APLIC */
#define GUEST_MAX_SOURCES VM_MAX_SOURCES

#endif
