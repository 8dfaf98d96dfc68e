/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: any call of SBI RFENCE reaches vCPUs of the VM alone; a fence that is carried out is of
 *   the kind that was called for, with a range that doesn't wrap; a mask with a hart that isn't
 *   there, a range that wraps and a function that isn't there each get the SBI's error, and nobody
 *   is asked for anything
 * Bounds: none: any function and arguments, 1 to 64 vCPUs
 * Assumes: nothing
 * Sources: lib/sbi/rfence.c
 * Loops: 6
 */
#include "lib/sbi/sbi.h"
#include "tests/proofs/proof.h"

static struct cald_vm vm;
static struct cald_vcpu vcpu;
static uint64_t asked;
static unsigned fences;
static struct fence last;

static void own(struct engine_vcpu *v, const struct fence *fence)
{
    holds(v == &vcpu.eng);
    asked |= 1UL << vcpu.id;
    last = *fence;
    fences++;
}

void vcpu_fence_others(struct cald_vcpu *self, uint64_t mask, const struct fence *fence)
{
    holds(self == &vcpu);
    asked |= mask;
    last = *fence;
    fences++;
}

static const struct engine_ops ops = {.fence = own};

void proof(void)
{
    uint64_t a[5], function = nondet_u64(), set;
    for (unsigned n = 0; n < 5; n++)
        a[n] = nondet_u64();
    vm.vcpu_count = 1 + (unsigned)below(64);
    vcpu.vm = &vm;
    vcpu.id = (unsigned)below(vm.vcpu_count);
    vcpu.eng.ops = &ops;
    struct sbi_ret ret = sbi_hot_rfence(a[0], a[1], a[2], a[3], a[4], 0, function, &vcpu);
    uint64_t all = UINT64_MAX >> (64 - vm.vcpu_count);
    bool named = sbi_hart_mask(&vcpu, a[0], a[1], &set);
    bool range = function != 0 && a[3] && a[3] != UINT64_MAX;
    bool wraps = range && a[2] + a[3] - 1 < a[2];
    int64_t error = function > 2 ? SBI_ERR_NOT_SUPPORTED
                    : !named     ? SBI_ERR_INVALID_PARAM
                    : wraps      ? SBI_ERR_INVALID_ADDRESS
                                 : SBI_SUCCESS;
    holds(ret.error == error);
    holds(!(asked & ~all));
    holds(asked == (error == SBI_SUCCESS ? set : 0) && fences == (asked != 0));
    if (fences) {
        holds(last.kind == (enum fence_kind)function);
        holds(last.start == a[2] && last.size == a[3] && last.asid == a[4]);
    }
}
