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

/* Messages have come into the vCPU's interrupt file: it looks soon, and wakes if it sleeps. Any
 * thread. */
void cald_vcpu_messages(struct cald_vcpu *vcpu);

/* The same from within host_file_put(), where the caller sees to its waking: cald_vcpu_pending()
 * tells. On the vCPU's hart. */
void cald_vcpu_messages_kept(struct cald_vcpu *vcpu);

/* A page that the vCPU's guest could reach has gone: it forgets it before it runs the guest again.
 * Any thread. */
void cald_vcpu_forget(struct cald_vcpu *vcpu);

/* The vCPU can't reach what was taken away when window_map() answered `maps`: it has forgotten it,
 * or runs no guest code and will forget it first. Any thread. */
bool cald_vcpu_has_forgotten(const struct cald_vcpu *vcpu, uint64_t maps);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
