/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's PCI bus: a host bridge with an ECAM window that shows the functions which the VM has,
 * and nothing else. Sources: PCI Local Bus Specification 3.0, chapter 6 (configuration space);
 * PCI Express Base Specification 5.0, 7.2.2 (ECAM); Linux' host-generic-pci.yaml.
 *
 * A function's configuration space is a copy taken when its VM starts. What a guest may change is
 * marked bit by bit; BARs stay where they are, which is where the board has them. Only the bits of
 * the command register that matter reach the real function.
 */
#ifndef APPLIANCE_DEVICE_PCI_H
#define APPLIANCE_DEVICE_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "riscv/lock.h"

struct cald_vm;

#define PCI_ECAM_SIZE 0x100000UL /* bus 0 */

#define PCI_CONFIG_BYTES 256 /* extended space (above) reads as empty */
#define PCI_BARS 6
#define PCI_SLOTS 32

/* Registers of the header, type 0. */
#define PCI_VENDOR 0x00
#define PCI_COMMAND 0x04
#define PCI_STATUS 0x06
#define PCI_CLASS 0x08 /* revision in the low byte */
#define PCI_HEADER 0x0e
#define PCI_BAR 0x10
#define PCI_CAPABILITIES 0x34
#define PCI_LINE 0x3c
#define PCI_PIN 0x3d

#define PCI_COMMAND_MEMORY 0x0002U
#define PCI_COMMAND_MASTER 0x0004U
#define PCI_COMMAND_INTX_OFF 0x0400U
#define PCI_STATUS_INTERRUPT 0x0008U
#define PCI_STATUS_CAPABILITIES 0x0010U

#define PCI_CAP_POWER 0x01
#define PCI_CAP_MSI 0x05
#define PCI_CAP_VENDOR 0x09
#define PCI_CAP_EXPRESS 0x10
#define PCI_CAP_MSIX 0x11

struct pci_bar {
    uint64_t base, size; /* size 0: none, or the upper half of the one before */
    bool wide;           /* 64 bits: takes the next register too */
    uint8_t flags;       /* the low four bits as the register shows them */
};

struct pci_function {
    uint8_t config[PCI_CONFIG_BYTES];   /* as the guest reads it */
    uint8_t writable[PCI_CONFIG_BYTES]; /* the bits that it can change */
    uint8_t board_slot;                 /* its device number on the board */
    uint8_t slot;                       /* where the guest finds it: device number, function 0 */
    uint8_t pin;                        /* INTA is 1; 0: no INTx */
    uint32_t source;                    /* of the board's interrupt controller, for INTx */
    uint32_t source_type;               /* as the device tree has it; 0: as on a PLIC */
    struct pci_bar bars[PCI_BARS];
    bool messages; /* MSI and MSI-X reach the guest's interrupt files: it is shown them */
    void *host;    /* the host's own */
};

/* Makes the guest's view out of `raw`, the function's own configuration space, and its BARs. */
void pci_function_init(struct pci_function *function, const uint8_t raw[PCI_CONFIG_BYTES]);

/* One function's configuration space; offset and width are those of an aligned access of 1, 2 or 4
 * bytes. */
uint32_t pci_config_read(const struct pci_function *function, unsigned offset, unsigned width);
void pci_config_write(struct pci_function *function, unsigned offset, unsigned width,
                      uint32_t value);

/* A guest's bus 0. Its owner sets the functions while no vCPU runs. */
struct pci_bus {
    struct lock lock; /* of the functions' configuration spaces */
    struct pci_function *function[PCI_SLOTS];
};

/* Its ECAM window is on the VM's bus at `base` from now on. False: something else lies there. */
bool pci_bus_begin(struct pci_bus *bus, struct cald_vm *vm, uint64_t base);

/* That window, by offset from its base. False: no such access. */
bool pci_bus_read(struct pci_bus *bus, uint32_t offset, unsigned width, uint64_t *value);
bool pci_bus_write(struct pci_bus *bus, uint32_t offset, unsigned width, uint64_t value);

#endif
