/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libcaldarium asks besides of a host that gives real devices, or interrupt files of its
 * harts, to VMs. A host that gives none defines these so that they do nothing, and answer false.
 * Threads, locks and units as in caldarium/host.h.
 */
#ifndef CALDARIUM_DEVICES_H
#define CALDARIUM_DEVICES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cald_vm;
struct cald_vcpu;

/* The guest has completed a device's interrupt at its controller: the board's may open it again. On
 * a vCPU's hart, from inside a run. */
void host_irq_complete(struct cald_vm *vm, unsigned source);

/*
 * Interrupt files of harts for vCPUs. load: gives the vCPU that has just been loaded one, if its
 * hart has one free. put: takes it back before the vCPU leaves its hart. collect: moves what has
 * come into its file in memory into it. All on the vCPU's hart.
 */
void host_file_load(struct cald_vcpu *vcpu);
void host_file_put(struct cald_vcpu *vcpu);
void host_file_collect(struct cald_vcpu *vcpu);

/* ---- What such a host calls --------------------------------------------------------------------
 */

#pragma GCC visibility push(default)

/* A source of the host's belongs to the VM: its interrupts are forwarded. `type`: how its wire
 * tells, as device trees have it (rising 1, falling 2, high 4, low 8). Before the VM runs. */
void cald_vm_irq_forward(struct cald_vm *vm, uint32_t source, uint32_t type);

/* A forwarded source fired. The host hears of its completion through host_irq_complete(). Any
 * thread. */
void cald_vm_irq_fired(struct cald_vm *vm, uint32_t source);

/* A message for the vCPU's interrupt file in memory. True: cald_vcpu_messages() has to be called
 * when all that came are there; false: there is no such identity, or it pended
 * already. Any thread. */
bool cald_vcpu_post(struct cald_vcpu *vcpu, uint32_t id);

/* Messages have come into the vCPU's interrupt file: it looks soon, and wakes if it sleeps. Any
 * thread. */
void cald_vcpu_messages(struct cald_vcpu *vcpu);

/* The same from within host_file_put(), if the file in memory shows an interrupt; the caller sees
 * to the vCPU's waking: cald_vcpu_pending() tells. On the vCPU's hart. */
void cald_vcpu_messages_kept(struct cald_vcpu *vcpu);

/* From within host_file_load() and host_file_put(): the page at physical address `page` is where
 * the guest has the vCPU's interrupt file; 0: no page is, and stores there come to the file in
 * memory. The answer is for cald_vcpu_has_forgotten(). On the vCPU's hart. */
uint64_t cald_vcpu_file_page(struct cald_vcpu *vcpu, uint64_t page);

/* A page that the vCPU's guest could reach has gone: it forgets it before it runs the guest again.
 * Any thread. */
void cald_vcpu_forget(struct cald_vcpu *vcpu);

/* The vCPU can't reach what was taken away when cald_vcpu_file_page() answered `maps`: it has
 * forgotten it, or runs no guest code and will forget it first. Any thread. */
bool cald_vcpu_has_forgotten(const struct cald_vcpu *vcpu, uint64_t maps);

/*
 * Second-stage tables, for an IOMMU to walk: MODE and PPN as hgatp and iohgatp have them, VMID or
 * GSCID 0; a value of 0 is no table.
 *
 * The one that the VM's harts use; what is mapped in it stays from now on. 0: its engine has none,
 * or it has pages that come and go. The VM is open, and none of its memory is changed meanwhile.
 */
uint64_t cald_vm_second_stage(struct cald_vm *vm);

/*
 * A table of the host's own: empty, with the fewest levels that reach all addresses below `end`.
 * `modes`: bits 3, 4 and 5, how many levels it may have. 0: none of them reaches so far, or no
 * memory is left. Any thread.
 */
uint64_t cald_table_create(uint64_t end, uint32_t modes);

/* Maps [gpa, gpa+size) to pa, readable, writable and executable, with the largest pages that fit.
 * CALD_EINVAL: not aligned to 4096, or beyond the table's levels; CALD_ENOMEM: a part is mapped.
 * One caller at a time for a table; an IOMMU may use it. */
int cald_table_map(uint64_t table, uint64_t gpa, uint64_t pa, uint64_t size);

/* Gives it back: nobody translates by it any more. 0: nothing is done. */
void cald_table_destroy(uint64_t table);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
