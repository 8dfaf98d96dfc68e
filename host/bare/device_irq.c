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

#include "appliance/vm.h"
#include "drivers/mmio.h"
#include "host/bare/board.h"
#include "host/bare/console.h"
#include "host/bare/iommu.h"
#include "host/bare/irqchip.h"
#include "host/bare/paging.h"
#include "host/bare/pci.h"
#include "host/bare/sched.h"
#include "host/host.h"

static struct lock lock; /* enable registers hold 32 sources each, identities are given out */
static struct uart *port;
static bool usable;

static struct forward {
    struct cald_vm *_Atomic vm;
    _Atomic int claimed; /* and not completed: it is shut */
    unsigned enabled_at; /* the context that takes it, where a completion counts */
} * forwards;            /* of sources 0..board.irq_sources */

static struct {
    unsigned source;
    void (*handler)(void);
} listeners[DEVICE_IRQ_LISTENERS];
static unsigned listener_count;

void device_irq_init(struct uart *uart)
{
    port = uart;
    forwards = host_pages_alloc(sizeof(struct forward) * (board.irq_sources + 1UL), HOST_PAGE_SIZE);
    if (!forwards)
        host_error("no memory to forward the interrupts of %u sources", board.irq_sources);
    usable = forwards && irqchip_init();
}

/* NULL: there is no such source. */
static struct forward *forward_of(unsigned source)
{
    return usable && source <= board.irq_sources ? &forwards[source] : NULL;
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
    return enabled && console_interrupts();
}

int device_irq_listen(unsigned source, unsigned type, void (*handler)(void))
{
    const struct hart *hart = &harts[console_hart];
    if (!usable || hart->irq_context < 0 || listener_count == DEVICE_IRQ_LISTENERS)
        return -1;
    listeners[listener_count].source = source;
    listeners[listener_count].handler = handler;
    listener_count++; /* before it can interrupt */
    lock_take(&lock);
    bool enabled = irqchip_enable(source, type, (unsigned)hart->irq_context);
    lock_release(&lock);
    return enabled ? 0 : -1;
}

void device_irq_serve(unsigned context)
{
    /* One a call: what is still pending brings us here again, after other work had its turn. */
    unsigned source = irqchip_claim(context);
    if (!source)
        return;
    bool ours = source == board_tree.uart_irq;
    if (ours)
        hart_serve_console();
    for (unsigned n = 0; n < listener_count; n++) {
        if (listeners[n].source == source) {
            listeners[n].handler();
            ours = true;
        }
    }
    struct forward *forward = forward_of(source);
    if (ours || !forward) {
        irqchip_complete(source, context);
        return;
    }
    atomic_store(&forward->claimed, 1);
    struct cald_vm *vm = atomic_load(&forward->vm);
    if (vm)
        cald_vm_irq_fired(vm, source);
    /* Else nobody's: it stays shut until a VM has it, whatever its wire does. */
}

static void complete(struct forward *forward, unsigned source)
{
    if (atomic_exchange(&forward->claimed, 0))
        irqchip_complete(source, forward->enabled_at);
}

void host_irq_complete(struct cald_vm *vm, unsigned source)
{
    struct forward *forward = forward_of(source);
    if (forward && atomic_load(&forward->vm) == vm)
        complete(forward, source);
}

void host_irq_attach(struct cald_vm *vm, unsigned source, unsigned type)
{
    /* To the hart where the VM's first vCPU is: most kernels take device interrupts there. */
    const struct hart *hart = &harts[atomic_load(&sched_entity(cald_vm_vcpu(vm, 0))->home)];
    struct forward *forward = forward_of(source);
    if (!forward || hart->irq_context < 0)
        return;
    forward->enabled_at = (unsigned)hart->irq_context;
    atomic_store(&forward->vm, vm);
    lock_take(&lock);
    bool enabled = irqchip_enable(source, type, forward->enabled_at);
    lock_release(&lock);
    /* From an earlier life. A PLIC takes a completion only where the source is enabled ("Interrupt
     * Completion"). */
    complete(forward, source);
    if (!enabled)
        host_error("the board's interrupt controller has no place left for source %u", source);
}

void host_irq_detach(struct cald_vm *vm, unsigned source)
{
    struct forward *forward = forward_of(source);
    if (!forward || atomic_load(&forward->vm) != vm)
        return;
    lock_take(&lock);
    irqchip_disable(source, forward->enabled_at);
    lock_release(&lock);
    atomic_store(&forward->vm, NULL); /* what is claimed stays so until the next attach */
}

bool host_uses_device(uint64_t base)
{
    bool console = board_tree.uart_bytes &&
                   base == (board_tree.uart_base & ~(HOST_PAGE_SIZE - 1)) &&
                   port->driver != &uart_sbi;
    return console || pci_owns(base) || iommu_owns(base);
}
