/* SPDX-License-Identifier: BSD-2-Clause */
/* SBI calls by their letter: error codes, bad addresses, masks and function numbers. */
#include "tests/unit/guests.h"

#include "appliance/watchdog.h"
#include "lib/vm/vm.h"
#include "lib/vcpu/pending.h"

#include "caldarium/caldarium.h"

#define PC 0x80001000UL
#define RAM_END (GUEST_RAM + 16 * GUEST_MIB)

#define caller (&guest_vcpus[0])

static int set_up(void **state)
{
    (void)state;
    guest_describe(16);
    assert_int_equal(memory_take(&guest_vm), 0);
    atomic_store(&caller->hsm, SBI_HSM_STARTED);
    atomic_store(&guest_vm.state, VM_RUNNING);
    return 0;
}

/* Makes the call as the guest would; returns a0. a1 is left in its register. */
static int64_t call(uint64_t extension, uint64_t function, uint64_t a0, uint64_t a1, uint64_t a2)
{
    uint64_t *gpr = caller->eng.gpr;
    gpr[17] = extension;
    gpr[16] = function;
    gpr[10] = a0;
    gpr[11] = a1;
    gpr[12] = a2;
    caller->eng.pc = PC;
    sbi_handle(caller);
    return (int64_t)gpr[10];
}

static void test_unknown(void **state)
{
    (void)state;
    assert_int_equal(call(0x12345678, 0, 0, 0, 0), SBI_ERR_NOT_SUPPORTED);
    assert_int_equal(caller->eng.pc, PC + 4);
    static const uint64_t extensions[] = {SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI,  SBI_EXT_RFENCE,
                                          SBI_EXT_HSM,  SBI_EXT_SRST, SBI_EXT_DBCN, SBI_EXT_PMU,
                                          SBI_EXT_SUSP, SBI_EXT_STA};
    for (size_t n = 0; n < sizeof(extensions) / sizeof(*extensions); n++) {
        assert_int_equal(call(extensions[n], 99, 0, 0, 0), SBI_ERR_NOT_SUPPORTED);
        assert_int_equal(call(SBI_EXT_BASE, 3, extensions[n], 0, 0), 0);
        assert_int_equal(caller->eng.gpr[11], 1);
    }
    assert_int_equal(call(SBI_EXT_BASE, 3, 0x12345678, 0, 0), 0);
    assert_int_equal(caller->eng.gpr[11], 0);
}

/* What the engines answer without leaving their entry code is what sbi_handle() would. */
static void test_missing_calls_are_known_at_once(void **state)
{
    (void)state;
    static const struct {
        uint64_t extension, functions;
    } known[] = {{SBI_EXT_BASE, 7}, {SBI_EXT_TIME, 1}, {SBI_EXT_IPI, 1},  {SBI_EXT_RFENCE, 3},
                 {SBI_EXT_HSM, 4},  {SBI_EXT_SRST, 1}, {SBI_EXT_DBCN, 3}, {SBI_EXT_PMU, 8},
                 {SBI_EXT_SUSP, 1}, {SBI_EXT_STA, 1}};
    for (size_t n = 0; n < sizeof(known) / sizeof(*known); n++) {
        assert_false(sbi_hot_missing(known[n].extension, 0, caller));
        assert_false(sbi_hot_missing(known[n].extension, known[n].functions - 1, caller));
        assert_true(sbi_hot_missing(known[n].extension, known[n].functions, caller));
        assert_int_equal(call(known[n].extension, known[n].functions, 0, 0, 0),
                         SBI_ERR_NOT_SUPPORTED);
    }
    for (uint64_t legacy = 0; legacy <= SBI_EXT_LEGACY_SHUTDOWN; legacy++)
        assert_false(sbi_hot_missing(legacy, 99, caller));        /* a6 means nothing there */
    assert_false(sbi_hot_missing(SBI_EXT_CALDARIUM, 99, caller)); /* the host's to answer */
    assert_true(sbi_hot_missing(9, 0, caller));
    assert_true(sbi_hot_missing(UINT64_MAX, 0, caller));
}

