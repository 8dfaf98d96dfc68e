/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/iommu/iommu.h"

#include "drivers/mmio.h"

/* "Memory-mapped register interface". */
#define CAPABILITIES 0x000
#define FCTL 0x008
#define DDTP 0x010
#define CQB 0x018
#define CQH 0x020
#define CQT 0x024
#define FQB 0x028
#define FQH 0x030
#define FQT 0x034
#define CQCSR 0x048
#define FQCSR 0x04c
#define PQCSR 0x050
#define IPSR 0x054
#define ICVEC 0x2f8

#define CAP_VERSION 0xffUL
#define CAP_SV39X4 17 /* and Sv48x4, Sv57x4 in the bits above */
#define CAP_MSI_FLAT (1UL << 22)
#define CAP_MSI_MRIF (1UL << 23)
#define CAP_IGS(caps) ((caps) >> 28 & 3)
#define IGS_MSI 0 /* only MSIs: no wires */
#define FCTL_BE (1U << 0)
#define FCTL_WSI (1U << 1)
#define FCTL_GXL (1U << 2)
#define DDTP_1LVL 2UL
#define DDTP_MODE 0xfUL
#define DDTP_BUSY (1UL << 4)
#define QUEUE_ENABLE (1U << 0)
#define QUEUE_INTERRUPT (1U << 1)
#define QUEUE_MEMORY_FAULT (1U << 8)
#define FQ_OVERFLOW (1U << 9)
#define CQ_ERRORS (7U << 8) /* memory fault, timeout, illegal command */
#define QUEUE_ON (1U << 16)
#define QUEUE_BUSY (1U << 17)
#define IPSR_FIP (1U << 1)

/* "Command-Queue". */
#define COMMANDS 256 /* in a page, 16 bytes each */
#define COMMANDS_LOG2 8
#define IOTINVAL_GVMA (1UL | 1UL << 7)
#define IOTINVAL_GV (1UL << 33)
#define IOTINVAL_GSCID(vm) ((uint64_t)(vm) << 44)
#define IOFENCE_C 2UL
#define IOFENCE_PR (1UL << 12) /* reads and writes that were let through are done */
#define IOFENCE_PW (1UL << 13)
#define IODIR_INVAL_DDT 3UL
#define IODIR_DV (1UL << 33)
#define IODIR_DID(device) ((uint64_t)(device) << 40)

/* "Fault/Event-Queue". */
#define FAULTS 128 /* in a page, 32 bytes each */
#define FAULTS_LOG2 7

/* "Device-Context (DC)". */
#define TC_V 1UL
#define MSI_FLAT (1UL << 60)

static uint32_t get32(const struct iommu_hw *iommu, unsigned reg)
{
    return mmio_read32(iommu->base + reg);
}

static void put32(const struct iommu_hw *iommu, unsigned reg, uint32_t value)
{
    mmio_write32(iommu->base + reg, value);
}

static uint64_t get64(const struct iommu_hw *iommu, unsigned reg)
{
    return mmio_read64(iommu->base + reg);
}

static void put64(const struct iommu_hw *iommu, unsigned reg, uint64_t value)
{
    mmio_write64(iommu->base + reg, value);
}

/* Until (register & mask) == value. */
static bool wait32(struct iommu_hw *iommu, unsigned reg, uint32_t mask, uint32_t value)
{
    uint64_t since = iommu->user->time();
    while ((get32(iommu, reg) & mask) != value) {
        if (iommu->user->time() - since > iommu->user->patience) {
            iommu->failed = true;
            return false;
        }
    }
    return true;
}

static bool queue_off(struct iommu_hw *iommu, unsigned csr)
{
    wait32(iommu, csr, QUEUE_BUSY, 0);
    put32(iommu, csr, 0);
    return wait32(iommu, csr, QUEUE_BUSY | QUEUE_ON, 0);
}

static uint64_t *queue_on(struct iommu_hw *iommu, unsigned base, unsigned csr, unsigned log2)
{
    uint64_t *page = iommu->user->page();
    if (!page || !queue_off(iommu, csr))
        return NULL;
    put64(iommu, base, iommu->user->pa(page) >> 12 << 10 | (log2 - 1));
    put32(iommu, csr, QUEUE_ENABLE);
    return wait32(iommu, csr, QUEUE_BUSY | QUEUE_ON, QUEUE_ON) ? page : NULL;
}

static void command(struct iommu_hw *iommu, uint64_t what)
{
    uint64_t *entry = iommu->commands + (size_t)2 * iommu->tail;
    entry[0] = what;
    entry[1] = 0;
    iommu->tail = (iommu->tail + 1) % COMMANDS;
}

