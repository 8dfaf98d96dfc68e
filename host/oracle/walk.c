/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A walker of its own over each table by which a guest or a device reaches memory: engine h's
 * second stage, all shadow roots of each vCPU, and what IOMMUs' directories lead to. Formats:
 * privileged manual, "Sv39", "Two-Stage Address Translation"; RISC-V IOMMU specification 1.0,
 * "Device-Directory- Table", "Device-Context". Harts change these tables meanwhile, so what looks
 * wrong is looked at again before it counts.
 */
#include "host/oracle/oracle.h"

#include <stdio.h>

#include "host/bare/board.h"
#include "host/bare/iommu.h"
#include "host/host.h"
#include "lib/engine/shadow/shadow.h"
#include "lib/machine/machine.h"
#include "lib/vm/vm.h"
#include "riscv/csr.h"

#define TRIES 4
#define DC_VALID 1UL
#define DC_GSCID(word) ((word) >> 44 & 0xffff)
#define ENTRY_PA(entry) ((entry) >> 10 << 12 & 0xfffffffffff000)

/* One walk. */
struct walk {
    const struct vm *vm;
    const char *what; /* kind of table */
    bool shadow;
    char wrong[240]; /* what is, or "" */
};

static _Atomic unsigned changing[VM_MAX], changed[VM_MAX];
static unsigned long leaves, walks;

void walk_changes(const struct vm *vm, bool begins)
{
    atomic_fetch_add(&changed[vm->index], 1);
    if (begins)
        atomic_fetch_add(&changing[vm->index], 1);
    else
        atomic_fetch_sub(&changing[vm->index], 1);
}

bool walk_is_changing(unsigned index)
{
    return atomic_load(&changing[index]);
}

#define WRONG(walk, ...) ((void)snprintf((walk)->wrong, sizeof((walk)->wrong), __VA_ARGS__))

static bool has_shared(const struct vm *vm, uint64_t pa)
{
    for (unsigned n = 0; n < vm->shared_count; n++) {
        if (pa - host_pa(vm->shared[n].region->host) < vm->shared[n].region->size)
            return true;
    }
    for (unsigned n = 0; vm->driver && n < vm->driver->devices; n++) {
        const struct virtio_vhost *device = vm->driver->device[n];
        if (pa - host_pa(device->ring) < VHOST_RING_BYTES ||
            (device->window && pa - host_pa(device->window) < VHOST_WINDOW_BYTES))
            return true;
    }
    return false;
}

static bool has_device(const struct vm *vm, uint64_t pa)
{
    for (unsigned d = 0; d < vm->device_count; d++) {
        for (unsigned r = 0; r < vm->devices[d].reg_count; r++) {
            uint64_t base = vm->devices[d].regs[r].base & ~(HOST_PAGE_SIZE - 1);
            if (pa - base < (vm->devices[d].regs[r].size + HOST_PAGE_SIZE - 1))
                return true;
        }
    }
    return false;
}

/* A page of the library's that its guest reads as a device's registers. */
static bool is_registers(const struct vm *vm, uint64_t pa)
{
    const struct memory *memory = &vm->cald->eng.memory;
    for (unsigned n = 0; n < memory->slots; n++) {
        const struct slot *slot = &memory->slot[n];
        if (slot_flags(slot) & SLOT_REGISTERS && pa - slot->pa < slot_size(slot))
            return true;
    }
    return false;
}

/* A hart's guest interrupt file; which one, and whose it is, is not looked at here. */
static bool is_file(const struct walk *walk, uint64_t address)
{
    return !walk->shadow && walk->vm->config->irqchip == IRQCHIP_IMSIC &&
           address - GUEST_IMSIC_BASE < GUEST_IMSIC_SIZE;
}

/* What a page may be to the VM whose table has it. */
static bool may_have(const struct walk *walk, uint64_t address, uint64_t pa, uint64_t entry)
{
    const struct vm *vm = walk->vm;
    struct owner owner;
    if (!owner_of(pa, &owner))
        return has_device(vm, pa) || is_file(walk, address);
    if (owner.kind == OWNER_RAM)
        return owner.vm == vm->index + 1 || owner_is_client(vm, owner.vm);
    if (owner.kind == OWNER_SHARED)
        return has_shared(vm, pa);
    if (entry & PTE_W)
        return false;
    if (entry & PTE_X) /* engine shadow's copies of code, which were taken for this VM */
        return walk->shadow && !(entry & PTE_R) && owner.kind == OWNER_OWN &&
               owner.vm == vm->index + 1;
    return is_registers(vm, pa);
}

