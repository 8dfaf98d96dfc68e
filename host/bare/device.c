/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of the board that VMs have: their DMA begins and ends with the VM. */
#include <libfdt.h>

#include "appliance/print.h"
#include "appliance/vm.h"
#include "drivers/mmio.h"
#include "host/bare/board.h"
#include "host/bare/iommu.h"
#include "host/bare/paging.h"
#include "host/bare/pci.h"
#include "host/host.h"
#include "riscv/asm.h"

/* Virtio 1.2, 4.2.2: writing 0 resets the device, which ends its DMA. */
#define VIRTIO_STATUS 0x70

void host_device_adopt(struct passthrough *device)
{
    iommu_adopt(device);
    if (!device->pci && !fdt_node_check_compatible(board_tree.fdt, device->node, "virtio,mmio"))
        device->host_regs = paging_map_device(device->regs[0].base, device->regs[0].size);
}

bool host_device_start(struct vm *vm, const struct passthrough *device)
{
    sfence_vma_all(); /* its registers were mapped on another hart */
    if (device->pci)
        pci_start(device);
    return !device->iommu || iommu_start(vm, device);
}

/* It is reset when its status reads 0 (Virtio 1.2, 4.2.3.1.1). False after a line. */
static bool reset_virtio(const struct vm *vm, const struct passthrough *device)
{
    volatile uint8_t *status = (volatile uint8_t *)device->host_regs + VIRTIO_STATUS;
    mmio_write32(status, 0);
    uint64_t since = host_time();
    uint32_t now;
    while ((now = mmio_read32(status))) {
        if (host_time() - since > host_timebase() / 10) {
            vm_error(vm->config->name, "%s does not answer its reset: its status stays %#x",
                     device->path, (unsigned)now);
            return false;
        }
    }
    return true;
}

/* First the device itself, as well as it can, then its way to memory. Reset comes last: while that
 * takes its time nobody can look at the function. */
bool host_device_stop(struct vm *vm, const struct passthrough *device)
{
    bool stopped = false;
    sfence_vma_all(); /* as above */
    if (device->pci)
        stopped = pci_quiet(device);
    if (device->host_regs)
        stopped = reset_virtio(vm, device);
    if (device->iommu)
        stopped = iommu_stop(vm, device);
    if (device->pci && !pci_reset(device))
        vm_info(vm->config->name, "%s keeps its state: it has no reset of its own", device->path);
    return stopped;
}

void host_devices_stopped(struct vm *vm)
{
    iommu_forget(vm);
}