static void test_hsm_start(void **state)
{
    (void)state;
    assert_int_equal(call(SBI_EXT_HSM, 0, GUEST_VCPUS, PC, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_HSM, 0, 1, RAM_END, 0), SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(call(SBI_EXT_HSM, 0, 1, 0x1000, 0), SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(call(SBI_EXT_HSM, 0, 1, PC, 77), SBI_SUCCESS);
    assert_int_equal(call(SBI_EXT_HSM, 0, 1, PC, 78), SBI_ERR_ALREADY_AVAILABLE);
    assert_int_equal(call(SBI_EXT_HSM, 2, 1, 0, 0), SBI_SUCCESS);
    assert_int_equal(caller->eng.gpr[11], SBI_HSM_START_PENDING);
    sbi_hsm_started(&guest_vcpus[1]);
    assert_int_equal(guest_began_at, PC);
    assert_int_equal(guest_vcpus[1].eng.gpr[10], 1);
    assert_int_equal(guest_vcpus[1].eng.gpr[11], 77);
    call(SBI_EXT_HSM, 2, 1, 0, 0);
    assert_int_equal(caller->eng.gpr[11], SBI_HSM_STARTED);
    assert_int_equal(call(SBI_EXT_HSM, 2, GUEST_VCPUS, 0, 0), SBI_ERR_INVALID_PARAM);
}

static void test_hsm_suspend(void **state)
{
    (void)state;
    assert_int_equal(call(SBI_EXT_HSM, 3, 1, 0, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_HSM, 3, 0x10000000, 0, 0), SBI_ERR_NOT_SUPPORTED);
    assert_int_equal(call(SBI_EXT_HSM, 3, 0x80000000, RAM_END, 0), SBI_ERR_INVALID_ADDRESS);
    call(SBI_EXT_HSM, 3, 0, 0, 0);
    assert_int_equal(atomic_load(&caller->hsm), SBI_HSM_SUSPENDED);
    assert_int_equal(caller->eng.pc, PC); /* unanswered until it goes on */
    sbi_hsm_resume(caller);
    assert_int_equal(caller->eng.pc, PC + 4);
    assert_int_equal(caller->eng.gpr[10], 0);
    call(SBI_EXT_HSM, 3, 0x80000000, PC + 0x100, 5);
    sbi_hsm_resume(caller);
    assert_int_equal(caller->eng.pc, PC + 0x100);
    assert_int_equal(caller->eng.gpr[11], 5);
}

static void test_hart_masks(void **state)
{
    (void)state;
    for (unsigned n = 1; n < GUEST_VCPUS; n++)
        atomic_store(&guest_vcpus[n].hsm, SBI_HSM_STARTED);
    assert_int_equal(call(SBI_EXT_IPI, 0, 0xf, 0, 0), SBI_SUCCESS);
    assert_int_equal(call(SBI_EXT_IPI, 0, 0x10, 0, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_IPI, 0, 1, GUEST_VCPUS, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_IPI, 0, 2, 63, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_IPI, 0, 0, 1000, 0), SBI_SUCCESS);
    assert_int_equal(call(SBI_EXT_IPI, 0, 0, UINT64_MAX, 0), SBI_SUCCESS);
    assert_int_equal(guest_irqs, 1u << GUEST_IRQ_SOFT);
    for (unsigned n = 1; n < GUEST_VCPUS; n++)
        assert_true(atomic_load(&guest_vcpus[n].mailbox) & MAIL_SOFT);
    assert_int_equal(call(SBI_EXT_RFENCE, 1, 0x10, 0, 0), SBI_ERR_INVALID_PARAM);
    for (unsigned function = 3; function < 7; function++) /* hfence: no H for guests */
        assert_int_equal(call(SBI_EXT_RFENCE, function, 1, 0, 0), SBI_ERR_NOT_SUPPORTED);
}

/* Legacy clear_ipi: positive if one had been pending, as mail or shown. */
static void test_legacy_clear_ipi(void **state)
{
    (void)state;
    assert_int_equal(call(SBI_EXT_LEGACY_CLEAR_IPI, 0, 0, 0, 0), 0);
    atomic_fetch_or(&caller->mailbox, MAIL_SOFT);
    assert_true(call(SBI_EXT_LEGACY_CLEAR_IPI, 0, 0, 0, 0) > 0);
    assert_false(atomic_load(&caller->mailbox) & MAIL_SOFT);
    caller->eng.ops->irq(&caller->eng, GUEST_IRQ_SOFT, true);
    assert_true(call(SBI_EXT_LEGACY_CLEAR_IPI, 0, 0, 0, 0) > 0);
    assert_int_equal(guest_sip, 0);
    assert_int_equal(call(SBI_EXT_LEGACY_CLEAR_IPI, 0, 0, 0, 0), 0);
}

static void test_fence_of_the_caller(void **state)
{
    (void)state;
    caller->eng.gpr[13] = 0x2000; /* size */
    caller->eng.gpr[14] = 9;      /* ASID */
    assert_int_equal(call(SBI_EXT_RFENCE, 2, 1, 0, 0x5000), SBI_SUCCESS);
    assert_int_equal(guest_fences, 1);
    assert_int_equal(guest_fence.kind, FENCE_VMA_ASID);
    assert_int_equal(guest_fence.start, 0x5000);
    assert_int_equal(guest_fence.size, 0x2000);
    assert_int_equal(guest_fence.asid, 9);
}

/* The PMU counts requests to other harts, and from them: neither what concerns oneself. */
static void test_requests_to_others_are_counted(void **state)
{
    (void)state;
    static const struct {
        uint64_t extension, function;
        enum sbi_fw_event sent;
    } calls[] = {{SBI_EXT_IPI, 0, FW_IPI_SENT},
                 {SBI_EXT_RFENCE, 0, FW_FENCE_I_SENT},
                 {SBI_EXT_RFENCE, 1, FW_SFENCE_VMA_SENT},
                 {SBI_EXT_RFENCE, 2, FW_SFENCE_VMA_ASID_SENT}};
    for (unsigned n = 0; n < sizeof(calls) / sizeof(calls[0]); n++) {
        caller->eng.gpr[13] = 0;
        assert_int_equal(call(calls[n].extension, calls[n].function, 1, 0, 0), SBI_SUCCESS);
        assert_int_equal(call(calls[n].extension, calls[n].function, 0, 0, 0), SBI_SUCCESS);
        assert_int_equal(caller->fw_count[calls[n].sent], 0);
        assert_int_equal(call(calls[n].extension, calls[n].function, 3, 0, 0), SBI_SUCCESS);
        assert_int_equal(call(calls[n].extension, calls[n].function, 2, 0, 0), SBI_SUCCESS);
        assert_int_equal(caller->fw_count[calls[n].sent], 2);
        assert_int_equal(caller->fw_count[calls[n].sent + 1], 0); /* received */
    }
}

/* The legacy calls have the hart mask behind a pointer (null: all), and no function numbers. */
static void test_legacy_fences(void **state)
{
    (void)state;
    static const struct {
        uint64_t extension;
        enum fence_kind kind;
        uint64_t asid;
    } calls[] = {{SBI_EXT_LEGACY_FENCE_I, FENCE_I, 0},
                 {SBI_EXT_LEGACY_SFENCE_VMA, FENCE_VMA, 0},
                 {SBI_EXT_LEGACY_SFENCE_VMA_ASID, FENCE_VMA_ASID, 9}};
    for (unsigned n = 0; n < sizeof(calls) / sizeof(calls[0]); n++) {
        caller->eng.gpr[13] = 9;
        assert_int_equal(call(calls[n].extension, 77, 0, 0x5000, 0x2000), SBI_SUCCESS);
        assert_int_equal(guest_fence.kind, calls[n].kind);
        assert_int_equal(guest_fence.start, 0x5000);
        assert_int_equal(guest_fence.size, 0x2000);
        assert_int_equal(guest_fence.asid, calls[n].asid);
        assert_true(atomic_load(&guest_vcpus[1].mailbox) & MAIL_FENCE);
        atomic_store(&guest_vcpus[1].mailbox, 0);
    }
    assert_int_equal(call(SBI_EXT_LEGACY_SFENCE_VMA, 0, 0, 0xfffffffffffff000, 0x2000),
                     SBI_ERR_INVALID_ADDRESS);
}

static void test_fence_up_to_the_last_address(void **state)
{
    (void)state;
    caller->eng.gpr[13] = 0x2000;
    assert_int_equal(call(SBI_EXT_RFENCE, 1, 1, 0, 0xffffffffffffe000), SBI_SUCCESS);
    assert_int_equal(guest_fences, 1);
    assert_int_equal(call(SBI_EXT_RFENCE, 1, 1, 0, 0xfffffffffffff000), SBI_ERR_INVALID_ADDRESS);
    caller->eng.gpr[13] = 0;
    assert_int_equal(call(SBI_EXT_RFENCE, 1, 1, 0, 0xfffffffffffff000), SBI_SUCCESS);
}

/* The line is slow: less is written, or the call is made again. */
static void test_console_without_room(void **state)
{
    (void)state;
    assert_true(vm_write(guest, PC, "hello", 5));
    sim_console_room = 2;
    assert_int_equal(call(SBI_EXT_DBCN, 0, 5, PC, 0), SBI_SUCCESS);
    assert_int_equal(caller->eng.gpr[11], 2);
    assert_string_equal(sim_console, "he");
    sim_console_room = 0;
    assert_int_equal(call(SBI_EXT_DBCN, 0, 5, PC, 0), SBI_SUCCESS);
    assert_int_equal(caller->eng.gpr[11], 0);
    for (unsigned n = 0; n < 2; n++) {
        caller->why = CALD_AGAIN;
        call(n ? SBI_EXT_LEGACY_PUTCHAR : SBI_EXT_DBCN, 2, 'x', 0, 0);
        assert_int_equal(caller->eng.pc, PC); /* at the ecall still */
        assert_int_equal(caller->why, CALD_YIELD);
    }
    sim_console_room = 9;
    assert_int_equal(call(SBI_EXT_DBCN, 2, 'x', 0, 0), SBI_SUCCESS);
    assert_string_equal(sim_console, "hex");
}

static void test_no_console_at_all(void **state)
{
    (void)state;
    guest->has_console = false;
    guest->sbi_served &= ~CALD_SBI_DBCN;
    uint8_t vm_has[] = {0, 0, 1};
    uint64_t ids[] = {SBI_EXT_DBCN, SBI_EXT_LEGACY_PUTCHAR, SBI_EXT_LEGACY_SHUTDOWN};
    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(call(SBI_EXT_BASE, 3, ids[n], 0, 0), SBI_SUCCESS);
        assert_int_equal(caller->eng.gpr[11], vm_has[n]);
    }
    assert_int_equal(call(SBI_EXT_DBCN, 2, 'x', 0, 0), SBI_ERR_NOT_SUPPORTED);
    assert_int_equal(call(SBI_EXT_DBCN, 0, 4, PC, 0), SBI_ERR_NOT_SUPPORTED);
    assert_int_equal(call(SBI_EXT_LEGACY_PUTCHAR, 0, 'x', 0, 0), 0);
    assert_int_equal(call(SBI_EXT_LEGACY_GETCHAR, 0, 0, 0, 0), -1);
    assert_int_equal(sim_console_bytes, 0);
    guest->has_console = true;
    guest->sbi_served |= CALD_SBI_DBCN;
}

static void test_debug_console(void **state)
{
    (void)state;
    assert_true(vm_write(guest, PC, "hello", 5));
    assert_int_equal(call(SBI_EXT_DBCN, 0, 5, PC, 0), SBI_SUCCESS);
    assert_int_equal(caller->eng.gpr[11], 5);
    assert_string_equal(sim_console, "hello");
    assert_int_equal(call(SBI_EXT_DBCN, 0, 5, PC, 1), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_DBCN, 0, 5, RAM_END - 4, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_DBCN, 0, 16, UINT64_MAX - 7, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_DBCN, 1, 5, 0x1000, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_DBCN, 0, 0, 0, 0), SBI_SUCCESS);
    assert_int_equal(call(SBI_EXT_DBCN, 2, '!', 0, 0), SBI_SUCCESS);
    assert_string_equal(sim_console, "hello!");
}

