/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's APLIC: one S-level interrupt domain, that delivers straight to vCPUs or as messages
 * to their interrupt files, as its VM is set. Source: RISC-V AIA specification 1.0, chapter 4.
 *
 * Any hart may change a wire while vCPUs use registers: a lock orders them, held for a scan of the
 * sources at most. What is to be told is told while it is held: changed() for a vCPU whose line may
 * have changed, message() for an MSI. Neither may call back.
 *
 * A source of the board's is forwarded: that it fires is all that is known of its wire. It is shut
 * at the board's controller from then on, until completed() is called; a wire that still holds then
 * fires again.
 */
#ifndef LIB_IRQ_APLIC_H
#define LIB_IRQ_APLIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "riscv/lock.h"

#define APLIC_MAX_SOURCE 1023 /* the register map has no place for more */
#define APLIC_WORDS 32
#define APLIC_HARTS 64

struct aplic {
    struct lock lock;
    unsigned harts;
    unsigned sources; /* ids 1..sources exist */
    bool msi;         /* the delivery mode: domaincfg.DM, which the guest can't change */
    bool enabled;     /* domaincfg.IE */
    uint32_t words;   /* bit w: since the reset, word w of `pending` was not always zero */
    uint32_t *target; /* of sources 0..sources, as the register shows it */
    uint8_t *mode;    /* likewise: sourcecfg.SM */
    uint32_t wire[APLIC_WORDS], pending[APLIC_WORDS], enable[APLIC_WORDS];
    uint32_t forwarded[APLIC_WORDS], edge[APLIC_WORDS]; /* of the board; its wire tells by edges */
    uint32_t served[APLIC_WORDS]; /* claimed since it fired, and opened again */
    uint32_t stale[APLIC_WORDS];  /* fired once more while served: may be over by now */
    struct {
        bool delivery, force;
        uint8_t threshold;
    } idc[APLIC_HARTS];
    void (*changed)(struct aplic *aplic, unsigned hart); /* these are set by the owner */
    void (*message)(struct aplic *aplic, unsigned hart, uint32_t id);
    void (*completed)(struct aplic *aplic, unsigned source);
};

/* Memory that an APLIC of that size needs besides its struct. */
size_t aplic_room_bytes(unsigned sources);

/* Once, before aplic_init(): how many sources there are (at most the maximum above), and
 * aplic_room_bytes() of memory, aligned to 4. */
void aplic_size(struct aplic *aplic, unsigned sources, void *room);

/* The state after reset, with nothing forwarded. */
void aplic_init(struct aplic *aplic, unsigned harts, bool msi);

/* A source is the board's from now on. `edge`: the board reports its edges, otherwise its level. */
void aplic_forward(struct aplic *aplic, unsigned source, bool edge);

/* A forwarded source fired. */
void aplic_fired(struct aplic *aplic, unsigned source);

/* A source's wire is high or low. */
void aplic_set_wire(struct aplic *aplic, unsigned source, bool high);

/* The external interrupt of a vCPU's IDC; false where messages are sent. */
bool aplic_line(struct aplic *aplic, unsigned hart);

/* Registers by offset. Only aligned 32-bit accesses exist (4.5). */
bool aplic_read(struct aplic *aplic, uint32_t offset, unsigned width, uint64_t *value);
bool aplic_write(struct aplic *aplic, uint32_t offset, unsigned width, uint64_t value);

/* aplic_items.c: its state by number, CALD_APLIC_* of include/caldarium/caldarium.h. */
int aplic_get(struct aplic *aplic, uint32_t index, uint64_t *value);
int aplic_set(struct aplic *aplic, uint32_t index, uint64_t value);

#endif
