/* SPDX-License-Identifier: BSD-2-Clause */
/* From an exit's reason to what is done about it. */
#ifndef LIB_VCPU_EXIT_H
#define LIB_VCPU_EXIT_H

#include "lib/vcpu/vcpu.h"

/* Handles one exit of a vCPU that is loaded on this hart. */
void exit_handle(struct cald_vcpu *vcpu, const struct exit *exit);

/* What becomes of a load or store where no register is, and of an instruction that the guest must
 * not have: an exception of its own. On its hart, loaded. */
void exit_no_device(struct cald_vcpu *vcpu, const struct exit *exit);
void exit_illegal(struct cald_vcpu *vcpu, const struct exit *exit);

#endif