static void test_steal_record(void **state)
{
    (void)state;
    assert_int_equal(call(SBI_EXT_STA, 0, PC + 1, 0, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_STA, 0, PC, 0, 1), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_STA, 0, RAM_END, 0, 0), SBI_ERR_INVALID_ADDRESS);
    assert_int_equal(call(SBI_EXT_STA, 0, PC, 0, 0), SBI_SUCCESS);
    caller->steal_ticks = 25;
    sbi_sta_update(caller);
    struct {
        uint32_t sequence, flags;
        uint64_t steal;
    } record;
    assert_true(vm_read(guest, PC, &record, sizeof(record)));
    assert_int_equal(record.sequence % 2, 0);
    assert_int_equal(record.steal, 2500); /* ns, at 10 MHz */
    assert_int_equal(call(SBI_EXT_STA, 0, UINT64_MAX, UINT64_MAX, 0), SBI_SUCCESS);
    assert_int_equal(caller->sta_shmem, UINT64_MAX);
}

enum { PMU_INFO = 1, PMU_CONFIG, PMU_START, PMU_STOP, PMU_FW_READ };
#define PMU_FIRMWARE 0xfff8UL
#define EVENT_SET_TIMER (15UL << 16 | 5)

static int64_t config(uint64_t set, uint64_t flags, uint64_t event)
{
    caller->eng.gpr[13] = event;
    return call(SBI_EXT_PMU, PMU_CONFIG, 0, set, flags);
}

