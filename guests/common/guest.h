/* SPDX-License-Identifier: BSD-2-Clause */
/* What guests of our own share: SBI calls, CSRs, printing through the SBI's debug console. */
#ifndef GUESTS_COMMON_GUEST_H
#define GUESTS_COMMON_GUEST_H

#include <stdint.h>

#include "riscv/asm.h"
#include "riscv/sbi.h"

struct sbi_ret guest_sbi(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1,
                         uint64_t a2, uint64_t a3);

/* printf's %s, %u and %x (64-bit both), and nothing else. */
void guest_print(const char *format, ...);

_Noreturn void guest_poweroff(void);

#endif