/* A fence behind the commands, and the wait for it: the head moves past a command when it is done.
 * So few are written at a time that the queue is never full. */
static bool finish(struct iommu_hw *iommu)
{
    command(iommu, IOFENCE_C | IOFENCE_PR | IOFENCE_PW);
    mmio_fence();
    put32(iommu, CQT, iommu->tail);
    if (iommu->failed || !wait32(iommu, CQH, UINT32_MAX, iommu->tail))
        return false;
    return !(get32(iommu, CQCSR) & CQ_ERRORS);
}

/* The directory with as many levels as the IOMMU takes: what is not in it is blocked. */
static bool directory_on(struct iommu_hw *iommu)
{
    iommu->directory = iommu->user->page();
    if (!iommu->directory)
        return false;
    for (iommu->levels = 3; iommu->levels; iommu->levels--) {
        uint64_t mode = DDTP_1LVL + iommu->levels - 1;
        if (!wait32(iommu, DDTP, DDTP_BUSY, 0))
            return false;
        put64(iommu, DDTP, iommu->user->pa(iommu->directory) >> 12 << 10 | mode);
        if (!wait32(iommu, DDTP, DDTP_BUSY, 0))
            return false;
        if ((get64(iommu, DDTP) & DDTP_MODE) == mode)
            return true;
    }
    return false;
}

const char *iommu_hw_init(struct iommu_hw *iommu, volatile void *base, bool wired,
                          const struct iommu_user *user)
{
    *iommu = (struct iommu_hw){.base = base, .user = user};
    iommu->capabilities = get64(iommu, CAPABILITIES);
    iommu->extended = iommu->capabilities & CAP_MSI_FLAT;
    if ((iommu->capabilities & CAP_VERSION) < 0x10 || (iommu->capabilities & CAP_VERSION) >= 0x20)
        return "its version is not 1.x";
    if (!(iommu->capabilities & 7UL << CAP_SV39X4))
        return "it has no second stage of 64-bit entries";
    /* "Guidelines for initialization". Little endian, second stages as a 64-bit hart has them. */
    uint32_t fctl = get32(iommu, FCTL) & ~(FCTL_BE | FCTL_GXL | FCTL_WSI);
    if (wired && CAP_IGS(iommu->capabilities) != IGS_MSI)
        fctl |= FCTL_WSI;
    put32(iommu, FCTL, fctl);
    if (get32(iommu, FCTL) & (FCTL_BE | FCTL_GXL))
        return "it is big endian or of 32 bits for good";
    put64(iommu, ICVEC, 0);
    if (!queue_off(iommu, PQCSR))
        return "its page-request queue does not stop";
    iommu->commands = queue_on(iommu, CQB, CQCSR, COMMANDS_LOG2);
    if (!iommu->commands)
        return "its command queue does not start";
    iommu->faults = queue_on(iommu, FQB, FQCSR, FAULTS_LOG2);
    if (!iommu->faults)
        return "its fault queue does not start";
    put32(iommu, CQT, 0);
    put32(iommu, FQH, 0);
    if (!directory_on(iommu))
        return "it takes no device directory";
    command(iommu, IODIR_INVAL_DDT);
    command(iommu, IOTINVAL_GVMA);
    if (!finish(iommu))
        return "it does not carry out commands";
    return NULL;
}

bool iommu_hw_has_levels(const struct iommu_hw *iommu, unsigned levels)
{
    return levels >= 3 && levels <= 5 && iommu->capabilities >> (CAP_SV39X4 + levels - 3) & 1;
}

bool iommu_hw_has_msi(const struct iommu_hw *iommu)
{
    return iommu->extended && iommu->capabilities & CAP_MSI_MRIF;
}

/* "Device-Directory-Table": 7, 9 and 8 bits of the device's number, from the leaf up; with extended
 * contexts, which take twice the room, 6, 9 and 9. `make`: takes the pages that are missing. */
static uint64_t *context_of(struct iommu_hw *iommu, uint32_t device, bool make)
{
    unsigned leaf_bits = iommu->extended ? 6 : 7, words = iommu->extended ? 8 : 4;
    unsigned shift = leaf_bits + 9 * (iommu->levels - 1);
    if (device >> 24 || device >> shift)
        return NULL;
    uint64_t *table = iommu->directory;
    for (unsigned level = iommu->levels - 1; level; level--) {
        uint64_t *entry = &table[device >> (leaf_bits + 9 * (level - 1)) & 511];
        if (!(*entry & 1)) {
            uint64_t *page = make ? iommu->user->page() : NULL;
            if (!page)
                return NULL;
            *entry = iommu->user->pa(page) >> 12 << 10 | 1;
            mmio_fence();
        }
        table = iommu->user->va(*entry >> 10 << 12);
    }
    return table + (size_t)(device & ((1U << leaf_bits) - 1)) * words;
}