static void test_sets_of_counters(void **state)
{
    (void)state;
    for (uint64_t n = 3; n < PMU_COUNTERS; n++) {
        assert_int_equal(call(SBI_EXT_PMU, PMU_INFO, n, 0, 0), SBI_SUCCESS);
        assert_int_equal(caller->eng.gpr[11], 1UL << 63 | 63UL << 12);
    }
    /* A firmware counter can be read before it counts anything. */
    assert_int_equal(call(SBI_EXT_PMU, PMU_FW_READ, 3, 0, 0), SBI_SUCCESS);
    assert_int_equal(caller->eng.gpr[11], 0);
    assert_int_equal(call(SBI_EXT_PMU, PMU_FW_READ, 2, 0, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_PMU, PMU_FW_READ, PMU_COUNTERS, 0, 0), SBI_ERR_INVALID_PARAM);
    for (uint64_t n = 3; n < PMU_COUNTERS; n++)
        assert_int_equal(config(PMU_FIRMWARE, 0, EVENT_SET_TIMER), SBI_SUCCESS);
    assert_int_equal(config(PMU_FIRMWARE, 0, EVENT_SET_TIMER), SBI_ERR_NOT_SUPPORTED);
    /* Those that aren't there (1) or aren't configured don't keep it from the others. */
    assert_int_equal(call(SBI_EXT_PMU, PMU_STOP, 0, 1UL << 3, 1), SBI_ERR_ALREADY_STOPPED);
    call(SBI_EXT_PMU, PMU_STOP, 0, PMU_FIRMWARE | 7, 1);
    assert_int_equal(call(SBI_EXT_PMU, PMU_STOP, 0, PMU_FIRMWARE, 1), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_PMU, PMU_STOP, 0, 1UL << PMU_COUNTERS, 1), SBI_ERR_INVALID_PARAM);
    for (uint64_t n = 3; n < PMU_COUNTERS; n++)
        assert_int_equal(config(PMU_FIRMWARE, 0, EVENT_SET_TIMER), SBI_SUCCESS);
    assert_int_equal(call(SBI_EXT_PMU, PMU_START, 0, 1UL << 1, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_PMU, PMU_START, 0, PMU_FIRMWARE | 2, 0), SBI_SUCCESS);
    assert_int_equal(call(SBI_EXT_PMU, PMU_START, 0, PMU_FIRMWARE, 0), SBI_ERR_ALREADY_STARTED);
}

