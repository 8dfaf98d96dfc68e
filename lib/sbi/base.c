/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI BASE (2.0, chapter 4). Hot: see sbi.h. */
#include "lib/sbi/sbi.h"

/* Not a registered implementation id; the registry has none for Caldarium. "Cald" in ASCII. */
#define IMPLEMENTATION_ID 0x43616c64
#define IMPLEMENTATION_VERSION 1
#define SPEC_VERSION (2UL << 24)

/* By function; engine h's trap entry reads it too. The last three are mvendorid, marchid, mimpid:
 * "not told" is a legal answer for them. */
const uint64_t sbi_base_constants[SBI_BASE_LAST + 1] = {SPEC_VERSION, IMPLEMENTATION_ID,
                                                        IMPLEMENTATION_VERSION};

struct sbi_ret sbi_hot_base(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                            uint64_t a5, uint64_t function, struct cald_vcpu *vcpu)
{
    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    vcpu->eng.exits[EXIT_HOT_SBI_BASE]++;
    if (function > SBI_BASE_LAST)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (function == SBI_BASE_PROBE)
        return (struct sbi_ret){SBI_SUCCESS, sbi_has(vcpu, a0)};
    return (struct sbi_ret){SBI_SUCCESS, sbi_base_constants[function]};
}
