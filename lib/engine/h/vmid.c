/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMIDs tag TLB entries by VM. They are handed out upwards; when they run out a new generation
 * begins, and each hart flushes everything before it runs a VM of that generation. A VM that ends
 * leaves its number unused, so its stale entries match nobody.
 */
#include <stdatomic.h>

#include "lib/engine/h/h.h"
#include "lib/common/lock.h"
#include "host/host.h"
#include "riscv/asm.h"

static struct lock lock;
static uint64_t generation = 1, next = 1;

static uint64_t assign(void)
{
    uint64_t count = 1UL << h_features.vmid_bits;
    if (next >= count) {
        generation++;
        next = count > 1 ? 1 : 0;
    }
    uint64_t vmid = generation << 16 | next;
    next++;
    return vmid;
}

uint64_t h_hgatp(struct engine_vm *vm, uint64_t *vmid_generation)
{
    lock_take(&lock);
    uint64_t vmid = vm->h.vmid;
    if (vmid >> 16 != generation) {
        vmid = assign();
        vm->h.vmid = vmid;
    }
    *vmid_generation = generation;
    lock_release(&lock);
    return gstage_atp(&vm->h.gstage) | (vmid & 0xffff) << HGATP_VMID_SHIFT;
}
