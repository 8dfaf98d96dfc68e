/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SBI PMU: calls, and events between them. A counter that runs goes on by what has happened of its
 * event, and any other stays; a call changes the counters that it names.
 */
#include "tests/fuzz/guests.h"

#include "tests/unit/guests.h"

#include "caldarium/caldarium.h"

#define MIB 1
enum { INFO = 1, CONFIG, START, STOP, READ, READ_HI, SHMEM };

static struct cald_vcpu *vcpu;

static uint64_t item(unsigned n, unsigned field)
{
    uint64_t value = 0;
    REQUIRE(sbi_pmu_get(vcpu, n << 4 | field, &value) == CALD_OK || n == 1);
    return value;
}

static bool runs(unsigned n)
{
    return item(n, CALD_PMU_FLAGS) & 2;
}

/* Of one event so many have happened, or the hart went on by so many cycles. */
static void happen(struct input *in)
{
    uint64_t before[PMU_COUNTERS];
    unsigned what = (unsigned)input_number(in, 1), event = what % (FW_EVENTS + 1);
    uint64_t many = input_number(in, what & 0x80 ? 8 : 1);
    for (unsigned n = 0; n < PMU_COUNTERS; n++)
        before[n] = item(n, CALD_PMU_VALUE);
    if (event == FW_EVENTS)
        guest_harts_counter += many;
    else if (event == FW_SET_TIMER)
        vcpu->eng.exits[EXIT_HOT_SBI_TIME] += many;
    else
        vcpu->fw_count[event] += many;
    for (unsigned n = 0; n < PMU_COUNTERS; n++) {
        bool its = n < 3 ? event == FW_EVENTS : vcpu->pmu.counter[n].fw_event == event;
        if (n != 1)
            REQUIRE(item(n, CALD_PMU_VALUE) - before[n] == (its && runs(n) ? many : 0));
    }
}

static uint64_t some(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    if (what & 1)
        return what >> 1;
    if (what & 2)
        return what & 4 ? GUEST_RAM + (what >> 3) * 4096UL : 0xf0000UL + (what >> 3);
    return what & 4 ? UINT64_MAX : input_number(in, 8);
}

static void call(struct input *in)
{
    uint64_t before[PMU_COUNTERS];
    bool ran[PMU_COUNTERS];
    unsigned what = (unsigned)input_number(in, 1), function = what & 7;
    uint64_t args[6] = {what >> 4, some(in), some(in), some(in), 0, 0};
    if (function == SHMEM) {
        args[0] = args[1];
        args[1] = what & 0x10 ? args[2] : 0;
        args[2] = 0;
    } else if (what & 8) {
        args[2] &= 7;
    }
    for (unsigned n = 0; n < PMU_COUNTERS; n++) {
        before[n] = item(n, CALD_PMU_VALUE);
        ran[n] = n != 1 && runs(n);
    }
    struct sbi_ret ret = sbi_pmu.handle(vcpu, SBI_EXT_PMU, function, args);
    REQUIRE(ret.error <= 0 && ret.error >= SBI_ERR_NO_SHMEM);
    for (unsigned n = 0; n < PMU_COUNTERS; n++) {
        bool named = n >= args[0] && n - args[0] < 64 && args[1] >> (n - args[0]) & 1;
        bool changes = function == CONFIG || function == START || function == STOP;
        if (n == 1)
            continue;
        if (!changes || !named)
            REQUIRE(item(n, CALD_PMU_VALUE) == before[n] && runs(n) == ran[n]);
        else if (function == START && args[2] == 1 && !ran[n] && runs(n))
            REQUIRE(item(n, CALD_PMU_VALUE) == args[3]);
        else if (function == STOP)
            REQUIRE(!runs(n) || !(item(n, CALD_PMU_FLAGS) & 1) || ret.error);
    }
    if (function == CONFIG && !ret.error)
        REQUIRE(ret.value < PMU_COUNTERS && ret.value != 1 && item((unsigned)ret.value, 0) & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static bool made;
    struct input in = {data, bytes};
    if (!made) {
        guest_describe(MIB);
        REQUIRE(!memory_take(&guest_vm));
        made = true;
    }
    vcpu = &guest_vcpus[0];
    memset(vcpu->fw_count, 0, sizeof(vcpu->fw_count));
    sbi_pmu_reset(vcpu);
    sbi_pmu_back(vcpu);
    while (in.left) {
        unsigned what = (unsigned)input_number(&in, 1);
        if (what & 1)
            happen(&in);
        else
            call(&in);
        if (what & 0x80) /* it loses its hart, and gets one */
            sbi_pmu_away(vcpu);
        sbi_pmu_back(vcpu);
    }
    return 0;
}