/* The counters of an earlier kernel are not the next one's: a hart that starts has all of them. */
static void test_started_hart_has_its_counters(void **state)
{
    (void)state;
    while (config(PMU_FIRMWARE, 4, EVENT_SET_TIMER) == SBI_SUCCESS)
        ;
    assert_int_equal(call(SBI_EXT_STA, 0, PC, 0, 0), SBI_SUCCESS);
    sbi_hsm_started(caller);
    assert_int_equal(caller->sta_shmem, UINT64_MAX);
    assert_int_equal(config(1UL << 3, 1, EVENT_SET_TIMER), SBI_ERR_FAILED);
    assert_int_equal(config(PMU_FIRMWARE, 0, EVENT_SET_TIMER), SBI_SUCCESS);
}

static void test_counters_stand_while_away(void **state)
{
    (void)state;
    sbi_pmu_reset(caller);
    sbi_pmu_back(caller);
    guest_harts_counter += 50;
    assert_int_equal(engine_counter_value(&caller->eng, 2), 50);
    sbi_pmu_away(caller);
    guest_harts_counter += 10000;
    assert_int_equal(engine_counter_value(&caller->eng, 2), 50);
    guest_harts_counter = 7; /* another hart's */
    sbi_pmu_back(caller);
    guest_harts_counter += 3;
    assert_int_equal(engine_counter_value(&caller->eng, 0), 53);
    assert_int_equal(engine_counter_value(&caller->eng, 2), 53);
    /* One that is stopped stands also when the vCPU comes back. */
    assert_int_equal(call(SBI_EXT_PMU, PMU_STOP, 0, 1, 1), SBI_SUCCESS);
    sbi_pmu_away(caller);
    sbi_pmu_back(caller);
    guest_harts_counter += 4;
    assert_int_equal(engine_counter_value(&caller->eng, 0), 53);
    assert_int_equal(engine_counter_value(&caller->eng, 2), 57);
    assert_int_equal(config(1, 1 | 4, 1), SBI_SUCCESS);
    guest_harts_counter += 2;
    assert_int_equal(engine_counter_value(&caller->eng, 0), 55);
}

