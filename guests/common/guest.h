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

/* The number behind `key=` in the kernel's command line; `otherwise` if there is none. `tree`: the
 * second argument of guest_main(). A word's value is for guest_is(). */
uint64_t guest_number(uint64_t tree, const char *key, uint64_t otherwise);

/* Whether the command line has `key=word`. */
int guest_is(uint64_t tree, const char *key, const char *word);

_Noreturn void guest_poweroff(void);

#endif
