/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board's interrupt controller, whichever it is: PLIC, APLIC, or APLIC with an IMSIC a hart. A
 * context is where one hart takes its interrupts: the PLIC's context, the APLIC's IDC, or the
 * IMSIC's file in its node's order.
 */
#ifndef HOST_BARE_IRQCHIP_H
#define HOST_BARE_IRQCHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "host/bare/hart.h"

/* Boot hart, once, before harts run. False: there is none, or it can't be used (said then). */
bool irqchip_init(void);

/* On each hart: lets what is enabled here come through. The context; -1: it has none. */
int irqchip_hart_init(struct hart *hart);

/* By which message harts kick each other; 0: they do through the firmware. */
uint32_t irqchip_kick_identity(void);

/* A source interrupts at this context, or no longer. `type`: as the device tree has it (rising 1,
 * falling 2, high 4, low 8), 0 where the controller's binding has none. One caller at a time. */
bool irqchip_enable(unsigned source, unsigned type, unsigned context);
void irqchip_disable(unsigned source, unsigned context);

/*
 * Takes one source, on the context's hart; 0: none is left, or a kick or a message was the next,
 * and has been seen to. It can't interrupt again before irqchip_complete(), which any hart may
 * call.
 */
unsigned irqchip_claim(unsigned context);
void irqchip_complete(unsigned source, unsigned context);

/*
 * A message-signalled interrupt of Caldarium's own: whoever writes `data` (32 bits) to the physical
 * `address` has serve(owner) called on hart `context`, outside of any lock. Boot hart. False: the
 * board has no IMSIC, or there are no identities left.
 */
struct irqchip_msi {
    uint64_t address;
    uint32_t data;
};
bool irqchip_msi(unsigned context, void (*serve)(void *owner), void *owner,
                 struct irqchip_msi *msi);

/* On its hart: what comes meanwhile pends, as one. */
void irqchip_msi_hold(const struct irqchip_msi *msi, bool hold);

#endif
