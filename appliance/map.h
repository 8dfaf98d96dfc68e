/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lies where in a VM's guest-physical addresses. The virtual devices have QEMU virt's familiar
 * places; one table says which, for whoever lays something else there and for `map`.
 */
#ifndef APPLIANCE_MAP_H
#define APPLIANCE_MAP_H

#include "appliance/config.h"
#include "appliance/device/pci.h"
#include "appliance/device/virtio_slot.h"
#include "caldarium/caldarium.h"

#define GUEST_PLIC_BASE 0x0c000000UL
#define GUEST_PLIC_SIZE CALD_PLIC_SIZE
#define GUEST_APLIC_BASE 0x0d000000UL
#define GUEST_APLIC_SIZE CALD_APLIC_SIZE
#define GUEST_IMSIC_BASE 0x28000000UL
#define GUEST_IMSIC_PAGE CALD_IMSIC_PAGE
#define GUEST_IMSIC_SIZE (GUEST_IMSIC_PAGE * CALD_MAX_VCPUS)
#define GUEST_UART_BASE 0x10000000UL
#define GUEST_UART_SIZE CALD_UART_SIZE
#define GUEST_UART_IRQ 10
#define GUEST_SLOTS_BASE 0x10001000UL
#define GUEST_SLOTS_SIZE 0x8000UL
#define GUEST_PCI_BASE 0x30000000UL
#define GUEST_PCI_SIZE PCI_ECAM_SIZE
#define GUEST_MIN_SOURCES 95 /* of a guest's PLIC or APLIC */
#define GUEST_MAX_SOURCES CALD_MAX_SOURCES

struct vm;

enum map_device { MAP_PLIC, MAP_APLIC, MAP_IMSIC, MAP_UART, MAP_SLOTS, MAP_PCI, MAP_DEVICES };

struct map_window {
    const char *name;  /* "PLIC" */
    const char *what;  /* "the virtual interrupt controller": for messages */
    const char *shown; /* for `map` */
    struct config_range range;
    bool kept; /* from every VM's RAM and shared memory, whether it has the device or not */
};
extern const struct map_window map_windows[MAP_DEVICES];

/* The VM has that device. */
bool map_has(const struct vm *vm, enum map_device device);

/* The window that is kept free and that `range` reaches into; NULL: none. */
const struct map_window *map_kept(struct config_range range);

/* What of the VM's lies in `range`: its RAM, a virtual device that it has, and, if they are asked
 * for, a device of the board's or shared memory that it was given so far. NULL: nothing. */
const char *map_taken(const struct vm *vm, struct config_range range, bool given);

#endif
