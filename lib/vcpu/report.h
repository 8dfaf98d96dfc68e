/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vCPU was doing, for a person: registers, CSRs and who called whom. */
#ifndef LIB_VCPU_REPORT_H
#define LIB_VCPU_REPORT_H

#include "lib/vcpu/vcpu.h"

/* Prints one vCPU's state. On its own hart, or on any while it is on none and can't come back. */
void report_vcpu(struct cald_vcpu *vcpu);

/* Asks for the report of all vCPUs of a VM that runs or is paused: each one's hart prints it. */
void report_request(struct cald_vm *vm);

/* MAIL_REPORT was in the mailbox. `out`: the vCPU has left the guest for its VM's request. */
void report_answer(struct cald_vcpu *vcpu, bool out);

#endif
