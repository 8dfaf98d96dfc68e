/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SBI PMU (2.0, chapter 11). Counter 0 is `cycle` and counter 2 `instret`, as their CSRs are
 * numbered; the guest's reads of these trap and get hardware's value plus an offset, so a counter
 * can be stopped and set although the hardware's runs on, and stands while the vCPU is not on a
 * hart. They are always there and count from the start, as mcountinhibit has it on a hart. From 3
 * on there are firmware counters.
 */
#include <string.h>

#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"

enum {
    NUM_COUNTERS,
    COUNTER_INFO,
    CONFIG_MATCHING,
    COUNTER_START,
    COUNTER_STOP,
    FW_READ,
    FW_READ_HI,
    SNAPSHOT_SET_SHMEM
};

#define CYCLE 0
#define INSTRET 2
#define TIME 1 /* `time` has this number, and is no counter of events */
#define FIRST_FIRMWARE 3
#define ALL ((1UL << PMU_COUNTERS) - 1)
#define FIXED (1UL << CYCLE | 1UL << INSTRET)
#define PRESENT (ALL & ~(1UL << TIME))

#define EVENT_TYPE(event) ((event) >> 16)
#define EVENT_CODE(event) ((event)&0xffff)
#define TYPE_HARDWARE 0
#define TYPE_FIRMWARE 15
#define HW_CYCLES 1
#define HW_INSTRUCTIONS 2

#define MATCH_SKIP (1UL << 0)
#define MATCH_CLEAR (1UL << 1)
#define MATCH_START (1UL << 2)
#define MATCH_FLAGS 0xffUL
#define START_SET_VALUE (1UL << 0)
#define START_FROM_SNAPSHOT (1UL << 1)
#define STOP_RESET (1UL << 0)
#define STOP_TO_SNAPSHOT (1UL << 1)

#define NOWHERE UINT64_MAX
#define SNAPSHOT_BYTES 4096
#define SNAPSHOT_VALUES 8 /* bytes before the counter values: the overflow bitmap */

static struct sbi_ret answer(int64_t error, uint64_t value)
{
    return (struct sbi_ret){error, value};
}

/* The firmware events that are counted, as the SBI numbers them; -1: never happens here. */
static int firmware_event(unsigned code)
{
    static const int8_t events[] = {
        [0] = FW_MISALIGNED_LOAD,
        [1] = FW_MISALIGNED_STORE,
        [2] = FW_ACCESS_LOAD,
        [3] = FW_ACCESS_STORE,
        [4] = FW_ILLEGAL_INSN,
        [5] = FW_SET_TIMER,
        [6] = FW_IPI_SENT,
        [7] = FW_IPI_RECEIVED,
        [8] = FW_FENCE_I_SENT,
        [9] = FW_FENCE_I_RECEIVED,
        [10] = FW_SFENCE_VMA_SENT,
        [11] = FW_SFENCE_VMA_RECEIVED,
        [12] = FW_SFENCE_VMA_ASID_SENT,
        [13] = FW_SFENCE_VMA_ASID_RECEIVED,
    };
    return code < sizeof(events) ? events[code] : -1;
}

static bool is_fixed(unsigned n)
{
    return FIXED >> n & 1;
}

/* What a firmware counter's event has come to. */
static uint64_t events(const struct cald_vcpu *vcpu, unsigned n)
{
    if (vcpu->pmu.counter[n].fw_event == FW_SET_TIMER)
        return vcpu->eng.exits[EXIT_HOT_SBI_TIME];
    return vcpu->fw_count[vcpu->pmu.counter[n].fw_event];
}

static uint64_t value_of(const struct cald_vcpu *vcpu, unsigned n)
{
    if (is_fixed(n))
        return engine_counter_value(&vcpu->eng, n);
    bool running = vcpu->pmu.counter[n].running;
    return running ? events(vcpu, n) + vcpu->pmu.counter[n].offset : vcpu->pmu.counter[n].value;
}

static void set_value(struct cald_vcpu *vcpu, unsigned n, uint64_t value)
{
    if (is_fixed(n)) {
        struct engine_counter *counter = &vcpu->eng.counter[n / 2];
        counter->offset = value - (engine_counter(&vcpu->eng, n) & counter->mask);
        return;
    }
    vcpu->pmu.counter[n].value = value;
    vcpu->pmu.counter[n].offset = value - events(vcpu, n);
}

static void run(struct cald_vcpu *vcpu, unsigned n)
{
    if (is_fixed(n))
        engine_counter_follow(&vcpu->eng, n, true);
    else
        set_value(vcpu, n, vcpu->pmu.counter[n].value);
    vcpu->pmu.counter[n].running = true;
}

