/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device interrupts through the board's interrupt controller: the console's, and those of devices
 * that belong to VMs.
 *
 * A forwarded source is claimed here and completed when its guest has completed it at the virtual
 * controller: until then the board's stays shut, so that a level that only the guest can lower does
 * not interrupt again and again.
 */
#include "host/bare/device_irq.h"

#include <libfdt.h>

#include "core/vm.h"
#include "drivers/mmio.h"
#include "host/bare/board.h"
#include "host/bare/console.h"
#include "host/bare/irqchip.h"
#include "host/bare/paging.h"
#include "host/host.h"
#include "riscv/asm.h"

#define NOT_CLAIMED (-1)

static struct lock lock; /* enable registers hold 32 sources each, identities are given out */
static struct uart *port;
static bool usable;

static struct forward {
    struct vm *_Atomic vm;
    _Atomic int context; /* where it is claimed, or NOT_CLAIMED */
    unsigned enabled_at; /* the context that takes it */
} forwards[GUEST_PLIC_SOURCES];

void device_irq_init(struct uart *uart)
{
    port = uart;
    for (unsigned n = 0; n < GUEST_PLIC_SOURCES; n++)
        atomic_store(&forwards[n].context, NOT_CLAIMED);
    usable = irqchip_init();
}

void device_irq_begin(struct hart *hart)
{
    hart->irq_context = usable ? irqchip_hart_init(hart) : -1;
}

bool device_irq_console(const struct hart *hart)
{
    if (hart->irq_context < 0 || !board_tree.uart_irq)
        return false;
    lock_take(&lock);
    bool enabled =
        irqchip_enable(board_tree.uart_irq, board_tree.uart_irq_type, (unsigned)hart->irq_context);
    lock_release(&lock);
    return enabled && port->driver->enable_rx_irq(port);
}

void device_irq_serve(unsigned context)
{
    /* One a call: what is still pending brings us here again, after other work had its turn. */
    unsigned source = irqchip_claim(context);
    if (!source)
        return;
    if (source < GUEST_PLIC_SOURCES) {
        struct vm *vm = atomic_load(&forwards[source].vm);
        if (vm) {
            atomic_store(&forwards[source].context, (int)context);
            plic_pulse(&vm->plic, source);
            return;
        }
    }
    if (source == board_tree.uart_irq)
        console_poll();
    irqchip_complete(source, context);
}

static void complete(struct forward *forward, unsigned source)
{
    int context = atomic_exchange(&forward->context, NOT_CLAIMED);
    if (context != NOT_CLAIMED)
        irqchip_complete(source, (unsigned)context);
}

void host_irq_complete(struct vm *vm, unsigned source)
{
    struct forward *forward = &forwards[source];
    if (source < GUEST_PLIC_SOURCES && atomic_load(&forward->vm) == vm)
        complete(forward, source);
}

void host_irq_attach(struct vm *vm, unsigned source, unsigned type)
{
    /* To the hart where the VM's first vCPU is: most kernels take device interrupts there. */
    const struct hart *hart = &harts[atomic_load(&vm->vcpus[0].hart)];
    struct forward *forward = &forwards[source];
    if (!usable || hart->irq_context < 0)
        return;
    complete(forward, source); /* from an earlier life, if it was claimed just as that ended */
    atomic_store(&forward->vm, vm);
    forward->enabled_at = (unsigned)hart->irq_context;
    lock_take(&lock);
    bool enabled = irqchip_enable(source, type, forward->enabled_at);
    lock_release(&lock);
    if (!enabled)
        host_error("the board's interrupt controller has no place left for source %u", source);
}

void host_irq_detach(struct vm *vm, unsigned source)
{
    struct forward *forward = &forwards[source];
    if (atomic_load(&forward->vm) != vm)
        return;
    lock_take(&lock);
    irqchip_disable(source, forward->enabled_at);
    lock_release(&lock);
    atomic_store(&forward->vm, NULL);
    complete(forward, source);
}

bool host_uses_device(uint64_t base)
{
    return board_tree.uart_bytes && base == (board_tree.uart_base & ~(HOST_PAGE_SIZE - 1)) &&
           port->driver != &uart_sbi;
}

#define VIRTIO_STATUS                                                                              \
    0x70 /* virtio 1.2, 4.2.2: writing 0 resets the device, which ends its DMA                     \
          */

void host_device_adopt(struct passthrough *device)
{
    if (!fdt_node_check_compatible(board_tree.fdt, device->node, "virtio,mmio"))
        device->host_regs = paging_map_device(device->regs[0].base, device->regs[0].size);
}

bool host_device_stop(const struct passthrough *device)
{
    if (!device->host_regs)
        return false;
    sfence_vma_all(); /* it was mapped on another hart */
    mmio_write32((volatile uint8_t *)device->host_regs + VIRTIO_STATUS, 0);
    return true;
}
