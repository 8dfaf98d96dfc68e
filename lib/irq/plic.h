/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's platform-level interrupt controller. Source: RISC-V PLIC specification 1.0.0.
 * As on QEMU's virt, context 2n is hart n's machine mode and 2n+1 its S-mode: guests have that
 * numbering built in. Machine mode's registers read zero. In this interface a context is a vCPU.
 *
 * Any hart may raise or lower a source, and each vCPU's hart reads and writes registers at the same
 * time: all state is atomic words, there is no lock. changed(plic, context) is called, on the
 * calling hart, whenever the line of a context may have changed.
 */
#ifndef LIB_IRQ_PLIC_H
#define LIB_IRQ_PLIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLIC_MAX_SOURCE 1023 /* the register map has no place for more; id 0 never exists */
#define PLIC_WORDS 32
#define PLIC_CONTEXTS 64
#define PLIC_MAX_PRIORITY 7
#define PLIC_ENABLE_BASE 0x2000u /* specification, chapter "Memory Map" */

struct plic {
    unsigned contexts;
    unsigned sources;       /* ids 1..sources exist */
    _Atomic uint32_t words; /* bit w: since the reset, word w of `pending` was not always zero */
    _Atomic uint32_t level[PLIC_WORDS];     /* what the device's wire shows now */
    _Atomic uint32_t edge[PLIC_WORDS];      /* an edge came that the gateway has not let through */
    _Atomic uint32_t pending[PLIC_WORDS];   /* the gateway let a request through */
    _Atomic uint32_t claimed[PLIC_WORDS];   /* claimed, not yet completed: the gateway is shut */
    _Atomic uint8_t *priority;              /* of sources 0..sources */
    _Atomic uint32_t (*enable)[PLIC_WORDS]; /* the registers as the map has them: place 2n+1 is
                                               context n's, the others are zero */
    _Atomic uint8_t threshold[PLIC_CONTEXTS];
    void (*changed)(struct plic *plic, unsigned context);  /* set by the owner */
    void (*completed)(struct plic *plic, unsigned source); /* may be NULL: for forwarded sources */
};

/* Memory that a PLIC of that size needs besides its struct. It begins with the pages of the enable
 * registers, plic_enable_bytes() of them, so that they can be shown to the guest for reading: at
 * PLIC_ENABLE_BASE, with nothing else in them. */
size_t plic_room_bytes(unsigned contexts, unsigned sources);
size_t plic_enable_bytes(unsigned contexts);

/* Once, before plic_init(): how large it is (numbers beyond the maxima above count as these), and
 * plic_room_bytes() of memory, aligned to 4, or to a page if they are shown. */
void plic_size(struct plic *plic, unsigned contexts, unsigned sources, void *room);

/* The state after reset. Leaves changed and completed as they are; no hart uses the PLIC. */
void plic_init(struct plic *plic);

/* A level-triggered source's wire. One caller at a time for one source. A request that went through
 * the gateway stays until it is claimed, also when the wire falls before (specification, "Interrupt
 * Gateways"); a wire that is still high on completion makes a new one. */
void plic_set_level(struct plic *plic, unsigned source, bool level);

/* An edge-triggered source fires once. Edges that come while one is pending are one; an edge that
 * comes between claim and completion is kept and pends on completion. */
void plic_pulse(struct plic *plic, unsigned source);

/* What such an edge told of is over: one that the gateway still keeps is forgotten. What pends
 * already stays, as the specification has it. Any hart. */
void plic_take_back(struct plic *plic, unsigned source);

/* True while the context has a pending, enabled source above its threshold. */
bool plic_line(struct plic *plic, unsigned context);

/* Registers, by offset from the PLIC's base. 1, 2, 4 and 8 byte accesses are served where they
 * stay in one 32-bit register or (8) two whole ones; false: no register is there for that width.
 * Registers of sources that do not exist read as zero; contexts that do not exist have none. */
bool plic_read(struct plic *plic, uint32_t offset, unsigned width, uint64_t *value);
bool plic_write(struct plic *plic, uint32_t offset, unsigned width, uint64_t value);

/* plic_items.c: its state by number, CALD_PLIC_* of include/caldarium/caldarium.h; no hart uses it.
 */
int plic_get(struct plic *plic, uint32_t index, uint64_t *value);
int plic_set(struct plic *plic, uint32_t index, uint64_t value);

#endif