static void halt(struct cald_vcpu *vcpu, unsigned n)
{
    if (is_fixed(n))
        engine_counter_follow(&vcpu->eng, n, false);
    else
        vcpu->pmu.counter[n].value = value_of(vcpu, n);
    vcpu->pmu.counter[n].running = false;
}

void sbi_pmu_reset(struct cald_vcpu *vcpu)
{
    memset(&vcpu->pmu, 0, sizeof(vcpu->pmu));
    memset(&vcpu->eng.counter, 0, sizeof(vcpu->eng.counter));
    for (unsigned n = CYCLE; n <= INSTRET; n += INSTRET - CYCLE)
        vcpu->pmu.counter[n].configured = vcpu->pmu.counter[n].running = true;
    vcpu->pmu.snapshot = NOWHERE;
}

/* The counters that base and mask name; false if one of them can't exist. */
static bool named(uint64_t base, uint64_t mask, uint64_t *set)
{
    if (base >= PMU_COUNTERS)
        return false;
    *set = mask << base;
    return *set && *set >> base == mask && !(*set & ~ALL);
}

/* Width less one, in its field. That of a firmware counter is for "hardware counters only" by the
 * SBI, but Linux takes it from every counter to mask values with; OpenSBI fills it in. */
#define WIDTH (63UL << 12)

static struct sbi_ret info(uint64_t n)
{
    if (n >= PMU_COUNTERS || !(PRESENT >> n & 1))
        return answer(SBI_ERR_INVALID_PARAM, 0);
    if (n >= FIRST_FIRMWARE)
        return answer(SBI_SUCCESS, 1UL << 63 | WIDTH);
    return answer(SBI_SUCCESS, (0xc00 + n) | WIDTH); /* with the CSR's number */
}

/* The counters that can count an event, whether or not they are taken. 0: nobody can. */
static uint64_t able(uint64_t event)
{
    if (event > 0xfffff)
        return 0;
    unsigned code = (unsigned)EVENT_CODE(event);
    if (EVENT_TYPE(event) == TYPE_HARDWARE && code == HW_CYCLES)
        return 1UL << CYCLE;
    if (EVENT_TYPE(event) == TYPE_HARDWARE && code == HW_INSTRUCTIONS)
        return 1UL << INSTRET;
    if (EVENT_TYPE(event) == TYPE_FIRMWARE && firmware_event(code) >= 0)
        return ALL & ~((1UL << FIRST_FIRMWARE) - 1);
    return 0;
}

static struct sbi_ret config_matching(struct cald_vcpu *vcpu, const uint64_t a[6])
{
    uint64_t set, flags = a[2], event = a[3], fit;
    if (!named(a[0], a[1], &set) || set & ~PRESENT || flags & ~MATCH_FLAGS)
        return answer(SBI_ERR_INVALID_PARAM, 0);
    struct vcpu_pmu *pmu = &vcpu->pmu;
    if (flags & MATCH_SKIP) {
        fit = set; /* the caller knows the counter: one that has been configured, or is fixed */
        if (!pmu->counter[__builtin_ctzll(fit)].configured)
            return answer(SBI_ERR_FAILED, 0);
    } else {
        fit = set & able(event);
        for (uint64_t left = fit; left; left &= left - 1) {
            unsigned n = (unsigned)__builtin_ctzll(left);
            if (pmu->counter[n].configured && n >= FIRST_FIRMWARE)
                fit &= ~(1UL << n);
        }
        if (!fit)
            return answer(SBI_ERR_NOT_SUPPORTED, 0);
    }
    unsigned n = (unsigned)__builtin_ctzll(fit);
    if (!(flags & MATCH_SKIP)) {
        pmu->counter[n].configured = true;
        if (pmu->counter[n].running)
            halt(vcpu, n);
        pmu->counter[n].firmware = n >= FIRST_FIRMWARE;
        if (n >= FIRST_FIRMWARE)
            pmu->counter[n].fw_event = (uint8_t)firmware_event((unsigned)EVENT_CODE(event));
    }
    if (flags & MATCH_CLEAR)
        set_value(vcpu, n, 0);
    if (flags & MATCH_START)
        run(vcpu, n);
    return answer(SBI_SUCCESS, n);
}

/* The snapshot's place for a counter is its position in the mask, as base counts from zero. */
static uint64_t snapshot_slot(const struct cald_vcpu *vcpu, uint64_t base, unsigned n)
{
    return vcpu->pmu.snapshot + SNAPSHOT_VALUES + 8 * (n - base);
}

/* Starting and stopping a set does what it can for each counter: one that isn't configured is
 * passed over, and the last of the others gives the answer, as in OpenSBI. */
