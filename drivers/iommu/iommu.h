/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A RISC-V IOMMU. Source: RISC-V IOMMU Architecture Specification 1.0; quoted chapters are its.
 *
 * From iommu_hw_init() on every device behind it is blocked, until it is given a second stage
 * (iommu_hw_attach()). One caller at a time; every wait is bounded.
 */
#ifndef DRIVERS_IOMMU_IOMMU_H
#define DRIVERS_IOMMU_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the driver asks of its user. */
struct iommu_user {
    void *(*page)(void); /* 4 KiB, zero, for good; NULL: there is none left */
    uint64_t (*pa)(const void *page);
    void *(*va)(uint64_t pa);
    uint64_t (*time)(void);
    uint64_t patience; /* in ticks of time(): how long the IOMMU may take for an answer */
};

struct iommu_hw {
    volatile uint8_t *base; /* 4 KiB of mapped registers */
    const struct iommu_user *user;
    uint64_t capabilities;
    uint64_t *directory; /* its root page */
    unsigned levels;     /* of the directory: 1, 2, 3 */
    bool extended;       /* device contexts of 64 bytes, with an MSI page table */
    uint64_t *commands;  /* a page */
    uint64_t *faults;    /* a page */
    uint32_t tail;       /* of the commands */
    bool failed;         /* it stopped answering; said once by the user */
};

/* What a device is to see. */
struct iommu_context {
    uint64_t second_stage;          /* MODE and PPN as iohgatp has them */
    unsigned vm;                    /* GSCID: tags what the IOMMU caches, 16 bits */
    uint64_t msi_table;             /* physical address of its MSI page table; 0: none */
    uint64_t msi_mask, msi_pattern; /* page numbers: which addresses are interrupt files */
};

enum iommu_access { IOMMU_READ, IOMMU_WRITE, IOMMU_FETCH, IOMMU_OTHER };

struct iommu_fault {
    uint32_t device;
    unsigned cause; /* "Fault/Event-Queue": CAUSE */
    enum iommu_access access;
    uint64_t address; /* as the device sent it */
};

/* Takes it over. NULL, or what is wrong with it. `wired`: its interrupts are wires, all its causes
 * on the first; else it does not interrupt. */
const char *iommu_hw_init(struct iommu_hw *iommu, volatile void *base, bool wired,
                          const struct iommu_user *user);

/* A second stage of so many levels (3, 4, 5) can be attached. */
bool iommu_hw_has_levels(const struct iommu_hw *iommu, unsigned levels);

/* It can pass messages on to interrupt files, those in memory included. */
bool iommu_hw_has_msi(const struct iommu_hw *iommu);

/* Makes room for a device in the directory, so that attaching it takes no memory. False: its number
 * is too large, or no memory. */
bool iommu_hw_reserve(struct iommu_hw *iommu, uint32_t device);

/* The device translates by this from now on. False: no room was made, or the IOMMU is stuck. */
bool iommu_hw_attach(struct iommu_hw *iommu, uint32_t device, const struct iommu_context *context);

/* The device is blocked, and when this returns true nothing that it sent is still on its way. */
bool iommu_hw_detach(struct iommu_hw *iommu, uint32_t device, unsigned vm);

/* The VM's second stage or its MSI page table has changed: what is cached of it goes. */
bool iommu_hw_flush(struct iommu_hw *iommu, unsigned vm);

/* The next fault record; false: there is none. At most as many as the queue holds in one go. */
bool iommu_hw_fault(struct iommu_hw *iommu, struct iommu_fault *fault);

/* Whether it may interrupt for faults; what has come until now is acknowledged. */
void iommu_hw_interrupt(struct iommu_hw *iommu, bool on);

/* A cause in words. */
const char *iommu_cause_name(unsigned cause);

#endif