static void leaf(struct walk *walk, uint64_t address, uint64_t bytes, uint64_t entry)
{
    uint64_t pa = ENTRY_PA(entry);
    leaves++;
    for (uint64_t at = 0; at < bytes; at += HOST_PAGE_SIZE) {
        struct owner owner;
        if (may_have(walk, address + at, pa + at, entry))
            continue;
        bool ram = owner_of(pa + at, &owner);
        WRONG(walk, "VM %s reaches page %#lx, which is %s, at %#lx by its %s (entry %#lx)",
              walk->vm->config->name, pa + at, ram ? owner_name(&owner) : "no device of its",
              address + at, walk->what, entry);
        return;
    }
}

/* Caldarium's own way in and out of shadow roots, which no guest's mode reaches. */
static bool is_way(const struct walk *walk, uint64_t entry)
{
    const struct s_machine *s = &walk->vm->cald->eng.machine->s;
    for (unsigned n = 0; walk->shadow && n < S_TRAMPOLINES * S_LEVELS; n++) {
        if (entry == s->way[n / S_LEVELS][n % S_LEVELS])
            return true;
    }
    return false;
}

static bool is_table_page(const struct walk *walk, uint64_t pa)
{
    struct owner owner;
    return owner_of(pa, &owner) && owner.kind == OWNER_OWN && owner.vm == walk->vm->index + 1;
}

static void table(struct walk *walk, const uint64_t *entries, unsigned level, unsigned count,
                  uint64_t address)
{
    for (unsigned n = 0; n < count && !walk->wrong[0]; n++) {
        uint64_t entry = *(const volatile uint64_t *)&entries[n],
                 bytes = HOST_PAGE_SIZE << 9 * level;
        uint64_t at = address + n * bytes, pa = ENTRY_PA(entry);
        if (!(entry & PTE_V) || is_way(walk, entry))
            continue;
        if (entry & (PTE_R | PTE_W | PTE_X)) {
            if (entry & PTE_U || !walk->shadow) /* guests run in U-mode there */
                leaf(walk, at, bytes, entry);
        } else if (!level || !is_table_page(walk, pa)) {
            WRONG(walk, "VM %s: its %s has a table at %#lx (for %#lx) that isn't its",
                  walk->vm->config->name, walk->what, pa, at);
        } else {
            table(walk, host_va(pa), level - 1, 512, at);
        }
    }
}

static void root(struct walk *walk, uint64_t satp, unsigned first)
{
    unsigned levels = (unsigned)(satp >> SATP_MODE_SHIFT) - SATP_MODE_SV39 + 3;
    uint64_t pa = (satp & SATP_PPN_MASK) << 12;
    if (!is_table_page(walk, pa))
        WRONG(walk, "VM %s: its %s has a root at %#lx that isn't its", walk->vm->config->name,
              walk->what, pa);
    else
        table(walk, host_va(pa), levels - 1, first, 0);
}

static uint64_t second_stage(const struct vm *vm)
{
    const struct gstage *table = &vm->cald->eng.h.gstage;
    uint64_t mode = SATP_MODE_SV39 + table->levels - 3;
    return mode << SATP_MODE_SHIFT | host_pa(table->root) >> 12;
}

static void walk_h(struct walk *walk)
{
    walk->what = "second stage";
    root(walk, second_stage(walk->vm), 2048);
}

static void walk_shadow(struct walk *walk)
{
    walk->what = "shadow tables";
    walk->shadow = true;
    for (unsigned n = 0; n < walk->vm->cald->vcpu_count; n++) {
        const struct s_vcpu *s = &walk->vm->cald->vcpus[n].eng.s;
        for (unsigned i = 0; i < S_SPACES * S_VIEWS; i++) {
            uint64_t satp =
                *(const volatile uint64_t *)&s->space[i / S_VIEWS].view[i % S_VIEWS].satp;
            if (satp)
                root(walk, satp, 512);
        }
    }
}

static bool is_made(const struct vm *vm)
{
    return vm->cald && vm->taken && !vm->quarantined;
}

/* Again while it looks wrong, as long as nobody makes or ends the VM. */
static void look(const struct vm *vm, void (*how)(struct walk *walk))
{
    struct walk walk = {.vm = vm};
    unsigned before = atomic_load(&changed[vm->index]);
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (walk_is_changing(vm->index) || !is_made(vm))
            return;
        walk.wrong[0] = 0;
        how(&walk);
        if (!walk.wrong[0])
            return;
    }
    if (atomic_load(&changed[vm->index]) == before && !walk_is_changing(vm->index))
        panic("oracle: %s", walk.wrong);
}

void walk_one(const struct vm *vm)
{
    look(vm, vm->config->engine == ENGINE_H ? walk_h : walk_shadow);
}

/* ---- Devices --------------------------------------------------------------------------------- */

/* By which of the tables a device reaches memory. */
static uint64_t device_root;

