/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Execution copies: pages of a guest kernel's code in which privileged instructions are replaced by
 * ebreak, which comes straight to us where an illegal instruction goes to the firmware first. A
 * page that has a copy is shown in two ways: to fetch, the copy (X alone); to load, the guest's own
 * page (R alone). No vCPU has it writable: a store drops the copy first, on all vCPUs. So the guest
 * reads and writes its own bytes, and executes what it wrote last.
 *
 * What is known of each page of guest RAM is one atomic word. A vCPU that makes a page writable
 * marks it there before it enters it in its tables; one that makes a copy finds the mark or leaves
 * its own: whoever comes second sees the other.
 */
#ifndef LIB_ENGINE_SHADOW_COPY_H
#define LIB_ENGINE_SHADOW_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/engine/shadow/shadow.h"

/* What may be entered for an access; S_COPY_AGAIN: nothing now, the guest runs into it again. */
enum s_copy_show { S_COPY_NONE, S_COPY_SHOWN, S_COPY_AGAIN };

/* What a vCPU needs, and with the first one what its VM does; copies are of slots that are there by
 * then, and SLOT_PRIVATE. False: no memory. The VM's goes with s_copies_fini(). */
bool s_copies_take(struct engine_vcpu *v);
void s_copies_give(struct engine_vcpu *v);
void s_copies_fini(struct engine_vm *vm);
uint64_t s_copies_bytes(const struct engine_vm *vm);

/* Somebody wrote to [gpa, gpa+bytes), and no vCPU did. True: the vCPUs have to forget their tables.
 */
bool s_copies_wrote(struct engine_vm *vm, uint64_t gpa, uint64_t bytes);

/* The kernel fetches at gva, from gpa, and has it with `flags` (PTE_*). SHOWN: the copy is at *pa,
 * to be entered with X alone. NONE: the page itself. */
enum s_copy_show s_copy_fetch(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa,
                              uint64_t gva, uint64_t flags, uint64_t *pa);

/* The entry for that, as it is in a table; 0: the page has no copy. */
uint64_t s_copy_entry(const struct engine_vcpu *v, const struct slot *slot, uint64_t gpa,
                      uint64_t flags);

/* The number of the page's copy, if it has one and no vCPU can have it writable; or 0. */
unsigned s_copy_of(const struct slot *slot, uint64_t gpa);

/* Where it has been entered. */
void s_copy_entered(struct engine_vcpu *v, uint64_t *entry);

/* The page at gpa is about to become writable. NONE: it may. SHOWN: the same, and s_copy_poked() is
 * told where it was entered. */
enum s_copy_show s_copy_write(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa);

void s_copy_poked(struct engine_vcpu *v, uint64_t gva, uint64_t *entry);

/* The same, asked of a neighbour: false: not now. */
bool s_copy_may_write(const struct slot *slot, uint64_t gpa);

/* The same for the 2 MiB around gpa at once. False: not as one. */
bool s_copy_may_be_large(const struct slot *slot, uint64_t gpa, bool writable);

/* A load met the copy at gva. */
void s_copy_read(struct engine_vcpu *v, const struct slot *slot, uint64_t gpa);

/* A privileged instruction at the pc came by way of the firmware. */
void s_copy_missed(struct engine_vcpu *v);

/* An ebreak that is not the guest's, although what it has at the pc is not privileged. */
void s_copy_wrong(struct engine_vcpu *v);

/* FENCE_COPY: this vCPU's entries of the copy with that number go. */
void s_copy_drop(struct engine_vcpu *v, uint64_t number);

/* FENCE_POKED: so does what it has writable of the page whose word is there. */
void s_copy_unpoke(struct engine_vcpu *v, uint64_t page);

#endif
