/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a hart mask names exactly the vCPUs that the SBI's text says; a mask with a hart that the
 *   VM hasn't got is refused; no vCPU outside of the VM is ever in the set
 * Bounds: none: any mask, any base, 1 to 64 vCPUs
 * Assumes: nothing
 * Sources: lib/vcpu/vcpu.c
 * Loops: 1
 */
#include "lib/sbi/sbi.h"
#include "tests/proofs/proof.h"

static struct cald_vm vm;
static struct cald_vcpu vcpu;

void proof(void)
{
    vm.vcpu_count = 1 + (unsigned)below(64);
    vcpu.vm = &vm;
    uint64_t mask = nondet_u64(), base = nondet_u64(), set;
    unsigned bit = (unsigned)below(64);
    bool answer = sbi_hart_mask(&vcpu, mask, base, &set);
    if (base == UINT64_MAX) {
        holds(answer && (set >> bit & 1) == (bit < vm.vcpu_count));
        return;
    }
    /* Of each bit of the mask: the hart that it names. It can't wrap: the base is not that large,
     * or there is no such hart. */
    bool named = mask >> bit & 1;
    bool exists = base < 64 && base + bit < vm.vcpu_count;
    if (named && !exists)
        holds(!answer);
    if (answer && named)
        holds(set >> (base + bit) & 1);
    if (answer && set >> bit & 1)
        holds(bit < vm.vcpu_count && bit >= base && mask >> (bit - base) & 1);
    /* And nothing else is refused. */
    uint64_t all = vm.vcpu_count == 64 ? UINT64_MAX : (1UL << vm.vcpu_count) - 1;
    if (base < 64 && (mask & ~(all >> base)) == 0)
        holds(answer);
}
