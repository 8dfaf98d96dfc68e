/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of the exceptions, for people. */
#ifndef RISCV_CAUSE_H
#define RISCV_CAUSE_H

#include <stdint.h>

/* The exception's name as the privileged manual gives it; interrupts and what is reserved: their
 * kind. */
const char *riscv_cause_name(uint64_t cause);

#endif
