/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI BASE (2.0, chapter 4). Hot: see sbi.h. */
#include "lib/sbi/sbi.h"

/* Not a registered implementation id; the registry has none for Caldarium. "Cald" in ASCII. */
#define IMPLEMENTATION_ID 0x43616c64
#define IMPLEMENTATION_VERSION 1
#define SPEC_VERSION (2UL << 24)

void sbi_base_init(struct engine_vm *vm, uint64_t mvendorid, uint64_t marchid, uint64_t mimpid)
{
    vm->sbi_base[0] = SPEC_VERSION;
    vm->sbi_base[1] = IMPLEMENTATION_ID;
    vm->sbi_base[2] = IMPLEMENTATION_VERSION;
    vm->sbi_base[SBI_BASE_GET_MVENDORID] = mvendorid;
    vm->sbi_base[SBI_BASE_GET_MVENDORID + 1] = marchid;
    vm->sbi_base[SBI_BASE_GET_MVENDORID + 2] = mimpid;
}

struct sbi_ret sbi_hot_base(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                            uint64_t a5, uint64_t function, struct cald_vcpu *vcpu)
{
    (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    vcpu->eng.exits[EXIT_HOT_SBI_BASE]++;
    if (function > SBI_BASE_LAST)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (function == SBI_BASE_PROBE)
        return (struct sbi_ret){SBI_SUCCESS, sbi_has(vcpu, a0)};
    return (struct sbi_ret){SBI_SUCCESS, vcpu->eng.vm->sbi_base[function]};
}
