/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine h's own interior: what its files share. */
#ifndef LIB_ENGINE_H_H_H
#define LIB_ENGINE_H_H_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/engine/engine.h"
#include "lib/machine/machine.h"
#include "riscv/csr.h"

/* entry.S */
void h_enter(struct engine_vcpu *v);
void h_trap(void);

/* Called by entry.S. */
bool h_hot_fault(struct engine_vcpu *v);
bool h_hot_interrupt(struct engine_vcpu *v, uint64_t cause);

/* vmid.c: the hgatp value to run this VM with here and now, and the generation of its VMID. */
uint64_t h_hgatp(struct engine_vm *vm, uint64_t *vmid_generation);

/* guest_memory.c: the guest's memory through its own address translation. */
bool h_fetch_insn(uint64_t gva, uint32_t *insn);
bool h_peek(struct engine_vcpu *v, uint64_t gva, uint8_t *byte);

/* engine.c: the vCPU's timer, where it is the host's, has gone off: shows the guest its interrupt.
 * False: it has not, or is none of the host's. */
bool h_timer_due(struct engine_vcpu *v);

#define H_INTERRUPTS (IRQ_BIT(IRQ_VS_SOFT) | IRQ_BIT(IRQ_VS_TIMER) | IRQ_BIT(IRQ_VS_EXT))

/* What hvictl holds so that vstopi shows an external interrupt that comes by hvip, not from a guest
 * interrupt file (AIA specification 6.3.3): its number, and a priority while it is pending. */
static inline uint64_t h_hvictl(bool external)
{
    return (uint64_t)IRQ_S_EXT << HVICTL_IID_SHIFT | external;
}

/* hart.c */
void h_hart_begin(struct cald_machine *machine, unsigned hart);
void h_hart_end(struct cald_machine *machine, unsigned hart);

/* switch.c */
void h_load(struct engine_vcpu *v);
void h_put(struct engine_vcpu *v);
/* What of sstatus.FS and VS a vCPU begins with: on (dirty) where its VM has the unit. */
uint64_t h_units_on(const struct engine_vm *vm);
void h_vcpu_reset(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1);

/* memory.c: see lib/engine/engine.h for all but the last. */
int h_enter_slot(struct engine_vm *vm, const struct slot *slot, uint64_t size);
void h_unmap(struct engine_vm *vm, uint64_t gpa, uint64_t size);
void h_protect(struct engine_vm *vm, uint64_t gpa, uint64_t size);
void h_forget(struct engine_vcpu *v);
/* What the vCPU's access lacked in the second stage: HERE: it is there now. ABSENT: the host has to
 * get it first. NOTHING: there is no memory for that access. */
enum memory_is h_fault(struct engine_vcpu *v, uint64_t gpa, uint64_t needed);

/* window.c: see lib/engine/engine.h for all but the last. */
int h_window_init(struct engine_vm *vm, uint64_t gpa);
uint64_t h_window_map(struct engine_vcpu *v, uint64_t gpa, uint64_t pa);
uint64_t h_window_flush(struct engine_vcpu *v);
void h_file(struct engine_vcpu *v, unsigned number);
void h_window_catch_up(struct engine_vcpu *v); /* at load */

/* run.c */
void h_run(struct engine_vcpu *v, struct exit *exit);
bool h_in_user(const struct engine_vcpu *v);

/* items.c: see lib/engine/engine.h */
void h_regs(struct engine_vcpu *v, struct engine_regs *regs);
uint64_t h_special(const struct engine_vcpu *v, enum engine_special which);
bool h_set_special(struct engine_vcpu *v, enum engine_special which, uint64_t value);

extern const struct engine_ops engine_h;

#endif
