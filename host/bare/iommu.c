/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM is a GSCID, its number and one. Its devices' second stage is the table that its harts use,
 * where the IOMMU has that mode and the engine such a table; otherwise one is made here of the VM's
 * memory. Sources: RISC-V IOMMU specification 1.0; Linux' riscv,iommu.yaml, iommu.txt (`iommus`)
 * and pci-iommu.txt (`iommu-map`).
 */
#include "host/bare/iommu.h"

#include <libfdt.h>

#include "riscv/lock.h"
#include "appliance/print.h"
#include "appliance/tree/fdt_reg.h"
#include "appliance/vm.h"
#include "caldarium/devices.h"
#include "drivers/iommu/iommu.h"
#include "host/bare/board.h"
#include "host/bare/device_irq.h"
#include "host/bare/hart.h"
#include "host/bare/msi.h"
#include "host/bare/paging.h"
#include "host/bare/pci.h"
#include "host/host.h"
#include "riscv/csr.h"

#define IOMMUS 4
#define DEVICES 64
#define REGISTERS 0x1000UL
#define FAULTS_AT_ONCE 128 /* the queue's length: what comes meanwhile has to wait */

static struct board_iommu {
    struct iommu_hw hw;
    struct lock lock;
    uint64_t base; /* 0: a PCI function */
    uint32_t phandle;
    unsigned source;  /* of the board's interrupt controller; 0: it has no wire */
    unsigned type;    /* what kind of wire that is, where the controller asks */
    bool interrupts;  /* it may use it */
    const char *name; /* of its node */
} iommus[IOMMUS];
static unsigned iommu_count;

/* A device that some VM's configuration names. */
static struct behind {
    struct board_iommu *iommu;
    uint32_t id;
    struct vm *vm;
    const char *path;
    uint64_t quiet_until; /* a fault was told: the next ones are only counted until then */
    uint64_t counted;
} devices[DEVICES];
static unsigned device_count;

static uint64_t own_tables[VM_MAX]; /* 0: none */

static void *page(void)
{
    return host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
}

static struct iommu_user user = {.page = page, .pa = host_pa, .va = host_va, .time = host_time};

static uint32_t cell(int node, const char *name, unsigned n)
{
    int bytes;
    const fdt32_t *cells = fdt_getprop(board.fdt, node, name, &bytes);
    return cells && bytes >= 4 * (int)(n + 1) ? fdt32_ld(cells + n) : 0;
}

static void take(int node, volatile void *registers, uint64_t base, bool wired)
{
    struct board_iommu *iommu = &iommus[iommu_count];
    *iommu = (struct board_iommu){.base = base,
                                  .phandle = fdt_get_phandle(board.fdt, node),
                                  .name = fdt_get_name(board.fdt, node, NULL)};
    const char *wrong = registers ? iommu_hw_init(&iommu->hw, registers, wired, &user)
                                  : "its registers can't be mapped";
    if (wrong) {
        host_error("board tree: %s is not used: %s", iommu->name, wrong);
        return;
    }
    iommu->source = wired ? cell(node, "interrupts", 0) : 0;
    iommu->type = wired ? cell(node, "interrupts", 1) : 0;
    iommu_count++;
}

void iommu_init(void)
{
    int node = -1;
    uint64_t base, size;
    user.patience = host_timebase() / 10;
    while ((node = fdt_node_offset_by_compatible(board.fdt, node, "riscv,iommu")) >= 0) {
        if (iommu_count < IOMMUS && fdt_reg(board.fdt, node, 0, &base, &size) && size >= REGISTERS)
            take(node, paging_map_device(base, REGISTERS), base, true);
    }
    while ((node = fdt_node_offset_by_compatible(board.fdt, node, "riscv,pci-iommu")) >= 0) {
        if (iommu_count < IOMMUS)
            take(node,
                 pci_claim(fdt_parent_offset(board.fdt, node), cell(node, "reg", 0) >> 8 & 255,
                           REGISTERS),
                 0, false);
    }
}

void iommu_print(void)
{
    for (unsigned n = 0; n < iommu_count; n++) {
        const struct iommu_hw *hw = &iommus[n].hw;
        host_print("iommu    %s, directory of %u level%s%s%s%s%s", iommus[n].name, hw->levels,
                   hw->levels == 1 ? "" : "s", iommu_hw_has_levels(hw, 3) ? ", Sv39x4" : "",
                   iommu_hw_has_levels(hw, 4) ? ", Sv48x4" : "",
                   iommu_hw_has_levels(hw, 5) ? ", Sv57x4" : "",
                   hw->extended ? ", MSI tables" : "");
    }
}