bool iommu_hw_reserve(struct iommu_hw *iommu, uint32_t device)
{
    return context_of(iommu, device, true);
}

/* A change of a context, in memory already, reaches the IOMMU. */
static bool changed(struct iommu_hw *iommu, uint32_t device, unsigned vm)
{
    command(iommu, IODIR_INVAL_DDT | IODIR_DV | IODIR_DID(device));
    command(iommu, IOTINVAL_GVMA | IOTINVAL_GV | IOTINVAL_GSCID(vm));
    return finish(iommu);
}

bool iommu_hw_attach(struct iommu_hw *iommu, uint32_t device, const struct iommu_context *context)
{
    uint64_t *dc = context_of(iommu, device, false);
    if (!dc || iommu->failed)
        return false;
    /* First stage: none (fsc 0, Bare). Faults are reported (DTF 0), no ATS, no page requests. */
    dc[1] = context->second_stage | IOTINVAL_GSCID(context->vm);
    dc[2] = dc[3] = 0;
    if (iommu->extended) {
        dc[4] = context->msi_table ? context->msi_table >> 12 | MSI_FLAT : 0;
        dc[5] = context->msi_mask;
        dc[6] = context->msi_pattern;
        dc[7] = 0;
    }
    mmio_fence(); /* V comes last */
    *(volatile uint64_t *)dc = TC_V;
    if (changed(iommu, device, context->vm))
        return true;
    *(volatile uint64_t *)dc = 0;
    return false;
}

bool iommu_hw_detach(struct iommu_hw *iommu, uint32_t device, unsigned vm)
{
    uint64_t *dc = context_of(iommu, device, false);
    if (!dc)
        return false;
    *(volatile uint64_t *)dc = 0;
    return changed(iommu, device, vm);
}

bool iommu_hw_flush(struct iommu_hw *iommu, unsigned vm)
{
    command(iommu, IOTINVAL_GVMA | IOTINVAL_GV | IOTINVAL_GSCID(vm));
    return finish(iommu);
}

/* By the cause, where it says so; TTYPE is 1..3 for untranslated requests, 5..7 for translated
 * ones. (QEMU 10.0's TTYPE says "write" of reads too.) */
static enum iommu_access access_of(unsigned cause, unsigned type)
{
    switch (cause) {
    case 1:
    case 20:
        return IOMMU_FETCH;
    case 5:
    case 21:
        return IOMMU_READ;
    case 7:
    case 23:
        return IOMMU_WRITE;
    }
    static const enum iommu_access access[] = {IOMMU_OTHER, IOMMU_FETCH, IOMMU_READ, IOMMU_WRITE};
    return type < 8 ? access[type & 3] : IOMMU_OTHER;
}

bool iommu_hw_fault(struct iommu_hw *iommu, struct iommu_fault *fault)
{
    uint32_t head = get32(iommu, FQH) % FAULTS;
    if (head == get32(iommu, FQT) % FAULTS)
        return false;
    mmio_fence(); /* the record was written before the tail moved */
    const uint64_t *record = iommu->faults + (size_t)4 * head;
    unsigned cause = record[0] & 0xfff;
    *fault = (struct iommu_fault){.device = (uint32_t)(record[0] >> 40),
                                  .cause = cause,
                                  .access = access_of(cause, record[0] >> 34 & 63),
                                  .address = record[2]};
    put32(iommu, FQH, (head + 1) % FAULTS);
    return true;
}

void iommu_hw_interrupt(struct iommu_hw *iommu, bool on)
{
    /* An overflow or a fault of the queue itself stops it until it is acknowledged. */
    put32(iommu, FQCSR,
          QUEUE_ENABLE | QUEUE_MEMORY_FAULT | FQ_OVERFLOW | (on ? QUEUE_INTERRUPT : 0));
    wait32(iommu, FQCSR, QUEUE_BUSY, 0);
    put32(iommu, IPSR, IPSR_FIP);
}

const char *iommu_cause_name(unsigned cause)
{
    switch (cause) {
    case 1:
    case 5:
    case 7:
        return "nothing answers there";
    case 20:
    case 21:
    case 23:
        return "not the VM's memory";
    case 256:
        return "all DMA is disabled";
    case 258:
        return "the device is nobody's";
    case 260:
        return "a kind of request that it may not send";
    case 261:
    case 262:
    case 263:
    case 264:
        return "no interrupt file";
    case 257:
    case 259:
    case 268:
        return "its device context is wrong";
    default:
        return "refused";
    }
}