static void test_last_hart_stops(void **state)
{
    (void)state;
    atomic_store(&guest_vcpus[1].hsm, SBI_HSM_STARTED);
    caller->why = CALD_AGAIN;
    call(SBI_EXT_HSM, 1, 0, 0, 0);
    assert_int_equal(caller->why, CALD_AGAIN);
    atomic_store(&caller->hsm, SBI_HSM_STARTED);
    atomic_store(&guest_vcpus[1].hsm, SBI_HSM_STOPPED);
    call(SBI_EXT_HSM, 1, 0, 0, 0);
    assert_int_equal(caller->why, CALD_FAULT);
    vm_guest_fault(caller, caller->fault);
    assert_int_equal(atomic_load(&guest_vm.request), VM_REQUEST_STOP);
    assert_non_null(strstr(sim_messages, "stopped its last hart"));
}

/* The call goes out to the Type-1, which answers. */
static int64_t watchdog(uint64_t function)
{
    struct cald_exit exit;
    call(SBI_EXT_CALDARIUM, function, 0, 0, 0);
    assert_int_equal(caller->why, CALD_SBI);
    assert_int_equal(caller->eng.pc, PC);
    pending_tell(caller, &exit);
    watchdog_call(&guest_vm, caller, &exit);
    assert_int_equal(caller->eng.pc, PC + 4);
    return (int64_t)caller->eng.gpr[10];
}

