/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's state and memory, kept in free RAM: what `save` makes and `restore` goes on from, a
 * bundle's `state` and `on-fault = "rollback"`. It is one piece that tells all about itself
 * (format.h), so that it can be carried to another boot, or another machine.
 */
#ifndef APPLIANCE_SAVED_SAVED_H
#define APPLIANCE_SAVED_SAVED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;

#define SAVED_TEXT 160

/* What is kept of a VM; in its struct. */
struct saved {
    uint8_t *image; /* from host_pages_alloc(room); NULL: nothing is kept */
    uint64_t room, bytes;
    /* Who works with it, on any hart: 0 nobody, more: so many restore from it, SAVED_WRITES: it is
     * being made. Only who has it reads the members above, but for saved_bytes(). */
    _Atomic uint32_t users;
    char said[SAVED_TEXT]; /* what came of the last save or restore of this VM; the leader's */
};
#define SAVED_WRITES UINT32_MAX

/* How a save or a restore ended; vm->saved.said tells. BROKEN: the VM is neither what it was nor
 * what was kept, and can't go on. */
enum saved_result { SAVED_DONE, SAVED_REFUSED, SAVED_BROKEN };

/* Every vCPU is out, and put. These are long: host_may_yield() is called meanwhile. */
enum saved_result saved_take(struct vm *vm);
enum saved_result saved_restore(struct vm *vm, struct vm *from);

/* The VM has just been created, from a bundle whose property `state` names the image. */
enum saved_result saved_load(struct vm *vm);

/* Gives back what is kept. False: somebody works with it. */
bool saved_drop(struct vm *vm);

/* Bytes that are kept; 0: nothing is. Any hart; it may be over the next moment. */
uint64_t saved_bytes(const struct vm *vm);

/* NULL, or why this VM can't be saved. */
const char *saved_hindrance(const struct vm *vm);

#endif