static struct sbi_ret start(struct cald_vcpu *vcpu, const uint64_t a[6])
{
    uint64_t set, flags = a[2];
    if (!named(a[0], a[1], &set) || flags & ~(START_SET_VALUE | START_FROM_SNAPSHOT))
        return answer(SBI_ERR_INVALID_PARAM, 0);
    if (flags & START_FROM_SNAPSHOT && vcpu->pmu.snapshot == NOWHERE)
        return answer(SBI_ERR_NO_SHMEM, 0);
    int64_t error = SBI_ERR_INVALID_PARAM;
    for (; set; set &= set - 1) {
        unsigned n = (unsigned)__builtin_ctzll(set);
        uint64_t value = a[3];
        if (!vcpu->pmu.counter[n].configured)
            continue;
        error = SBI_ERR_ALREADY_STARTED;
        if (vcpu->pmu.counter[n].running)
            continue;
        error = SBI_ERR_NO_SHMEM;
        if (flags & START_FROM_SNAPSHOT &&
            !vm_read(vcpu->vm, snapshot_slot(vcpu, a[0], n), &value, sizeof(value)))
            continue;
        error = SBI_SUCCESS;
        if (flags)
            set_value(vcpu, n, value);
        run(vcpu, n);
    }
    return answer(error, 0);
}

static struct sbi_ret stop(struct cald_vcpu *vcpu, const uint64_t a[6])
{
    uint64_t set, flags = a[2];
    if (!named(a[0], a[1], &set) || flags & ~(STOP_RESET | STOP_TO_SNAPSHOT))
        return answer(SBI_ERR_INVALID_PARAM, 0);
    if (flags & STOP_TO_SNAPSHOT && vcpu->pmu.snapshot == NOWHERE)
        return answer(SBI_ERR_NO_SHMEM, 0);
    int64_t error = SBI_ERR_INVALID_PARAM;
    for (; set; set &= set - 1) {
        unsigned n = (unsigned)__builtin_ctzll(set);
        if (!vcpu->pmu.counter[n].configured)
            continue;
        error = vcpu->pmu.counter[n].running ? SBI_SUCCESS : SBI_ERR_ALREADY_STOPPED;
        if (vcpu->pmu.counter[n].running)
            halt(vcpu, n);
        if (flags & STOP_TO_SNAPSHOT) {
            uint64_t value = value_of(vcpu, n);
            vm_write(vcpu->vm, snapshot_slot(vcpu, a[0], n), &value, sizeof(value));
        }
        if (flags & STOP_RESET && !is_fixed(n)) {
            vcpu->pmu.counter[n].configured = false;
            vcpu->pmu.counter[n].value = 0;
        }
    }
    return answer(error, 0);
}

/* One that counts nothing keeps what it has. */
static struct sbi_ret fw_read(struct cald_vcpu *vcpu, uint64_t n, bool high)
{
    if (n >= PMU_COUNTERS || n < FIRST_FIRMWARE)
        return answer(SBI_ERR_INVALID_PARAM, 0);
    return answer(SBI_SUCCESS, high ? 0 : value_of(vcpu, (unsigned)n)); /* RV64: no high half */
}

static struct sbi_ret set_shmem(struct cald_vcpu *vcpu, const uint64_t a[6])
{
    static const uint64_t zero[64];
    if (a[2])
        return answer(SBI_ERR_INVALID_PARAM, 0);
    if (a[0] == UINT64_MAX && a[1] == UINT64_MAX) {
        vcpu->pmu.snapshot = NOWHERE;
        return answer(SBI_SUCCESS, 0);
    }
    if (a[0] % SNAPSHOT_BYTES)
        return answer(SBI_ERR_INVALID_PARAM, 0);
    if (a[1] || !cald_vm_is_ram(vcpu->vm, a[0], SNAPSHOT_BYTES))
        return answer(SBI_ERR_INVALID_ADDRESS, 0);
    for (unsigned at = 0; at < SNAPSHOT_BYTES; at += sizeof(zero))
        vm_write(vcpu->vm, a[0] + at, zero, sizeof(zero));
    vcpu->pmu.snapshot = a[0];
    return answer(SBI_SUCCESS, 0);
}

/* The call will read or write a snapshot, which is a page, and that is absent. */
static bool lacks_snapshot(struct cald_vcpu *vcpu, uint64_t function, const uint64_t args[6])
{
    uint64_t gpa = NOWHERE;
    if (function == SNAPSHOT_SET_SHMEM && !args[1])
        gpa = args[0];
    else if ((function == COUNTER_START && args[2] & START_FROM_SNAPSHOT) ||
             (function == COUNTER_STOP && args[2] & STOP_TO_SNAPSHOT))
        gpa = vcpu->pmu.snapshot;
    return vcpu_lacks(vcpu, gpa, function != COUNTER_START);
}

