/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The board's platform-level interrupt controller, for Caldarium's own interrupts. (The guest's is
 * lib/irq/plic.h.) Source: RISC-V PLIC specification 1.0.0, "Memory Map". Only one hart at a time
 * may set up or enable in one context; claim and complete belong to the context's own hart.
 */
#ifndef DRIVERS_PLIC_PLIC_H
#define DRIVERS_PLIC_PLIC_H

#include <stdbool.h>
#include <stdint.h>

struct plic_hw {
    volatile uint8_t *base; /* mapped registers */
    uint64_t bytes;         /* how many of them */
    unsigned sources;       /* "riscv,ndev": ids 1..sources exist */
    unsigned contexts;      /* that fit into `bytes` */
};

/* `bytes` is the length in "reg", `sources` "riscv,ndev". False: the numbers make no sense. */
bool plic_hw_init(struct plic_hw *plic, volatile void *base, uint64_t bytes, unsigned sources);

/* Nothing enabled, threshold 0: every enabled source of priority 1 or more comes through. Other
 * contexts, which firmware may use, and priorities are left alone. False: there is no such context.
 */
bool plic_hw_context_init(const struct plic_hw *plic, unsigned context);

/* Lets `source` (1..sources) interrupt `context` at a priority of 1 or more; 0 turns it off. */
bool plic_hw_enable(const struct plic_hw *plic, unsigned context, unsigned source,
                    unsigned priority);

/* Takes the highest pending source of the context; 0 if there is none (any more). */
unsigned plic_hw_claim(const struct plic_hw *plic, unsigned context);

/* The claimed source is served: it may interrupt again. */
void plic_hw_complete(const struct plic_hw *plic, unsigned context, unsigned source);

#endif
