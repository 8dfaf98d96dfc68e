/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Firmware need not have given BARs their places (QEMU's does not), so Caldarium does, from the
 * windows in the host bridge's `ranges`, one page at least for each: what lies in a page belongs to
 * one VM. Sources: PCI Bus Binding to Open Firmware 2.1, "ranges", "interrupt-map"; Linux'
 * host-generic-pci.yaml.
 */
#include "host/bare/pci.h"

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "appliance/bundle/property.h"
#include "appliance/tree/fdt_reg.h"
#include "appliance/vm.h"
#include "drivers/mmio.h"
#include "drivers/pci/ecam.h"
#include "host/bare/board.h"
#include "host/bare/paging.h"
#include "host/host.h"

#define BRIDGES 4
#define WINDOWS 2 /* of a bridge: below and above 4 GiB */
#define FUNCTIONS 32
#define CLASS_IOMMU 0x0806

struct window {
    uint64_t next, end; /* CPU addresses, which are the bus's too */
};

static struct bridge {
    int node;
    unsigned domain, bus;
    uint64_t base;
    volatile uint8_t *config; /* of its first bus */
    struct window windows[WINDOWS];
} bridges[BRIDGES];
static unsigned bridge_count;

static struct unit {
    struct bridge *bridge;
    unsigned devfn;
    volatile uint8_t *config;
    uint64_t reset_at;               /* 0, or when its reset began */
    volatile uint8_t *virtio_status; /* of a virtio device: 0 there resets it; or NULL */
    struct pci_function function;
} units[FUNCTIONS];
static unsigned unit_count;

static uint64_t two(const fdt32_t *cells)
{
    return (uint64_t)fdt32_ld(cells) << 32 | fdt32_ld(cells + 1);
}

/* Entries of seven cells: kind and bus address, CPU address, size. */
static void read_windows(struct bridge *bridge)
{
    int bytes;
    const fdt32_t *at = fdt_getprop(board.fdt, bridge->node, "ranges", &bytes);
    for (; at && bytes >= 28; at += 7, bytes -= 28) {
        unsigned kind = fdt32_ld(at) >> 24 & 3; /* 2: memory, 32 bits; 3: 64 bits */
        uint64_t bus = two(at + 1), cpu = two(at + 3), size = two(at + 5);
        if (kind < 2 || bus != cpu || cpu + size < cpu)
            continue; /* ports, or a bus that sees other addresses than the CPU */
        struct window *window = &bridge->windows[kind - 2];
        if (!window->end)
            *window = (struct window){cpu, cpu + size};
    }
}

/* A place for `size` bytes; 0: there is none. Below 4 GiB where that is possible. */
static uint64_t take_place(struct bridge *bridge, uint64_t size, bool wide)
{
    uint64_t span = size < HOST_PAGE_SIZE ? HOST_PAGE_SIZE : size;
    for (unsigned n = 0; n < (wide ? WINDOWS : 1U); n++) {
        struct window *window = &bridge->windows[n];
        uint64_t base = (window->next + span - 1) & ~(span - 1);
        if (base && base >= window->next && base < window->end && window->end - base >= span) {
            window->next = base + span;
            return base;
        }
    }
    return 0;
}

static void silence(struct bridge *bridge)
{
    for (unsigned devfn = 0; devfn < ECAM_FUNCTIONS; devfn++) {
        volatile uint8_t *config = ecam_function(bridge->config, devfn);
        if (!ecam_present(config))
            continue;
        mmio_write16(config + PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    }
}

void pci_print(void)
{
    for (unsigned n = 0; n < bridge_count; n++) {
        for (unsigned devfn = 0; devfn < ECAM_FUNCTIONS; devfn++) {
            volatile uint8_t *config = ecam_function(bridges[n].config, devfn);
            if (ecam_present(config))
                host_print("pci      %04x:%02x:%02x.%u: %04x:%04x, class %04x", bridges[n].domain,
                           bridges[n].bus, devfn >> 3, devfn & 7, mmio_read16(config),
                           mmio_read16(config + 2), mmio_read16(config + 10));
        }
    }
}

void pci_init(void)
{
    int node = -1;
    while ((node = fdt_node_offset_by_compatible(board.fdt, node, "pci-host-ecam-generic")) >= 0) {
        struct bridge *bridge = &bridges[bridge_count];
        uint64_t size;
        int bytes;
        const fdt32_t *cell;
        if (bridge_count == BRIDGES) {
            host_error("board tree: more than %d PCI host bridges; %s is left out", BRIDGES,
                       fdt_get_name(board.fdt, node, NULL));
            return;
        }
        *bridge = (struct bridge){.node = node, .domain = bridge_count};
        if (!fdt_reg(board.fdt, node, 0, &bridge->base, &size) || size < ECAM_BUS_BYTES)
            continue;
        cell = fdt_getprop(board.fdt, node, "linux,pci-domain", &bytes);
        if (cell && bytes == 4)
            bridge->domain = fdt32_ld(cell);
        cell = fdt_getprop(board.fdt, node, "bus-range", &bytes);
        if (cell && bytes == 8)
            bridge->bus = fdt32_ld(cell) & 255;
        bridge->config = paging_map_device(bridge->base, ECAM_BUS_BYTES);
        if (!bridge->config)
            continue;
        read_windows(bridge);
        silence(bridge);
        bridge_count++;
    }
}

bool pci_owns(uint64_t base)
{
    for (unsigned n = 0; n < bridge_count; n++) {
        if (bridges[n].base == base)
            return true;
    }
    return false;
}

/* Sizes a BAR and gives it a place. False: there is none left. */
static bool place_bar(struct bridge *bridge, volatile uint8_t *config, unsigned n,
                      struct pci_bar *bar)
{
    bar->size = ecam_bar_size(config, n, &bar->flags);
    bar->wide = bar->size && (bar->flags & 6) == 4;
    if (!bar->size)
        return true;
    bar->base = take_place(bridge, bar->size, bar->wide);
    if (bar->base)
        ecam_bar_set(config, n, bar->base, bar->wide);
    return bar->base;
}

volatile void *pci_claim(int bridge_node, unsigned devfn, uint64_t bytes)
{
    for (unsigned n = 0; n < bridge_count; n++) {
        struct bridge *bridge = &bridges[n];
        volatile uint8_t *config = ecam_function(bridge->config, devfn & 255);
        struct pci_bar bar = {0};
        if (bridge->node != bridge_node || !ecam_present(config) ||
            !place_bar(bridge, config, 0, &bar) || bar.size < bytes)
            continue;
        mmio_write16(config + PCI_COMMAND,
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
        return paging_map_device(bar.base, bytes);
    }
    return NULL;
}

/* Hexadecimal digits, then `end`. */
static bool number(const char **at, char end, unsigned long limit, unsigned *out)
{
    char *stop;
    if (!strchr("0123456789abcdefABCDEF", **at) || !**at)
        return false;
    unsigned long value = strtoul(*at, &stop, 16);
    if (*stop != end || value > limit)
        return false;
    *out = (unsigned)value;
    *at = end ? stop + 1 : stop;
    return true;
}

/* "pci:0000:00:01.0", "0000:00:01.0", or a path: the host bridge's, then "1,0" or "name@1,0". */
static struct bridge *parse(const char *path, unsigned *devfn)
{
    unsigned domain, bus, slot, which;
    const char *at = path + (strncmp(path, "pci:", 4) ? 0 : 4);
    struct bridge *found = NULL;
    if (*path == '/') {
        const char *last = strrchr(path, '/'), *unit = strchr(last, '@');
        int node = last == path ? -1 : fdt_path_offset_namelen(board.fdt, path, (int)(last - path));
        at = unit ? unit + 1 : last + 1;
        for (unsigned n = 0; n < bridge_count; n++) {
            if (bridges[n].node == node)
                found = &bridges[n];
        }
        if (!found || !number(&at, ',', 31, &slot) || !number(&at, 0, 7, &which))
            return NULL;
    } else {
        if (!number(&at, ':', 0xffff, &domain) || !number(&at, ':', 255, &bus) ||
            !number(&at, '.', 31, &slot) || !number(&at, 0, 7, &which))
            return NULL;
        for (unsigned n = 0; n < bridge_count; n++) {
            if (bridges[n].domain == domain && bridges[n].bus == bus)
                found = &bridges[n];
        }
    }
    *devfn = slot << 3 | which;
    return found;
}

/*
 * The board's interrupt source behind INTA..INTD of a function. Entries of the bridge's
 * interrupt-map: the function's address (three cells) and pin, masked; the controller's phandle; an
 * address and an interrupt as long as that controller says. 0: none.
 */
static uint32_t intx_source(const struct unit *unit, unsigned pin, uint32_t *type)
{
    int bytes, mask_bytes;
    const fdt32_t *at = fdt_getprop(board.fdt, unit->bridge->node, "interrupt-map", &bytes);
    const fdt32_t *mask =
        fdt_getprop(board.fdt, unit->bridge->node, "interrupt-map-mask", &mask_bytes);
    int left = at ? bytes / 4 : 0;
    if (!mask || mask_bytes != 16)
        return 0;
    uint32_t address = (unit->bridge->bus << 8 | unit->devfn) << 8 & fdt32_ld(mask);
    while (left >= 6) {
        int parent = fdt_node_offset_by_phandle(board.fdt, fdt32_ld(at + 4));
        const fdt32_t *cells =
            parent < 0 ? NULL : fdt_getprop(board.fdt, parent, "#interrupt-cells", &mask_bytes);
        const fdt32_t *skip =
            parent < 0 ? NULL : fdt_getprop(board.fdt, parent, "#address-cells", NULL);
        uint32_t before = 5 + (skip ? fdt32_ld(skip) : 0), after = cells ? fdt32_ld(cells) : 0;
        if (!after || after > 4 || before > 8 || (int)(before + after) > left)
            return 0;
        if (fdt32_ld(at) == address && fdt32_ld(at + 3) == (pin & fdt32_ld(mask + 3))) {
            *type = after > 1 ? fdt32_ld(at + before + 1) : 0;
            return fdt32_ld(at + before);
        }
        at += before + after;
        left -= (int)(before + after);
    }
    return 0;
}

static bool read_bars(struct vm_config *config, struct passthrough *device, struct unit *unit)
{
    struct pci_function *function = &unit->function;
    mmio_write16(unit->config + PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        struct pci_bar *bar = &function->bars[n];
        if (!place_bar(unit->bridge, unit->config, n, bar)) {
            property_refuse(config, "property passthrough: %s: no place is left for its BAR %u",
                            device->path, n);
            return false;
        }
        n += bar->wide;
    }
    return true;
}

#define VIRTIO_VENDOR 0x1af4
#define VIRTIO_COMMON 1 /* virtio 1.2, 4.1.4: capability of the common configuration */
#define VIRTIO_STATUS 20

/* Where a virtio function's status is: a capability says in which BAR, and where in that. */
static volatile uint8_t *find_virtio_status(const struct unit *unit)
{
    if (mmio_read16(unit->config) != VIRTIO_VENDOR)
        return NULL;
    for (unsigned at = ecam_capability(unit->config, PCI_CAP_VENDOR), n = 0; at && n < 48; n++) {
        unsigned which = mmio_read8(unit->config + at + 4);
        uint32_t offset = mmio_read32(unit->config + at + 8);
        if (mmio_read8(unit->config + at + 3) == VIRTIO_COMMON && which < PCI_BARS &&
            (uint64_t)offset + VIRTIO_STATUS < unit->function.bars[which].size)
            return paging_map_device(unit->function.bars[which].base + offset + VIRTIO_STATUS, 1);
        at = ecam_next_capability(unit->config, at, PCI_CAP_VENDOR);
    }
    return NULL;
}

int host_pci_find(struct passthrough *device, struct vm_config *config)
{
    unsigned devfn;
    struct bridge *bridge = parse(device->path, &devfn);
    if (!bridge)
        return 0;
    volatile uint8_t *registers = ecam_function(bridge->config, devfn);
    if (!ecam_present(registers))
        return 0;
    device->bus = bridge->node;
    for (unsigned n = 0; n < unit_count; n++) {
        if (units[n].bridge == bridge && units[n].devfn == devfn) {
            device->pci = &units[n].function; /* a VM's already, unless that was refused */
            return 1;
        }
    }
    if ((mmio_read8(registers + PCI_HEADER) & 0x7f) || mmio_read16(registers + 10) == CLASS_IOMMU ||
        unit_count == FUNCTIONS) {
        property_refuse(config, "property passthrough: %s %s", device->path,
                        unit_count == FUNCTIONS ? "is one more PCI function than Caldarium can give"
                                                : "is a bridge or an IOMMU, and not given away");
        return -1;
    }
    struct unit *unit = &units[unit_count];
    *unit = (struct unit){.bridge = bridge, .devfn = devfn, .config = registers};
    if (!read_bars(config, device, unit))
        return -1;
    unsigned pin = mmio_read8(registers + PCI_PIN);
    unit->function.host = unit;
    unit->function.source =
        pin >= 1 && pin <= 4 ? intx_source(unit, pin, &unit->function.source_type) : 0;
    unit->function.pin = unit->function.source ? (uint8_t)pin : 0;
    unit->function.board_slot = (uint8_t)(devfn >> 3);
    unit->virtio_status = find_virtio_status(unit);
    device->pci = &unit->function;
    unit_count++;
    return 1;
}

int pci_requester(const struct pci_function *function, uint32_t *id)
{
    const struct unit *unit = function->host;
    *id = unit->bridge->bus << 8 | unit->devfn;
    return unit->bridge->node;
}

/* 5.0, 6.6.2: software leaves a function alone for 100 ms after it was told to reset. */
static void wait_reset(struct unit *unit)
{
    while (unit->reset_at && host_time() - unit->reset_at < host_timebase() / 10) {
    }
    unit->reset_at = 0;
}

void pci_start(const struct passthrough *device)
{
    struct unit *unit = device->pci->host;
    uint8_t raw[PCI_CONFIG_BYTES];
    wait_reset(unit);
    for (unsigned n = 0; n < PCI_BARS; n++) {
        const struct pci_bar *bar = &unit->function.bars[n];
        if (bar->size)
            ecam_bar_set(unit->config, n, bar->base, bar->wide);
    }
    mmio_write16(unit->config + PCI_COMMAND, PCI_COMMAND_MEMORY);
    for (unsigned n = 0; n < PCI_CONFIG_BYTES; n += 4) {
        uint32_t word = mmio_read32(unit->config + n);
        memcpy(&raw[n], &word, 4);
    }
    pci_function_init(&unit->function, raw);
}

bool pci_quiet(const struct passthrough *device)
{
    struct unit *unit = device->pci->host;
    wait_reset(unit);
    mmio_write16(unit->config + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_OFF);
    /* The control word follows the kind and the link; bit 0 enables MSI, bit 15 MSI-X. */
    unsigned msi = ecam_capability(unit->config, PCI_CAP_MSI);
    unsigned msix = ecam_capability(unit->config, PCI_CAP_MSIX);
    if (msi)
        mmio_write16(unit->config + msi + 2, 0);
    if (msix)
        mmio_write16(unit->config + msix + 2, 0);
    (void)mmio_read16(unit->config + PCI_COMMAND); /* what it had sent comes before the answer */
    uint64_t since = host_time();
    while (ecam_busy(unit->config)) {
        if (host_time() - since > host_timebase() / 10)
            return false;
    }
    return true;
}

bool pci_reset(const struct passthrough *device)
{
    struct unit *unit = device->pci->host;
    if (unit->virtio_status)
        mmio_write8(unit->virtio_status, 0);
    mmio_write16(unit->config + PCI_COMMAND, PCI_COMMAND_INTX_OFF);
    if (!ecam_reset(unit->config))
        return unit->virtio_status;
    unit->reset_at = host_time();
    return true;
}

/* Memory decoding stays on, whatever the guest says: what would answer in its place is the bus. */
void host_pci_command(struct pci_function *function, uint16_t command)
{
    const struct unit *unit = function->host;
    mmio_write16(unit->config + PCI_COMMAND,
                 PCI_COMMAND_MEMORY | (command & (PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF)));
}

void host_pci_messages(struct pci_function *function, unsigned offset, uint32_t value)
{
    const struct unit *unit = function->host;
    mmio_write32(unit->config + offset, value);
}

bool host_pci_interrupt(const struct pci_function *function)
{
    const struct unit *unit = function->host;
    return mmio_read16(unit->config + PCI_STATUS) & PCI_STATUS_INTERRUPT;
}