bool iommu_owns(uint64_t base)
{
    for (unsigned n = 0; n < iommu_count; n++) {
        if (iommus[n].base && iommus[n].base == base)
            return true;
    }
    return false;
}

static struct board_iommu *by_phandle(uint32_t phandle)
{
    for (unsigned n = 0; n < iommu_count; n++) {
        if (phandle && iommus[n].phandle == phandle)
            return &iommus[n];
    }
    return NULL;
}

/* `iommu-map`: requester ids from, IOMMU, its device ids from, how many. */
static struct board_iommu *find_pci(const struct pci_function *function, uint32_t *id)
{
    int bytes;
    uint32_t requester;
    int bridge = pci_requester(function, &requester);
    const fdt32_t *map = fdt_getprop(board.fdt, bridge, "iommu-map", &bytes);
    for (; map && bytes >= 16; map += 4, bytes -= 16) {
        uint32_t offset = requester - fdt32_ld(map);
        if (offset < fdt32_ld(map + 3)) {
            *id = fdt32_ld(map + 2) + offset;
            return by_phandle(fdt32_ld(map + 1));
        }
    }
    return NULL;
}

void iommu_adopt(struct passthrough *device)
{
    uint32_t id = 0;
    struct board_iommu *iommu;
    if (device->pci) {
        iommu = find_pci(device->pci, &id);
    } else {
        /* One pair: a device with several streams is not told apart, and so not behind one. */
        int bytes = 0;
        (void)fdt_getprop(board.fdt, device->node, "iommus", &bytes);
        iommu = bytes == 8 ? by_phandle(cell(device->node, "iommus", 0)) : NULL;
        id = cell(device->node, "iommus", 1);
    }
    if (!iommu || device_count == DEVICES || !iommu_hw_reserve(&iommu->hw, id))
        return;
    struct behind *behind = &devices[device_count++];
    *behind = (struct behind){.iommu = iommu, .id = id, .path = device->path};
    device->iommu = behind;
    device->messages = iommu_hw_has_msi(&iommu->hw);
}

/* The IOMMU can walk the table. */
static bool takes(const struct iommu_hw *hw, uint64_t table)
{
    unsigned levels = (unsigned)((table >> SATP_MODE_SHIFT) - SATP_MODE_SV39 + 3);
    return table && iommu_hw_has_levels(hw, levels);
}

/* A table of its own for an engine that has none, or one of a mode that the IOMMU lacks. 0: there
 * is none for it. */
static uint64_t own_table(struct vm *vm, const struct iommu_hw *hw)
{
    uint64_t *table = &own_tables[vm->index];
    if (*table)
        return takes(hw, *table) ? *table : 0;
    uint32_t modes = 0;
    for (unsigned levels = 3; levels <= 5; levels++)
        modes |= (uint32_t)iommu_hw_has_levels(hw, levels) << levels;
    *table = cald_table_create(vm_gpa_end(vm), modes);
    bool ok = *table != 0;
    for (unsigned n = 0; ok && n < vm->ram_chunks; n++) {
        const struct ram_chunk *chunk = &vm->ram[n];
        ok = cald_table_map(*table, chunk->gpa, host_pa(chunk->host), chunk->size) == CALD_OK;
    }
    for (unsigned n = 0; ok && n < vm->shared_count; n++) {
        const struct shared_window *window = &vm->shared[n];
        ok = cald_table_map(*table, window->base, host_pa(window->region->host),
                            window->region->size) == CALD_OK;
    }
    return ok ? *table : 0;
}

bool iommu_start(struct vm *vm, const struct passthrough *device)
{
    struct behind *behind = device->iommu;
    struct board_iommu *iommu = behind->iommu;
    uint64_t table = cald_vm_second_stage(vm->cald);
    if (!takes(&iommu->hw, table))
        table = own_table(vm, &iommu->hw);
    if (!table) {
        vm_error(vm->config->name,
                 "property passthrough: no memory is left for %s's tables, or %s has no mode for "
                 "addresses up to %#lx",
                 device->path, iommu->name, vm_gpa_end(vm) - 1);
        return false;
    }
    struct iommu_context context = {.second_stage = table, .vm = vm->index + 1};
    if (device->pci && device->pci->messages) {
        context.msi_table = msi_table(vm);
        context.msi_mask = GUEST_IMSIC_SIZE / GUEST_IMSIC_PAGE - 1;
        context.msi_pattern = GUEST_IMSIC_BASE / GUEST_IMSIC_PAGE;
        if (!context.msi_table) {
            vm_error(vm->config->name, "property passthrough: no memory is left for %s's messages",
                     device->path);
            return false;
        }
    }
    vm->msi_devices = vm->config->irqchip == IRQCHIP_IMSIC;
    lock_take(&iommu->lock);
    behind->vm = vm;
    bool ok = iommu_hw_attach(&iommu->hw, behind->id, &context);
    lock_release(&iommu->lock);
    if (!ok)
        vm_error(vm->config->name, "property passthrough: the IOMMU %s does not take %s",
                 iommu->name, device->path);
    return ok;
}

