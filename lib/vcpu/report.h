/* SPDX-License-Identifier: BSD-2-Clause */
/* What a vCPU was doing, for a person: registers, CSRs and who called whom. */
#ifndef LIB_VCPU_REPORT_H
#define LIB_VCPU_REPORT_H

#include "lib/vcpu/vcpu.h"

/* Prints one vCPU's state. On its own hart, or on any while it is on none and can't come back. */
void report_vcpu(struct cald_vcpu *vcpu);

#endif
