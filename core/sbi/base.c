/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI BASE (2.0, chapter 4). Hot: see sbi.h. */
#include "core/sbi/sbi.h"

/* Not a registered implementation id; the registry has none for Caldarium. "Cald" in ASCII. */
#define IMPLEMENTATION_ID 0x43616c64
#define IMPLEMENTATION_VERSION 1
#define SPEC_VERSION (2UL << 24)

enum { GET_SPEC, GET_IMPL, GET_IMPL_VERSION, PROBE, GET_MVENDORID, GET_MARCHID, GET_MIMPID };

/* Out of line: keeps the frequent questions short. */
static __attribute__((noinline)) struct sbi_ret other(uint64_t a0, uint64_t function,
                                                      struct vcpu *vcpu)
{
    switch (function) {
    case GET_IMPL:
        return (struct sbi_ret){SBI_SUCCESS, IMPLEMENTATION_ID};
    case GET_IMPL_VERSION:
        return (struct sbi_ret){SBI_SUCCESS, IMPLEMENTATION_VERSION};
    case PROBE:
        return (struct sbi_ret){SBI_SUCCESS, sbi_has(vcpu, a0)};
    case GET_MVENDORID:
    case GET_MARCHID:
    case GET_MIMPID:
        return (struct sbi_ret){SBI_SUCCESS, 0}; /* "not told" is a legal answer for all three */
    default:
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    }
}

struct sbi_ret sbi_hot_base(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                            uint64_t a5, uint64_t function, struct vcpu *vcpu)
{
    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    vcpu->eng.exits[EXIT_HOT_SBI_BASE]++;
    if (function == GET_SPEC)
        return (struct sbi_ret){SBI_SUCCESS, SPEC_VERSION};
    return other(a0, function, vcpu);
}
