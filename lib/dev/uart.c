/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/dev/uart.h"

#include "caldarium/caldarium.h"
#include "lib/vm/vm.h"
#include "host/host.h"

static bool uart_send(void *owner, uint8_t byte)
{
    return host_console_write(owner, (const char *)&byte, 1);
}

static size_t uart_room(void *owner)
{
    return host_console_room(owner);
}

static void uart_sent(void *owner)
{
    host_console_sent(owner);
}

static bool uart_hurry(void *owner, uint8_t byte)
{
    return host_console_hurry(owner, byte);
}

static void uart_taken(void *owner)
{
    host_console_taken(owner);
}

static void uart_irq(void *owner, bool data, enum ns16550a_empty empty)
{
    struct cald_vm *vm = owner;
    vm_irq_level_and_edge(vm, vm->uart_irq, data, empty != NS16550A_FULL,
                          empty == NS16550A_EMPTIED);
}

static int uart_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                     uint64_t *value)
{
    (void)vcpu;
    return ns16550a_read(device, (uint32_t)offset, width, value) ? CALD_OK : CALD_EFAULT;
}

static int uart_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                      uint64_t value)
{
    (void)vcpu;
    switch (ns16550a_write(device, (uint32_t)offset, width, value)) {
    case NS16550A_DONE:
        return CALD_OK;
    case NS16550A_AGAIN:
        return CALD_EBUSY;
    default:
        return CALD_EFAULT;
    }
}

static const struct cald_region_ops uart_ops = {uart_read, uart_write};

void uart_reset(struct cald_vm *vm)
{
    struct ns16550a *uart = &vm->uart;
    lock_take(&uart->lock); /* the console may be delivering a key */
    ns16550a_init(uart);
    lock_release(&uart->lock);
}

bool uart_add(struct cald_vm *vm)
{
    struct ns16550a *uart = &vm->uart;
    uart->owner = vm;
    uart->send = uart_send;
    uart->room = uart_room;
    uart->sent = uart_sent;
    uart->hurry = uart_hurry;
    uart->taken = uart_taken;
    uart->irq = uart_irq;
    uart_reset(vm);
    return vm->uart_base == VM_NOWHERE ||
           cald_vm_region(vm, "the serial port", vm->uart_base, CALD_UART_SIZE, &uart_ops, uart) ==
               CALD_OK;
}
