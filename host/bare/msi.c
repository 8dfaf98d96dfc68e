/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device's message goes straight to the guest interrupt file that its vCPU has on its hart. While
 * the vCPU has none, the IOMMU sets a bit in memory and sends a notice to the console's hart, which
 * hands the message on. These bits are the IOMMU's alone, apart from the vCPU's own file in memory
 * (lib/irq/imsic.h), so that an IOMMU whose update is no atomic one (QEMU's) loses nothing of what
 * others post there.
 */
#include "host/bare/msi.h"

#include "riscv/lock.h"
#include "caldarium/devices.h"
#include "appliance/vm.h"
#include "drivers/iommu/msi.h"
#include "drivers/mmio.h"
#include "host/bare/hart.h"
#include "host/bare/iommu.h"
#include "host/bare/irqchip.h"
#include "host/host.h"

#define TABLE_BYTES HOST_PAGE_SIZE

struct mrif {
    struct {
        _Atomic uint64_t pending, enable;
    } pair[IOMMU_MRIF_PAIRS];
};
_Static_assert(sizeof(struct mrif) == IOMMU_MRIF_BYTES, "as the specification has it");

static struct lock lock; /* of the tables' coming and going against a notice; not of entries */
static struct irqchip_msi notice;
static bool notices;

/* A table, and behind it a file in memory for each vCPU. */
static struct {
    uint64_t *table;
    struct mrif *files;
    uint64_t bytes;
} vm_msi[VM_MAX];

/* What the IOMMU has left for a vCPU, into its own file in memory. True: there was something. */
static bool move(struct cald_vcpu *vcpu)
{
    struct mrif *from = &vm_msi[vm_of_vcpu(vcpu)->index].files[cald_vcpu_id(vcpu)];
    bool some = false;
    for (unsigned w = 0; w < (CALD_MAX_IMSIC_IDS + 1) / 64; w++) {
        uint64_t bits =
            atomic_load(&from->pair[w].pending) ? atomic_exchange(&from->pair[w].pending, 0) : 0;
        for (; bits; bits &= bits - 1)
            some |= cald_vcpu_post(vcpu, w * 64 + (unsigned)__builtin_ctzl(bits));
    }
    return some;
}

/* How often devices send is their drivers' affair, and on whose hart it is served is not: while
 * notices come one after the other, they get a part of that hart's time in so many, and none sooner
 * than what an interrupt itself costs has paid for. */
#define NOTICE_PART 10
#define NOTICES_PER_SECOND 50000

static void on_notice(void *owner)
{
    (void)owner;
    uint64_t began = host_time();
    lock_take(&lock);
    for (unsigned n = 0; n < vm_count; n++) {
        for (unsigned v = 0; vm_msi[n].table && v < vm_vcpu_count(&vms[n]); v++) {
            if (move(cald_vm_vcpu(vms[n].cald, v)))
                cald_vcpu_messages(cald_vm_vcpu(vms[n].cald, v));
        }
    }
    lock_release(&lock);
    uint64_t now = host_time(), pause = (NOTICE_PART - 1) * (now - began);
    uint64_t least = host_timebase() / NOTICES_PER_SECOND;
    irqchip_msi_hold(&notice, true);
    hart_notice_deadline(now + (pause > least ? pause : least));
}

void msi_notice_again(void)
{
    irqchip_msi_hold(&notice, false);
}

void msi_begin(void)
{
    const struct hart *hart = &harts[console_hart];
    notices = hart->irq_context >= 0 &&
              irqchip_msi((unsigned)hart->irq_context, on_notice, NULL, &notice);
}

uint64_t msi_table(struct vm *vm)
{
    if (vm_msi[vm->index].table)
        return host_pa(vm_msi[vm->index].table);
    uint64_t bytes = TABLE_BYTES + (uint64_t)vm_vcpu_count(vm) * sizeof(struct mrif);
    uint64_t *table = notices ? host_pages_alloc(bytes, HOST_PAGE_SIZE) : NULL;
    if (!table)
        return 0;
    struct mrif *files = (struct mrif *)((uint8_t *)table + TABLE_BYTES);
    for (unsigned v = 0; v < vm_vcpu_count(vm); v++) {
        for (unsigned w = 0; w < IOMMU_MRIF_PAIRS; w++)
            atomic_store(&files[v].pair[w].enable, UINT64_MAX); /* a notice for each */
        table[IOMMU_MSI_ENTRY_WORDS * v] = iommu_msi_memory(host_pa(&files[v]));
        table[IOMMU_MSI_ENTRY_WORDS * v + 1] = iommu_msi_notice(notice.address, notice.data);
    }
    lock_take(&lock);
    vm_msi[vm->index].table = table;
    vm_msi[vm->index].files = files;
    vm_msi[vm->index].bytes = bytes;
    lock_release(&lock);
    return host_pa(table);
}

void msi_forget(struct vm *vm)
{
    lock_take(&lock);
    uint64_t *table = vm_msi[vm->index].table;
    vm_msi[vm->index].table = NULL;
    lock_release(&lock);
    if (table)
        host_pages_free(table, vm_msi[vm->index].bytes);
}

/* No message may fall between two places: the entry changes by one store, and what the IOMMU still
 * put into memory by the old one is moved when its fence has been answered. */
void host_msi_retarget(struct cald_vcpu *vcpu, uint64_t file_pa)
{
    uint64_t *table = vm_msi[vm_of_vcpu(vcpu)->index].table;
    if (!table) { /* the second stage has the file's page, and the IOMMU may remember it */
        iommu_flush(vm_of_vcpu(vcpu));
        return;
    }
    uint64_t entry =
        file_pa
            ? iommu_msi_file(file_pa)
            : iommu_msi_memory(host_pa(&vm_msi[vm_of_vcpu(vcpu)->index].files[cald_vcpu_id(vcpu)]));
    *(volatile uint64_t *)&table[IOMMU_MSI_ENTRY_WORDS * cald_vcpu_id(vcpu)] = entry;
    mmio_fence();
    iommu_flush(vm_of_vcpu(vcpu));
    move(vcpu);
}
