/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's serial port: the ns16550a, its place on the bus, its interrupt, and the host's console
 * behind it. */
#ifndef LIB_DEV_UART_H
#define LIB_DEV_UART_H

#include <stdbool.h>

struct cald_vm;

/* The port as after reset, on the bus if the VM has one. False: there is no place for it. */
bool uart_begin(struct cald_vm *vm);

#endif
