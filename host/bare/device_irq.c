/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's receive interrupt, through the board's PLIC. */
#include "host/bare/device_irq.h"

#include "drivers/plic/plic.h"
#include "host/bare/board.h"
#include "host/bare/console.h"
#include "host/bare/paging.h"
#include "host/host.h"

static struct plic_hw plic;
static struct uart *port;
static bool usable;

void device_irq_init(struct uart *uart)
{
    const struct board_tree *t = &board_tree;
    port = uart;
    if (!t->plic_base || !t->uart_irq)
        return;
    volatile void *base = paging_map_device(t->plic_base, t->plic_bytes);
    usable = base && plic_hw_init(&plic, base, t->plic_bytes, t->plic_sources);
    if (!usable)
        host_error("board's PLIC at %#lx can't be used; the console is polled", t->plic_base);
}

bool device_irq_begin(struct hart *hart)
{
    int context = board_plic_context(hart->board);
    if (!usable || context < 0 || !plic_hw_context_init(&plic, (unsigned)context) ||
        !plic_hw_enable(&plic, (unsigned)context, board_tree.uart_irq, 1) ||
        !port->driver->enable_rx_irq(port))
        return false;
    hart->plic_context = context;
    return true;
}

void device_irq_serve(unsigned context)
{
    /* One a call: what is still pending brings us here again, after other work had its turn. */
    unsigned source = plic_hw_claim(&plic, context);
    if (!source)
        return;
    if (source == board_tree.uart_irq)
        console_poll();
    plic_hw_complete(&plic, context, source);
}
