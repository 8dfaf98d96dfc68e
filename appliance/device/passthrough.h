/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices of the board that belong to a VM: registers mapped where the board has them, interrupts
 * forwarded under the board's own source numbers, the node copied into the guest's tree
 * (appliance/tree/devices.c).
 */
#ifndef APPLIANCE_DEVICE_PASSTHROUGH_H
#define APPLIANCE_DEVICE_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>

#include "appliance/config.h"
#include "appliance/device/pci.h"

struct vm;

#define PASSTHROUGH_DEVICES 16 /* of one VM */
#define PASSTHROUGH_REGS 6     /* a PCI function has so many BARs */
#define PASSTHROUGH_IRQS 8

struct passthrough {
    const char *path;         /* as the bundle names it */
    int node;                 /* in board.fdt; -1: a PCI function */
    struct pci_function *pci; /* or NULL */
    int bus;                  /* the node that its DMA goes by: its own, or the PCI host bridge's */
    struct config_range regs[PASSTHROUGH_REGS];
    unsigned reg_count;
    unsigned irqs[PASSTHROUGH_IRQS];
    uint8_t irq_types[PASSTHROUGH_IRQS]; /* as the device tree has them: rising 1, falling 2, high
                                            4, low 8; 0: the board's tree doesn't say */
    unsigned irq_count;
    volatile void *host_regs; /* the first range as the host sees it, where it needs to; or NULL */
    void *iommu;              /* the host's own: it translates for this device; NULL: none does */
    bool messages;            /* its IOMMU passes messages on to guests' interrupt files */
    bool noncoherent;         /* its DMA goes past the harts' caches */
    bool dma;                 /* reads and writes memory by itself, for all that is known */
};

/*
 * Finds and checks the devices that the VM's configuration names; once, when the VM is defined,
 * after those before it. Devices that are not there, share a page with another one or belong to
 * another VM already make it refused, with one line.
 */
void passthrough_resolve(struct vm *vm, struct vm_config *config);

/* Whether the guest will know how its DMA meets the caches, and can do what it takes; false after
 * one line. Sets device->noncoherent; device->dma is known. */
bool passthrough_check_coherence(struct vm_config *config, struct passthrough *device);

/* The guest's PCI bus, if the VM has functions, on its bus; when the VM is defined. False:
 * something else lies there. */
bool passthrough_add(struct vm *vm);

/* Maps registers and begins to forward interrupts; as part of vm_create(). False: out of memory. */
bool passthrough_attach(struct vm *vm);

/* Lets them reach the VM's memory, now that all of it is mapped. False after one line. */
bool passthrough_start(struct vm *vm);

/* The guest has a PCI bus. */
bool passthrough_has_pci(const struct vm *vm);

/* Stops the devices' DMA where it is known how, and forwards nothing more. Before RAM is freed.
 * False: an IOMMU doesn't answer, and what it let a device reach can't be anybody else's. */
bool passthrough_detach(struct vm *vm);

#endif