static struct sbi_ret handle(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                             const uint64_t args[6])
{
    (void)extension;
    if (lacks_snapshot(vcpu, function, args))
        return answer(SBI_NO_ANSWER, 0);
    switch (function) {
    case NUM_COUNTERS:
        return answer(SBI_SUCCESS, PMU_COUNTERS);
    case COUNTER_INFO:
        return info(args[0]);
    case CONFIG_MATCHING:
        return config_matching(vcpu, args);
    case COUNTER_START:
        return start(vcpu, args);
    case COUNTER_STOP:
        return stop(vcpu, args);
    case FW_READ:
        return fw_read(vcpu, args[0], false);
    case FW_READ_HI:
        return fw_read(vcpu, args[0], true);
    case SNAPSHOT_SET_SHMEM:
        return set_shmem(vcpu, args);
    default:
        return answer(SBI_ERR_NOT_SUPPORTED, 0);
    }
}

/* ---- State by number: CALD_PMU_* of include/caldarium/caldarium.h
 * ----------------------------------
 */

#define FLAG_CONFIGURED 1U
#define FLAG_RUNNING 2U

/* The event of a firmware counter, as the SBI numbers it. */
static uint64_t event_of(const struct cald_vcpu *vcpu, unsigned n)
{
    unsigned code = 0;
    while (firmware_event(code) != (int)vcpu->pmu.counter[n].fw_event)
        code++;
    return (uint64_t)TYPE_FIRMWARE << 16 | code;
}

int sbi_pmu_get(const struct cald_vcpu *vcpu, uint32_t index, uint64_t *value)
{
    uint32_t n = index >> 4, field = index & 15;
    if (index == CALD_PMU_SNAPSHOT) {
        *value = vcpu->pmu.snapshot;
        return CALD_OK;
    }
    if (n >= PMU_COUNTERS || !(PRESENT >> n & 1))
        return CALD_ENOENT;
    if (field == CALD_PMU_FLAGS)
        *value = (vcpu->pmu.counter[n].configured ? FLAG_CONFIGURED : 0) |
                 (vcpu->pmu.counter[n].running ? FLAG_RUNNING : 0);
    else if (field == CALD_PMU_EVENT && !is_fixed(n))
        *value = event_of(vcpu, n);
    else if (field == CALD_PMU_VALUE)
        *value = value_of(vcpu, n);
    else
        return CALD_ENOENT;
    return CALD_OK;
}

/* A fixed counter is always configured, and one that runs is. */
static int set_flags(struct cald_vcpu *vcpu, unsigned n, uint64_t flags)
{
    uint64_t value = value_of(vcpu, n);
    bool configured = flags & FLAG_CONFIGURED;
    if (flags > (FLAG_CONFIGURED | FLAG_RUNNING) || (!configured && (flags || is_fixed(n))))
        return CALD_EINVAL;
    vcpu->pmu.counter[n].configured = configured;
    vcpu->pmu.counter[n].running = flags & FLAG_RUNNING;
    vcpu->pmu.counter[n].firmware = configured && !is_fixed(n);
    set_value(vcpu, n, value);
    return CALD_OK;
}

static int set_event(struct cald_vcpu *vcpu, unsigned n, uint64_t event)
{
    uint64_t value = value_of(vcpu, n);
    if (!(able(event) >> n & 1))
        return CALD_EINVAL;
    vcpu->pmu.counter[n].fw_event = (uint8_t)firmware_event((unsigned)EVENT_CODE(event));
    set_value(vcpu, n, value);
    return CALD_OK;
}

int sbi_pmu_set(struct cald_vcpu *vcpu, uint32_t index, uint64_t value)
{
    uint32_t n = index >> 4, field = index & 15;
    if (index == CALD_PMU_SNAPSHOT) {
        bool fits = value % SNAPSHOT_BYTES == 0 && cald_vm_is_ram(vcpu->vm, value, SNAPSHOT_BYTES);
        if (value != NOWHERE && !fits)
            return CALD_EINVAL;
        vcpu->pmu.snapshot = value;
        return CALD_OK;
    }
    if (n >= PMU_COUNTERS || !(PRESENT >> n & 1))
        return CALD_ENOENT;
    if (field == CALD_PMU_FLAGS)
        return set_flags(vcpu, n, value);
    if (field == CALD_PMU_EVENT && !is_fixed(n))
        return set_event(vcpu, n, value);
    if (field != CALD_PMU_VALUE)
        return CALD_ENOENT;
    set_value(vcpu, n, value);
    return CALD_OK;
}

const struct sbi_extension sbi_pmu = {CALD_SBI_PMU, SBI_EXT_PMU, SBI_EXT_PMU, 8, handle};
