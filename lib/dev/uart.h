/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's serial port: the ns16550a, its place on the bus, its interrupt, and the host's console
 * behind it. */
#ifndef LIB_DEV_UART_H
#define LIB_DEV_UART_H

#include <stdbool.h>

struct cald_vm;

/* Once, when the VM is made: on the bus, if it has one. False: something else lies there. */
bool uart_add(struct cald_vm *vm);

/* The port as after a reset of the machine. */
void uart_reset(struct cald_vm *vm);

#endif