static void walk_device(struct walk *walk)
{
    uint64_t own = iommu_own_table(walk->vm), ppn = device_root & SATP_PPN_MASK;
    uint64_t shared = walk->vm->config->engine == ENGINE_H ? second_stage(walk->vm) : 0;
    walk->what = "table for devices";
    if (ppn != (own & SATP_PPN_MASK) && ppn != (shared & SATP_PPN_MASK))
        WRONG(walk, "VM %s: a device of its has a root at %#lx that isn't its",
              walk->vm->config->name, ppn << 12);
    else
        root(walk, device_root & ~(0xffffUL << 44), 2048);
}

typedef void visitor(const struct vm *vm, uint64_t root);

/* Each valid context in a directory's table. */
static void contexts(const struct iommu_hw *hw, const uint64_t *entries, unsigned level,
                     visitor *visit)
{
    unsigned words = hw->extended ? 8 : 4;
    for (unsigned n = 0; n < 512; n += level ? 1 : words) {
        uint64_t entry = *(const volatile uint64_t *)&entries[n];
        if (!(entry & DC_VALID))
            continue;
        if (level) {
            contexts(hw, host_va(ENTRY_PA(entry)), level - 1, visit);
            continue;
        }
        uint64_t stage = entries[n + 1], number = DC_GSCID(stage);
        if (!number || number > vm_count)
            panic("oracle: an IOMMU has a device whose VM is number %lu: there is none", number);
        visit(&vms[number - 1], stage);
    }
}

static void each_context(visitor *visit)
{
    const struct iommu_hw *hw;
    for (unsigned n = 0; (hw = iommu_number(n)); n++)
        contexts(hw, hw->directory, hw->levels - 1, visit);
}

static void check_context(const struct vm *vm, uint64_t stage)
{
    if (!is_made(vm) && !vm->quarantined && !walk_is_changing(vm->index))
        panic("oracle: a device may reach the memory of VM %s, which has none", vm->config->name);
    device_root = stage;
    look(vm, walk_device);
}

static const struct vm *gone;

static void check_gone(const struct vm *vm, uint64_t stage)
{
    (void)stage;
    if (vm == gone)
        panic("oracle: RAM of VM %s is given back, and a device may still reach it",
              vm->config->name);
}

/* Called by harts that end VMs, beside the console's that walks: each has its own. */
void walk_no_device(const struct vm *vm)
{
    static struct lock lock;
    lock_take(&lock);
    gone = vm;
    each_context(check_gone);
    lock_release(&lock);
}

void walk_all(void)
{
    for (unsigned n = 0; n < vm_count; n++) {
        if (vms[n].cald)
            walk_one(&vms[n]);
    }
    each_context(check_context);
    walks++;
}

void walk_tell(void);
void walk_tell(void)
{
    host_print("oracle   %lu walks, %lu leaves, nothing wrong", walks, leaves);
}

/* ---- What a test wants found ----------------------------------------------------------------- */

static uint64_t others_page(void)
{
    return host_pa(vms[1].ram[0].host);
}

/* The first leaf below that a guest has: now the other VM's page. */
static bool bend(const uint64_t *entries, unsigned level, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        uint64_t entry = entries[n];
        if (!(entry & PTE_V) || !host_va(ENTRY_PA(entry)))
            continue;
        if (entry & (PTE_R | PTE_X)) {
            if (entry & PTE_U && level <= 1) {
                uint64_t page = others_page() & ~((HOST_PAGE_SIZE << 9 * level) - 1);
                *(volatile uint64_t *)&entries[n] = page >> 12 << 10 | (entry & 0x3ff);
                return true;
            }
        } else if (level && bend(host_va(ENTRY_PA(entry)), level - 1, 512)) {
            return true;
        }
    }
    return false;
}

static void bend_root(uint64_t satp, unsigned count)
{
    if (satp)
        bend(host_va((satp & SATP_PPN_MASK) << 12), (unsigned)(satp >> SATP_MODE_SHIFT) - 6, count);
}

static void plant_context(const struct vm *vm, uint64_t stage)
{
    if (vm == &vms[0])
        bend_root(stage & ~(0xffffUL << 44), 2048);
}

void plant(void)
{
    if (vm_count < 2 || !is_made(&vms[0]) || !is_made(&vms[1]) || walk_is_changing(0) ||
        walk_is_changing(1))
        return;
    if (plant_is("second-stage"))
        bend_root(second_stage(&vms[0]), 2048);
    else if (plant_is("shadow"))
        bend_root(vms[0].cald->vcpus[0].eng.s.space[0].view[S_KERNEL].satp, 512);
    else if (plant_is("device"))
        each_context(plant_context);
    else if (plant_is("freed"))
        host_pages_free(vms[1].ram[0].host, HOST_PAGE_SIZE);
}
