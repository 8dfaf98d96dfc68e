/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/bench/bench.h"

#define WINDOWS 300
#define ROUNDS 200UL    /* an operation of 500 instructions: 0.1 ms at a nanosecond each */
#define FEW_ROUNDS 20UL /* of some 5000, as a fence is under engine shadow */

#define LEAST(name, rounds, what)                                                                  \
    do {                                                                                           \
        uint64_t least_ = UINT64_MAX;                                                              \
        for (unsigned n_ = 0; n_ < WINDOWS; n_++) {                                                \
            uint64_t before_ = csr_read(CSR_TIME);                                                 \
            what;                                                                                  \
            uint64_t took_ = csr_read(CSR_TIME) - before_;                                         \
            least_ = took_ < least_ ? took_ : least_;                                              \
        }                                                                                          \
        report(name, least_, rounds);                                                              \
    } while (0)

void bench_steady(uint64_t me)
{
    csr_set(CSR_SIE, 2);
    csr_set(CSR_SSTATUS, 2);
    LEAST("sbi-empty", ROUNDS, loop_empty(ROUNDS));
    LEAST("sbi-set-timer", ROUNDS, loop_timer(ROUNDS));
    LEAST("ipi-self", ROUNDS, loop_sbi(ROUNDS, SBI_EXT_IPI, 0, 1, me, 0));
    LEAST("fence-self", FEW_ROUNDS, loop_sbi(FEW_ROUNDS, SBI_EXT_RFENCE, 1, 1, me, 0));
    LEAST("plic-read", ROUNDS, loop_load(ROUNDS, 0x0c000004));
    LEAST("sbi-slow", ROUNDS,
          loop_sbi(ROUNDS, SBI_EXT_HSM, 2, me, 0, 0)); /* out of the run loop and back */
    LEAST("uart-read", ROUNDS, loop_load_byte(ROUNDS, 0x10000007));
    guest_print("bench: done\n");
}
