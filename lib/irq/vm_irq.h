/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's interrupt controller, whichever its configuration gives it: PLIC, APLIC, or APLIC with an
 * interrupt file a vCPU. Sources are numbered alike in all three.
 */
#ifndef LIB_IRQ_VM_IRQ_H
#define LIB_IRQ_VM_IRQ_H

#include <stdbool.h>
#include <stdint.h>

struct cald_vm;
struct cald_vcpu;

/* Takes the memory that the controller needs, once, when the VM is made, and gives it back. False:
 * there is none. */
bool vm_irq_define(struct cald_vm *vm);
void vm_irq_undefine(struct cald_vm *vm);

/* Puts its registers on the VM's bus, once. False: something else lies there. */
bool vm_irq_add(struct cald_vm *vm);

/* What it needs of the engine, which has just been opened. False: out of memory. */
bool vm_irq_open(struct cald_vm *vm);

/* The state after reset; no vCPU runs. */
void vm_irq_reset(struct cald_vm *vm);

/* What of the controller's registers the guest may read without an exit; once the VM has its RAM.
 * False: out of memory. */
bool vm_irq_map(struct cald_vm *vm);

/* The vCPU has come on to its hart, or leaves it: so may its interrupt file. */
void vm_irq_load(struct cald_vcpu *vcpu);
void vm_irq_put(struct cald_vcpu *vcpu);

/* A virtual device's wire. Any hart; one caller at a time for one source. */
void vm_irq_level(struct cald_vm *vm, unsigned source, bool level);

/* A wire with two reasons to interrupt: a level, and something that a PLIC is told once, when it
 * comes (`edge`), and that goes when `high` ends. An APLIC, which has a mode for each source, sees
 * one level. */
void vm_irq_level_and_edge(struct cald_vm *vm, unsigned source, bool level, bool high, bool edge);

/* Shows the vCPU its external interrupt, or takes it away; own hart, loaded. */
void vm_irq_show(struct cald_vcpu *vcpu);

/* A message for the vCPU, as if somebody had written `id` to its interrupt file. Any hart. */
void vm_irq_message(struct cald_vcpu *vcpu, uint32_t id);

#endif
