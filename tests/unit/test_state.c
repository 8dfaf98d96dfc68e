/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's state by number: what is written is read again, what no hart could hold is refused or made
 * legal, and nothing that a saved state can hold does harm. */
#include "tests/unit/state_guest.h"

static int set_up(void **state)
{
    (void)state;
    describe(IRQCHIP_PLIC, 16);
    uart_connect();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    give_back();
    return 0;
}

static int set(uint32_t class_, uint32_t index, uint64_t value)
{
    return cald_vcpu_set(&guest_vcpus[1], class_ + index, value);
}

static uint64_t get(uint32_t class_, uint32_t index)
{
    uint64_t value = 0xdeadbeef;
    assert_int_equal(cald_vcpu_get(&guest_vcpus[1], class_ + index, &value), CALD_OK);
    return value;
}

static int set_vm(uint32_t class_, uint32_t index, uint64_t value)
{
    return cald_vm_set(guest, class_ + index, value);
}

static uint64_t get_vm(uint32_t class_, uint32_t index)
{
    uint64_t value = 0xdeadbeef;
    assert_int_equal(cald_vm_get(guest, class_ + index, &value), CALD_OK);
    return value;
}

/* What is set becomes `legal`. */
static void becomes(uint32_t class_, uint32_t index, uint64_t value, uint64_t legal)
{
    assert_int_equal(set(class_, index, value), CALD_OK);
    assert_int_equal(get(class_, index), legal);
}

static void test_registers(void **state)
{
    (void)state;
    becomes(CALD_CORE, 0, 0x80001001, 0x80001000);
    for (unsigned n = 1; n < 32; n++)
        becomes(CALD_CORE, n, n + 100, n + 100);
    becomes(CALD_CORE, CALD_CORE_MODE, 0, 0);
    becomes(CALD_CORE, CALD_CORE_MODE, 1, 1);
    assert_int_equal(set(CALD_CORE, CALD_CORE_MODE, 2), CALD_EINVAL);
    assert_int_equal(set(CALD_CORE, 33, 0), CALD_ENOENT);
    becomes(CALD_FP, 31, 0x3ff0000000000000, 0x3ff0000000000000);
    assert_int_equal(set(CALD_FP, 32, 0), CALD_ENOENT);
    becomes(CALD_VECTOR, 31 << 10 | 1, 7, 7);
    assert_int_equal(set(CALD_VECTOR, 31 << 10 | 2, 7), CALD_ENOENT);
    assert_int_equal(vectors[1][31 * VLENB + 8], 7);
    becomes(CALD_HSM, CALD_HSM_PC, 0x80001001, 0x80001000);
    assert_int_equal(set(CALD_HSM, CALD_HSM_STATE, SBI_HSM_STOP_PENDING), CALD_EINVAL);
    assert_int_equal(set(CALD_HSM, CALD_HSM_STATE, HSM_START_CLAIMED), CALD_EINVAL);
    guest_vcpus[1].eng.loaded = true;
    assert_int_equal(set(CALD_CORE, 1, 0), CALD_EBUSY);
    guest_vcpus[1].eng.loaded = false;
}

