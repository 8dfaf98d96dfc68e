/* SPDX-License-Identifier: BSD-2-Clause */
/* The other side of a VM's serial port: its host's console. */
#include "caldarium/caldarium.h"
#include "lib/vm/vm.h"

bool cald_vm_uart_receive(struct cald_vm *vm, uint32_t key)
{
    return ns16550a_receive(&vm->uart, key);
}

void cald_vm_uart_ready(struct cald_vm *vm)
{
    if (atomic_load(&vm->uart.full))
        ns16550a_ready(&vm->uart);
}
