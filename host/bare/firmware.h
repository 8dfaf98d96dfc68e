/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls to the SBI firmware below. */
#ifndef HOST_BARE_FIRMWARE_H
#define HOST_BARE_FIRMWARE_H

#include <stdint.h>

#include "riscv/sbi.h"

static inline struct sbi_ret firmware_call(uint64_t extension, uint64_t function, uint64_t arg0,
                                           uint64_t arg1, uint64_t arg2)
{
    register uint64_t a0 __asm__("a0") = arg0;
    register uint64_t a1 __asm__("a1") = arg1;
    register uint64_t a2 __asm__("a2") = arg2;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_ret){(int64_t)a0, a1};
}

#endif