static void test_csrs_hold_what_a_hart_would(void **state)
{
    (void)state;
    becomes(CALD_CSR, CSR_SSTATUS, UINT64_MAX,
            SSTATUS_UXL_64 | SSTATUS_FS | SSTATUS_VS | SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP |
                SSTATUS_SUM | SSTATUS_MXR);
    becomes(CALD_CSR, CSR_STVEC, 0xffffffff80000003, 0xffffffff80000001);
    becomes(CALD_CSR, CSR_SEPC, 0x1003, 0x1002);
    becomes(CALD_CSR, CSR_SIE, UINT64_MAX, 0x222);
    becomes(CALD_CSR, CSR_SIP, UINT64_MAX, 0x202);
    becomes(CALD_CSR, CSR_SCOUNTEREN, UINT64_MAX, 7);
    becomes(CALD_CSR, CSR_SENVCFG, ENVCFG_CBIE_RESERVED | ENVCFG_FIOM | ENVCFG_CBZE, ENVCFG_FIOM);
    becomes(CALD_CSR, CSR_FCSR, UINT64_MAX, 0xff);
    becomes(CALD_CSR, CSR_VCSR, UINT64_MAX, 7);
    becomes(CALD_CSR, CSR_VSTART, UINT64_MAX, VLENB * 8 - 1);
    becomes(CALD_CSR, CSR_SATP, 9UL << 60 | 5, 9UL << 60 | 5);
    assert_int_equal(set(CALD_CSR, CSR_SATP, 10UL << 60 | 5), CALD_EINVAL); /* no Sv57 here */
    assert_int_equal(get(CALD_CSR, CSR_SATP), 9UL << 60 | 5);
    assert_true(forgotten);
    becomes(CALD_CSR, 0xc00, 12345, 12345);
    hidden[ISA_SSAIA] = 1;
    assert_int_equal(set(CALD_CSR, CSR_SISELECT, 1), CALD_ENOENT);
    guest->eng.s.has_vector = guest->eng.s.has_fp = false;
    assert_int_equal(set(CALD_CSR, CSR_VL, 1), CALD_ENOENT);
    assert_int_equal(set(CALD_FP, 0, 1), CALD_ENOENT);
    becomes(CALD_CSR, CSR_SSTATUS, SSTATUS_FS | SSTATUS_VS, SSTATUS_UXL_64);
}

static void test_mail_is_state(void **state)
{
    (void)state;
    atomic_store(&guest_vcpus[1].mailbox, MAIL_SOFT);
    assert_int_equal(get(CALD_CSR, CSR_SIP), 2);
    becomes(CALD_CSR, CSR_SIP, 0, 0);
    assert_int_equal(atomic_load(&guest_vcpus[1].mailbox), MAIL_FLUSH | MAIL_EXTERNAL);
}

/* The timer is guest time: it goes with it, wherever that is in the host's. */
static void test_time(void **state)
{
    (void)state;
    sim_time = 1000;
    assert_int_equal(get_vm(CALD_VM, CALD_VM_TIME), 1000);
    becomes(CALD_TIMER, 0, UINT64_MAX, UINT64_MAX);
    becomes(CALD_TIMER, 0, 1500, 1500);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_TIME, 90000), CALD_OK);
    assert_int_equal(get(CALD_TIMER, 0), 1500); /* has passed: goes off at once */
    assert_true(guest_vcpus[1].eng.s.sip & IRQ_BIT(IRQ_S_TIMER));
    becomes(CALD_TIMER, 0, 90500, 90500);
    assert_int_equal(guest_vcpus[1].eng.s.timer, 1500);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_TIME, 10), CALD_OK);
    assert_int_equal(get_vm(CALD_VM, CALD_VM_TIME), 10);
    assert_int_equal(guest_vcpus[1].eng.s.timer, 91490);
    time_closes = false;
    assert_int_equal(set_vm(CALD_VM, CALD_VM_TIME, 11), CALD_ENOTSUP);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_TIME, 1000), CALD_OK); /* the machine's own */
}

static void test_another_vm_is_refused(void **state)
{
    (void)state;
    char name[32];
    assert_int_equal(set_vm(CALD_VM, CALD_VM_VCPUS, GUEST_VCPUS), CALD_OK);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_VCPUS, GUEST_VCPUS - 1), CALD_EINVAL);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_IRQCHIP, 2), CALD_EINVAL);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_SOURCES, GUEST_MIN_SOURCES), CALD_OK);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_SOURCES, GUEST_MIN_SOURCES + 1), CALD_EINVAL);
    assert_int_equal(set_vm(CALD_VM, CALD_VM_VLENB, 2 * VLENB), CALD_EINVAL);
    assert_int_equal(set_vm(CALD_ISA, cald_isa_index("v"), 1), CALD_OK);
    hidden[ISA_V] = 1;
    assert_int_equal(set_vm(CALD_ISA, cald_isa_index("v"), 1), CALD_EINVAL);
    assert_int_equal(set_vm(CALD_ISA, 12, 1), CALD_ENOENT);
    cald_item_name(CALD_ISA + (cald_isa_index("svpbmt")), name, sizeof(name));
    assert_string_equal(name, "extension svpbmt");
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_PRIORITY + GUEST_MIN_SOURCES + 1, 1), CALD_ENOENT);
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_ENABLE + 2, 1U << 31), CALD_OK);
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_ENABLE, 1), CALD_EINVAL);
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_PRIORITY + 1, 8), CALD_EINVAL);
    assert_int_equal(set_vm(CALD_APLIC, CALD_APLIC_DOMAIN, 1), CALD_ENOENT);
}