static void test_watchdog_calls(void **state)
{
    (void)state;
    assert_int_equal(call(SBI_EXT_BASE, 3, SBI_EXT_CALDARIUM, 0, 0), SBI_SUCCESS);
    assert_int_equal(watchdog(0), SBI_ERR_DENIED);
    guest_config.watchdog_ms = 100;
    sim_time = 5;
    assert_int_equal(watchdog(0), SBI_SUCCESS);
    assert_int_equal(atomic_load(&guest_vm.watchdog), 5 + sim_timebase / 10);
    assert_int_equal(watchdog(1), SBI_SUCCESS);
    assert_int_equal(watchdog(2), SBI_ERR_NOT_SUPPORTED);
}

static void test_reset_types(void **state)
{
    (void)state;
    assert_int_equal(call(SBI_EXT_SRST, 0, 3, 0, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(call(SBI_EXT_SRST, 0, 0, 2, 0), SBI_ERR_INVALID_PARAM);
    assert_int_equal(caller->why, CALD_AGAIN);
    guest_config.on_reset = ON_RESTART;
    call(SBI_EXT_SRST, 0, SBI_SRST_COLD_REBOOT, 0, 0);
    assert_int_equal(caller->why, CALD_RESET);
    vm_guest_reset(&guest_vm);
    assert_int_equal(atomic_load(&guest_vm.request), VM_REQUEST_RESET);
    call(SBI_EXT_SRST, 0, SBI_SRST_SHUTDOWN, 0, 0);
    assert_int_equal(caller->why, CALD_OFF);
    vm_guest_off(&guest_vm);
    assert_int_equal(atomic_load(&guest_vm.request), VM_REQUEST_STOP);
}

/* Any call with any arguments: answered or parked, never more than the guest's own affair. */
static void test_random_calls(void **state)
{
    (void)state;
    static const uint64_t values[] = {
        0,  1,       2,           3,         4,          63,         64,        4095,
        PC, RAM_END, RAM_END - 1, GUEST_RAM, UINT32_MAX, 0x80000000, INT64_MAX, UINT64_MAX};
    static const uint64_t extensions[] = {SBI_EXT_BASE,
                                          SBI_EXT_TIME,
                                          SBI_EXT_HSM,
                                          SBI_EXT_DBCN,
                                          SBI_EXT_PMU,
                                          SBI_EXT_STA,
                                          SBI_EXT_SUSP,
                                          0,
                                          1,
                                          2,
                                          3};
    uint64_t seed = 7;
    for (unsigned n = 0; n < 200000; n++) {
        for (unsigned reg = 10; reg < 16; reg++)
            caller->eng.gpr[reg] = values[unit_random(&seed) % 16];
        caller->eng.gpr[16] = unit_random(&seed) % 12;
        caller->eng.gpr[17] = extensions[unit_random(&seed) % 11];
        /* One other runs, so that this one's stop is no fault. */
        for (unsigned id = 0; id < GUEST_VCPUS; id++)
            atomic_store(&guest_vcpus[id].hsm, id > 1 ? SBI_HSM_STOPPED : SBI_HSM_STARTED);
        sbi_handle(caller);
    }
    assert_int_equal(sim_errors, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unknown, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_missing_calls_are_known_at_once, set_up,
                                        guest_tear_down),
        cmocka_unit_test_setup_teardown(test_hsm_start, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_hsm_suspend, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_hart_masks, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_legacy_clear_ipi, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_fence_of_the_caller, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_requests_to_others_are_counted, set_up,
                                        guest_tear_down),
        cmocka_unit_test_setup_teardown(test_legacy_fences, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_fence_up_to_the_last_address, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_console_without_room, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_no_console_at_all, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_debug_console, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_steal_record, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_sets_of_counters, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_started_hart_has_its_counters, set_up,
                                        guest_tear_down),
        cmocka_unit_test_setup_teardown(test_counters_stand_while_away, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_last_hart_stops, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_watchdog_calls, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_reset_types, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_random_calls, set_up, guest_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
