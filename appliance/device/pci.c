/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/device/pci.h"

#include <string.h>

#include "caldarium/caldarium.h"
#include "host/host.h"

#define CAPABILITIES_MAX 48 /* as many as fit: a list may be a ring */

static uint32_t get(const uint8_t *at, unsigned width)
{
    uint32_t value = 0;
    for (unsigned n = 0; n < width; n++)
        value |= (uint32_t)at[n] << 8 * n;
    return value;
}

static void put(uint8_t *at, unsigned width, uint32_t value)
{
    for (unsigned n = 0; n < width; n++)
        at[n] = (uint8_t)(value >> 8 * n);
}

/* Where a BAR lies, as its register shows it; `half` 1: the upper 32 bits. */
static uint32_t bar_home(const struct pci_bar *bar, unsigned half)
{
    return half ? (uint32_t)(bar->base >> 32) : (uint32_t)bar->base | bar->flags;
}

/* What a register answers after all ones were written to it (PCI 3.0, 6.2.5.1). */
static uint32_t bar_mask(const struct pci_bar *bar, unsigned half)
{
    uint64_t mask = ~(bar->size - 1);
    return half ? (uint32_t)(mask >> 32) : (uint32_t)mask | bar->flags;
}

/* The BAR that a register belongs to, or NULL. */
static const struct pci_bar *bar_at(const struct pci_function *function, unsigned n, unsigned *half)
{
    *half = 0;
    if (function->bars[n].size)
        return &function->bars[n];
    *half = 1;
    return n && function->bars[n - 1].size && function->bars[n - 1].wide ? &function->bars[n - 1]
                                                                         : NULL;
}

/* PCI 3.0, 6.8.1: the control word says how long it is. */
#define MSI_WIDE 0x80
#define MSI_MASKS 0x01 /* in the upper byte */

static unsigned msi_bytes(const uint8_t *raw, unsigned at)
{
    bool masks = raw[at + 3] & MSI_MASKS;
    return (raw[at + 2] & MSI_WIDE ? 14U : 10U) + (masks ? 10U : 0U);
}

/* Length of a capability that a guest is shown; 0: it isn't. Power states and PCI Express' controls
 * change the function in ways that only Caldarium's own reset may. */
static unsigned shown(const struct pci_function *function, const uint8_t *raw, unsigned at)
{
    if (at + 4 > PCI_CONFIG_BYTES)
        return 0;
    switch (raw[at]) {
    case PCI_CAP_VENDOR:
        return raw[at + 2] >= 3 ? raw[at + 2] : 0;
    case PCI_CAP_MSI:
        return function->messages ? msi_bytes(raw, at) : 0;
    case PCI_CAP_MSIX:
        return function->messages ? 12 : 0;
    default:
        return 0;
    }
}

/* What a guest may change: address and data are its own, since the IOMMU takes every message for
 * what it is, a write by the guest's device. */
static void open_messages(struct pci_function *function, unsigned at)
{
    uint8_t *may = &function->writable[at];
    const uint8_t *config = &function->config[at];
    if (config[0] == PCI_CAP_MSIX)
        may[3] = 0xc0; /* enable, mask all; the table is in a BAR */
    if (config[0] != PCI_CAP_MSI)
        return;
    unsigned data = config[2] & MSI_WIDE ? 12 : 8;
    may[2] = 0x71; /* enable, how many */
    put(&may[4], 4, ~3U);
    if (data == 12)
        put(&may[8], 4, UINT32_MAX);
    put(&may[data], 2, 0xffff);
    if (config[3] & MSI_MASKS)
        put(&may[data + 4], 4, UINT32_MAX);
}

/* The list, with only those that are shown; each stays where it is. One that lies in another is
 * left out: what a guest may write of the one would be the other's. */