static void test_a_vm_without_serial_port(void **state)
{
    (void)state;
    assert_int_equal(set_vm(CALD_UART, CALD_UART_LCR, 3), CALD_OK);
    give_back();
    guest_without_uart = true;
    describe(IRQCHIP_PLIC, 16);
    guest_without_uart = false;
    assert_int_equal(set_vm(CALD_UART, CALD_UART_LCR, 3), CALD_ENOENT);
}

/* Extensions are numbered by their names: no two alike. */
static void test_extensions_have_numbers(void **state)
{
    (void)state;
    for (unsigned a = 0; a < ISA_EXT_COUNT; a++) {
        for (unsigned b = 0; b < a; b++)
            assert_int_not_equal(cald_isa_index(isa_name(a)), cald_isa_index(isa_name(b)));
    }
    assert_int_equal(cald_isa_index("v"), 0x0c403a); /* for ever */
}

static void test_pending_interrupts(void **state)
{
    (void)state;
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_PRIORITY + 10, 3), CALD_OK);
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_ENABLE + 32, 1U << 10), CALD_OK);
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_PENDING, 1U << 10), CALD_OK);
    assert_true(plic_line(&guest->plic, 1));
    assert_false(plic_line(&guest->plic, 0));
    assert_true(atomic_load(&guest_vcpus[1].mailbox) & MAIL_EXTERNAL);
    assert_int_equal(set_vm(CALD_PLIC, CALD_PLIC_CLAIMED, 1U << 10), CALD_OK);
    assert_false(plic_line(&guest->plic, 1));
}

static void test_pmu(void **state)
{
    (void)state;
    assert_int_equal(set(CALD_PMU, 3 << 4 | CALD_PMU_FLAGS, 2), CALD_EINVAL); /* not configured */
    assert_int_equal(set(CALD_PMU, CALD_PMU_FLAGS, 0), CALD_EINVAL);
    assert_int_equal(set(CALD_PMU, 1 << 4 | CALD_PMU_FLAGS, 1), CALD_ENOENT);
    becomes(CALD_PMU, 3 << 4 | CALD_PMU_EVENT, 0xf0006, 0xf0006);
    assert_int_equal(set(CALD_PMU, 3 << 4 | CALD_PMU_EVENT, 0xf00ff), CALD_EINVAL);
    becomes(CALD_PMU, 3 << 4 | CALD_PMU_FLAGS, 3, 3);
    becomes(CALD_PMU, 3 << 4 | CALD_PMU_VALUE, 77, 77);
    guest_vcpus[1].fw_count[FW_IPI_SENT]++;
    assert_int_equal(get(CALD_PMU, 3 << 4 | CALD_PMU_VALUE), 78);
    becomes(CALD_PMU, CALD_PMU_SNAPSHOT, GUEST_RAM, GUEST_RAM);
    assert_int_equal(set(CALD_PMU, CALD_PMU_SNAPSHOT, GUEST_RAM + 8), CALD_EINVAL);
    assert_int_equal(set(CALD_PMU, CALD_PMU_SNAPSHOT, UINT64_MAX - 0xfff), CALD_EINVAL);
    becomes(CALD_STA, 0, GUEST_RAM + 64, GUEST_RAM + 64);
    assert_int_equal(set(CALD_STA, 0, GUEST_RAM - 64), CALD_EINVAL);
}

/* ---- All items ------------------------------------------------------------------------------- */

#define MOST 20000
static uint32_t items[MOST];

