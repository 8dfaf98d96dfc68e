/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts of the board's devices: the console's, and those that are forwarded to VMs. */
#ifndef HOST_BARE_DEVICE_IRQ_H
#define HOST_BARE_DEVICE_IRQ_H

#include <stdbool.h>

#include "drivers/uart/uart.h"
#include "host/bare/hart.h"

/* Boot hart, once, before harts run: maps the interrupt controller where the board has one. */
void device_irq_init(struct uart *uart);

/* On each hart: finds its context there, if it has one. */
void device_irq_begin(struct hart *hart);

/* On the console's hart: lets the port interrupt here. False: it has to be polled. */
bool device_irq_console(const struct hart *hart);

/* A source of Caldarium's own: `handler` is called for it, on the hart that calls this, which is
 * the console's. -1: it can't be had. At most DEVICE_IRQ_LISTENERS of them. */
#define DEVICE_IRQ_LISTENERS 8
int device_irq_listen(unsigned source, unsigned type, void (*handler)(void));

/* A device interrupt is pending at this context. */
void device_irq_serve(unsigned context);

#endif