static void copy_capabilities(struct pci_function *function, const uint8_t *raw)
{
    uint8_t *link = &function->config[PCI_CAPABILITIES];
    unsigned at = raw[PCI_STATUS] & PCI_STATUS_CAPABILITIES ? raw[PCI_CAPABILITIES] & ~3U : 0;
    uint64_t taken = 0; /* of the 64 words */
    for (unsigned n = 0; n < CAPABILITIES_MAX && at >= 0x40; n++, at = raw[at + 1] & ~3U) {
        unsigned bytes = shown(function, raw, at);
        if (!bytes || at + bytes > PCI_CONFIG_BYTES)
            continue;
        uint64_t words = ((1UL << (bytes + 3) / 4) - 1) << at / 4; /* no more than 48 of them */
        if (taken & words)
            continue;
        taken |= words;
        memcpy(&function->config[at], &raw[at], bytes);
        *link = (uint8_t)at;
        link = &function->config[at + 1];
        *link = 0;
        open_messages(function, at);
    }
    if (function->config[PCI_CAPABILITIES])
        function->config[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
}

void pci_function_init(struct pci_function *function, const uint8_t raw[PCI_CONFIG_BYTES])
{
    memset(function->config, 0, sizeof(function->config));
    memset(function->writable, 0, sizeof(function->writable));
    memcpy(&function->config[PCI_VENDOR], &raw[PCI_VENDOR], 4);
    memcpy(&function->config[PCI_CLASS], &raw[PCI_CLASS], 4);
    memcpy(&function->config[0x2c], &raw[0x2c], 4); /* subsystem */
    function->config[PCI_PIN] = function->pin;
    put(&function->writable[PCI_COMMAND], 2,
        PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
    function->writable[0x0c] = 0xff; /* cache line size: no meaning */
    function->writable[PCI_LINE] = 0xff;
    for (unsigned n = 0, half; n < PCI_BARS; n++) {
        const struct pci_bar *bar = bar_at(function, n, &half);
        if (bar)
            put(&function->config[PCI_BAR + 4 * n], 4, bar_home(bar, half));
    }
    copy_capabilities(function, raw);
}

uint32_t pci_config_read(const struct pci_function *function, unsigned offset, unsigned width)
{
    uint32_t value = 0;
    for (unsigned n = 0; n < width; n++) {
        if (offset + n < PCI_CONFIG_BYTES)
            value |= (uint32_t)function->config[offset + n] << 8 * n;
    }
    if (offset <= PCI_STATUS && offset + width > PCI_STATUS && host_pci_interrupt(function))
        value |= PCI_STATUS_INTERRUPT << 8 * (PCI_STATUS - offset);
    return value;
}

/* A BAR stays where it is; all ones ask for its size. */
static void write_bar(struct pci_function *function, unsigned offset, unsigned width,
                      uint32_t value)
{
    unsigned n = (offset - PCI_BAR) / 4, half;
    const struct pci_bar *bar = bar_at(function, n, &half);
    if (!bar)
        return;
    uint32_t ones = half ? UINT32_MAX : UINT32_MAX << 4;
    bool sizing = width == 4 && (value & ones) == ones;
    put(&function->config[PCI_BAR + 4 * n], 4, sizing ? bar_mask(bar, half) : bar_home(bar, half));
}

void pci_config_write(struct pci_function *function, unsigned offset, unsigned width,
                      uint32_t value)
{
    if (offset >= PCI_BAR && offset < PCI_BAR + 4 * PCI_BARS) {
        write_bar(function, offset, width, value);
        return;
    }
    uint8_t opened = 0;
    for (unsigned n = 0; n < width && offset + n < PCI_CONFIG_BYTES; n++) {
        opened |= function->writable[offset + n];
        uint8_t may = function->writable[offset + n];
        uint8_t *byte = &function->config[offset + n];
        *byte = (uint8_t)((*byte & ~may) | (value >> 8 * n & may));
    }
    if (offset < PCI_COMMAND + 2 && offset + width > PCI_COMMAND)
        host_pci_command(function, get(&function->config[PCI_COMMAND], 2));
    if (offset >= 0x40 && opened)
        host_pci_messages(function, offset & ~3U, get(&function->config[offset & ~3U], 4));
}

/* Function 0 of a slot is all that there is (ECAM: bus, device, function and register). */
static struct pci_function *function_at(struct pci_bus *bus, uint32_t offset)
{
    unsigned slot = offset >> 15;
    return slot < PCI_SLOTS && !(offset >> 12 & 7) ? bus->function[slot] : NULL;
}

static bool good_access(uint32_t offset, unsigned width)
{
    return (width == 1 || width == 2 || width == 4) && !(offset & (width - 1));
}

bool pci_bus_read(struct pci_bus *bus, uint32_t offset, unsigned width, uint64_t *value)
{
    if (!good_access(offset, width))
        return false;
    const struct pci_function *function = function_at(bus, offset);
    *value = UINT32_MAX >> (32 - 8 * width); /* nobody there */
    if (function) {
        lock_take(&bus->lock);
        *value = pci_config_read(function, offset & 0xfff, width);
        lock_release(&bus->lock);
    }
    return true;
}

bool pci_bus_write(struct pci_bus *bus, uint32_t offset, unsigned width, uint64_t value)
{
    if (!good_access(offset, width))
        return false;
    struct pci_function *function = function_at(bus, offset);
    if (function) {
        lock_take(&bus->lock);
        pci_config_write(function, offset & 0xfff, width, (uint32_t)value);
        lock_release(&bus->lock);
    }
    return true;
}

static int pci_region_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                           uint64_t *value)
{
    (void)vcpu;
    return pci_bus_read(device, (uint32_t)offset, width, value) ? CALD_OK : CALD_EFAULT;
}

static int pci_region_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                            uint64_t value)
{
    (void)vcpu;
    return pci_bus_write(device, (uint32_t)offset, width, value) ? CALD_OK : CALD_EFAULT;
}

bool pci_bus_begin(struct pci_bus *bus, struct cald_vm *vm, uint64_t base)
{
    static const struct cald_region_ops ops = {pci_region_read, pci_region_write};
    return cald_vm_region(vm, "the virtual PCI bus", base, PCI_ECAM_SIZE, &ops, bus) == CALD_OK;
}
