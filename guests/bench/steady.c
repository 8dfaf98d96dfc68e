/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/bench/bench.h"

#define WINDOWS 300
#define ROUNDS 200UL    /* an operation of 500 instructions: 0.1 ms at a nanosecond each */
#define FEW_ROUNDS 20UL /* of some 5000, as a fence is under engine shadow */

void bench_steady(uint64_t me)
{
    csr_set(CSR_SIE, 2);
    csr_set(CSR_SSTATUS, 2);
    LEAST("sbi-empty", WINDOWS, ROUNDS, loop_empty(ROUNDS));
    LEAST("sbi-set-timer", WINDOWS, ROUNDS, loop_timer(ROUNDS));
    LEAST("ipi-self", WINDOWS, ROUNDS, loop_sbi(ROUNDS, SBI_EXT_IPI, 0, 1, me, 0));
    LEAST("fence-self", WINDOWS, FEW_ROUNDS, loop_sbi(FEW_ROUNDS, SBI_EXT_RFENCE, 1, 1, me, 0));
    LEAST("plic-read", WINDOWS, ROUNDS, loop_load(ROUNDS, 0x0c000004));
    LEAST("sbi-slow", WINDOWS, ROUNDS,
          loop_sbi(ROUNDS, SBI_EXT_HSM, 2, me, 0, 0)); /* out of the run loop and back */
    LEAST("uart-read", WINDOWS, ROUNDS, loop_load_byte(ROUNDS, 0x10000007));
    guest_print("bench: done\n");
}