/* What was accepted once is what is read, and is accepted again, unchanged. */
static void again(bool of_vm, struct cald_vcpu *vcpu, uint32_t item)
{
    uint64_t first, second;
    int (*const get_it)(struct cald_vm *, uint32_t, uint64_t *) = cald_vm_get;
    assert_int_equal(of_vm ? get_it(guest, item, &first) : cald_vcpu_get(vcpu, item, &first), 0);
    assert_int_equal(of_vm ? cald_vm_set(guest, item, first) : cald_vcpu_set(vcpu, item, first), 0);
    assert_int_equal(of_vm ? get_it(guest, item, &second) : cald_vcpu_get(vcpu, item, &second), 0);
    assert_int_equal(first, second);
}

static void test_random_values(void **state)
{
    (void)state;
    static const enum config_irqchip chips[] = {IRQCHIP_PLIC, IRQCHIP_APLIC, IRQCHIP_IMSIC};
    give_back();
    for (unsigned round = 0; round < 60; round++) {
        describe(chips[round % 3], 16);
        uart_connect();
        uint32_t count = cald_vm_items(guest, items, MOST);
        assert_true(count > 100 && count < MOST);
        for (uint32_t n = 0; n < count; n++) {
            cald_vm_set(guest, items[n], random_value());
            if (items[n] != CALD_UART + CALD_UART_FULL)
                again(true, NULL, items[n]);
        }
        for (unsigned id = 0; id < GUEST_VCPUS; id++) {
            count = cald_vcpu_items(&guest_vcpus[id], items, MOST);
            assert_true(count > 150 && count < MOST);
            for (uint32_t n = 0; n < count; n++) {
                cald_vcpu_set(&guest_vcpus[id], items[n], random_value());
                again(false, &guest_vcpus[id], items[n]);
            }
        }
        for (unsigned n = 0; n < 20000; n++) { /* and of numbers that may be none */
            uint32_t item = (uint32_t)random_value() & 0x7f000fff;
            cald_vcpu_set(&guest_vcpus[n % GUEST_VCPUS], item, random_value());
            cald_vm_set(guest, item, random_value());
        }
        use_everything();
        if (round < 59)
            give_back();
    }
    guest_config.irqchip = chips[59 % 3];
}

/* Each item of each class is told apart by its name, and a short name's place is not overrun. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        uint32_t item;
        const char *name;
    } known[] = {{CALD_CORE + 0, "pc"},
                 {CALD_CORE + 17, "x17"},
                 {CALD_CSR + CSR_SATP, "satp"},
                 {CALD_CSR + 0x5a8, "CSR 0x5a8"},
                 {CALD_VECTOR + (3 << 10 | 1), "v3 word 1"},
                 {CALD_PLIC + (CALD_PLIC_PRIORITY + 97), "PLIC priority 97"},
                 {CALD_PLIC + (CALD_PLIC_ENABLE + 33), "PLIC enables of vCPU 1 word 1"},
                 {CALD_APLIC + (CALD_APLIC_IDC + 6), "APLIC ithreshold of vCPU 1"},
                 {CALD_IMSIC + 0x82, "eip2"},
                 {CALD_UART + CALD_UART_LCR, "serial port LCR"},
                 {CALD_PMU + (3 << 4 | CALD_PMU_EVENT), "PMU counter 3 event"},
                 {0x99000001, "item 0x99000001"}};
    char name[64];
    for (size_t n = 0; n < sizeof(known) / sizeof(*known); n++) {
        cald_item_name(known[n].item, name, sizeof(name));
        assert_string_equal(name, known[n].name);
    }
    cald_item_name(CALD_PLIC + (CALD_PLIC_PRIORITY + 97), name, 5);
    assert_string_equal(name, "PLIC");
    for (unsigned n = 0; n < 100000; n++) {
        memset(name, '#', sizeof(name));
        cald_item_name((uint32_t)random_value() & 0x4f01ffff, name, sizeof(name));
        assert_true(strlen(name) > 0 && strlen(name) < 48);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_csrs_hold_what_a_hart_would, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mail_is_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_vm_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_vm_without_serial_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_extensions_have_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pending_interrupts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pmu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_values, set_up, tear_down),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
