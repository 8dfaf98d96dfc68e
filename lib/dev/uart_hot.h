/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_DEV_UART_HOT_H
#define LIB_DEV_UART_HOT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/vcpu/vcpu.h"
#include "riscv/decode.h"

/* A load or store at gpa, from inside a run. True: it was answered, and counted; gpr[] is updated.
 */
bool uart_hot(struct cald_vcpu *vcpu, uint64_t gpa, const struct riscv_access *access);

#endif
