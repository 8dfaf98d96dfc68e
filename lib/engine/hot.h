/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hot handlers: the only functions of vcpu/ and sbi/ that an engine calls from inside a run.
 * They touch this vCPU alone and take no lock. They run with the guest's FP, vector and trap
 * registers in the hart, but with the host's gp and tp. The SBI ones (sbi_hot_base() and its like)
 * are declared in lib/sbi/sbi.h and called by entry.S.
 */
#ifndef LIB_ENGINE_HOT_H
#define LIB_ENGINE_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/engine/engine.h"

/* A kick arrived. Carries the mailbox out; false: bits are left that need the slow path. */
bool hot_mail(struct engine_vcpu *v);

/* A load or store at gpa. Answers it if it is a register of an interrupt controller, or one of the
 * serial port's that polled output uses: gpr[] is updated, the exit is counted, the pc is the
 * engine's to move. False: not ours. */
bool hot_device(struct engine_vcpu *v, uint64_t gpa, const struct riscv_access *access);

/* A fence on all vCPUs of the VM, this one included; waits until each has answered, and answers
 * others' meanwhile: what was read of the guest's tables before may be old then. */
void hot_fence(struct engine_vcpu *eng, const struct fence *fence);

/* The guest's S-mode executes a CSR instruction on stopei, or on sireg while its siselect holds
 * `select`, and its interrupt file is in memory. Answers it: gpr[] is updated, the pc is the
 * engine's to move. False: there is no such register. */
bool hot_csr(struct engine_vcpu *v, const struct riscv_csr_op *op, uint64_t select);

#endif