bool iommu_stop(struct vm *vm, const struct passthrough *device)
{
    struct behind *behind = device->iommu;
    lock_take(&behind->iommu->lock);
    bool ok = iommu_hw_detach(&behind->iommu->hw, behind->id, vm->index + 1);
    lock_release(&behind->iommu->lock);
    return ok;
}

void iommu_flush(struct vm *vm)
{
    uint32_t done = 0;
    for (unsigned n = 0; n < vm->device_count; n++) {
        const struct behind *behind = vm->devices[n].iommu;
        if (!behind || done >> (behind->iommu - iommus) & 1)
            continue;
        done |= 1U << (behind->iommu - iommus);
        lock_take(&behind->iommu->lock);
        iommu_hw_flush(&behind->iommu->hw, vm->index + 1);
        lock_release(&behind->iommu->lock);
    }
}

void iommu_forget(struct vm *vm)
{
    vm->msi_devices = false;
    msi_forget(vm);
    cald_table_destroy(own_tables[vm->index]);
    own_tables[vm->index] = 0;
}

const struct iommu_hw *iommu_number(unsigned n)
{
    return n < iommu_count ? &iommus[n].hw : NULL;
}

uint64_t iommu_own_table(const struct vm *vm)
{
    return own_tables[vm->index];
}

/* --- Faults ---------------------------------------------------------------- */

static struct behind *find_behind(const struct board_iommu *iommu, uint32_t id)
{
    for (unsigned n = 0; n < device_count; n++) {
        if (devices[n].iommu == iommu && devices[n].id == id)
            return &devices[n];
    }
    return NULL;
}

static void tell(const struct board_iommu *iommu, const struct iommu_fault *fault)
{
    static const char *const names[] = {"read from", "write to", "fetch from", "request at"};
    static struct behind stranger; /* all those that no VM has, together */
    struct behind *behind = find_behind(iommu, fault->device);
    struct behind *rate = behind ? behind : &stranger;
    uint64_t now = host_time();
    if (now < rate->quiet_until) {
        rate->counted++;
        return;
    }
    rate->quiet_until = now + host_timebase();
    if (behind && behind->vm)
        vm_error(behind->vm->config->name, "%s: DMA %s %#lx is blocked: %s (%lu more before)",
                 behind->path, names[fault->access], fault->address, iommu_cause_name(fault->cause),
                 rate->counted);
    else
        host_error("%s: device %#x: DMA %s %#lx is blocked: %s (%lu more before)", iommu->name,
                   fault->device, names[fault->access], fault->address,
                   iommu_cause_name(fault->cause), rate->counted);
    rate->counted = 0;
}

/* True: there were any. */
static bool drain(struct board_iommu *iommu)
{
    struct iommu_fault fault;
    unsigned count = 0;
    while (count < FAULTS_AT_ONCE && iommu_hw_fault(&iommu->hw, &fault)) {
        tell(iommu, &fault);
        count++;
    }
    return count;
}

/* After an interrupt there is none for a while: a device that does nothing but faults must not take
 * the hart's time. */
static void on_interrupt(void)
{
    for (unsigned n = 0; n < iommu_count; n++) {
        drain(&iommus[n]);
        if (iommus[n].interrupts)
            iommu_hw_interrupt(&iommus[n].hw, false);
    }
    hart_poll_soon(&harts[console_hart]);
}

bool iommu_poll(void)
{
    bool again = false;
    for (unsigned n = 0; n < iommu_count; n++) {
        struct board_iommu *iommu = &iommus[n];
        bool some = drain(iommu);
        iommu_hw_interrupt(&iommu->hw, !some && iommu->interrupts);
        again |= some || !iommu->interrupts || drain(iommu); /* what came just before it was on */
    }
    return again;
}

void iommu_begin(void)
{
    msi_begin();
    for (unsigned n = 0; n < iommu_count; n++)
        iommus[n].interrupts =
            iommus[n].source &&
            device_irq_listen(iommus[n].source, iommus[n].type, on_interrupt) == 0;
    if (iommu_poll())
        hart_poll_soon(&harts[console_hart]);
}
