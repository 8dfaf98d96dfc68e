/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI STA (2.0, chapter 16): tells the guest how long its vCPUs were ready but not running. */
#include <string.h>

#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"

/* The record in guest memory. */
struct record {
    uint32_t sequence, flags;
    uint64_t steal; /* nanoseconds */
    uint8_t preempted, padding[47];
};
_Static_assert(sizeof(struct record) == 64, "SBI 2.0, chapter 16");

#define NOWHERE UINT64_MAX

void sbi_sta_reset(struct cald_vcpu *vcpu)
{
    vcpu->sta_shmem = NOWHERE;
    vcpu->steal_ticks = 0;
}

void sbi_sta_update(struct cald_vcpu *vcpu)
{
    if (vcpu->sta_shmem == NOWHERE)
        return;
    struct record *record = cald_vm_ram(vcpu->vm, vcpu->sta_shmem, sizeof(*record));
    if (!record)
        return;
    /* Odd while it changes; the guest reads again until it sees the same even number twice. */
    uint32_t sequence = record->sequence | 1;
    record->sequence = sequence;
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t hz = host_timebase(), ticks = vcpu->steal_ticks;
    record->steal = ticks / hz * 1000000000 + ticks % hz * 1000000000 / hz;
    record->preempted = 0;
    atomic_thread_fence(memory_order_seq_cst);
    record->sequence = sequence + 1;
}

static struct sbi_ret sta_handle(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                                 const uint64_t args[6])
{
    (void)extension;
    static const struct record empty;
    if (function)
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    if (args[2]) /* flags: none are defined */
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    if (args[0] == UINT64_MAX && args[1] == UINT64_MAX) {
        vcpu->sta_shmem = NOWHERE;
        return (struct sbi_ret){SBI_SUCCESS, 0};
    }
    if (args[0] % sizeof(empty))
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    if (!args[1] && vcpu_lacks(vcpu, args[0], true))
        return (struct sbi_ret){SBI_NO_ANSWER, 0};
    if (args[1] || !cald_vm_ram(vcpu->vm, args[0], sizeof(empty)) ||
        !vm_write(vcpu->vm, args[0], &empty, sizeof(empty)))
        return (struct sbi_ret){SBI_ERR_INVALID_ADDRESS, 0};
    vcpu->sta_shmem = args[0];
    sbi_sta_update(vcpu);
    return (struct sbi_ret){SBI_SUCCESS, 0};
}

int sbi_sta_get(const struct cald_vcpu *vcpu, uint32_t index, uint64_t *value)
{
    if (index > 1)
        return CALD_ENOENT;
    *value = index ? vcpu->steal_ticks : vcpu->sta_shmem;
    return CALD_OK;
}

int sbi_sta_set(struct cald_vcpu *vcpu, uint32_t index, uint64_t value)
{
    const uint64_t size = sizeof(struct record);
    if (index > 1)
        return CALD_ENOENT;
    if (index)
        vcpu->steal_ticks = value;
    else if (value != NOWHERE && (value % size || !cald_vm_ram(vcpu->vm, value, size)))
        return CALD_EINVAL;
    else
        vcpu->sta_shmem = value;
    return CALD_OK;
}

const struct sbi_extension sbi_sta = {CALD_SBI_STA, SBI_EXT_STA, SBI_EXT_STA, 1, sta_handle};
