/* SPDX-License-Identifier: BSD-2-Clause */
/* Sources of the board that VMs have: from one VM's end to the next one's start none is lost, and
 * none interrupts that is nobody's. The board's controller has one source that is connected. */
#include "tests/unit/unit.h"

#include "appliance/vm.h"
#include "host/bare/board.h"
#include "host/bare/console.h"
#include "host/bare/device_irq.h"
#include "host/bare/irqchip.h"
#include "host/bare/sched.h"
#include "lib/vm/vm.h"
#include "host/host.h"

#define SOURCES 512
#define CONTEXT 3
#define SOURCE source_of_test
static unsigned source_of_test = 34;
#define RISING 1

struct hart harts[BOARD_HARTS];
unsigned console_hart;
static struct cald_vm vm;
static enum cald_irqchip irqchip = CALD_IRQCHIP_PLIC;
static struct cald_vcpu vcpu;
static struct {
    bool enabled, raised, claimed;
    unsigned completions;
} wire;
static unsigned polls;

bool irqchip_init(void)
{
    return true;
}

int irqchip_hart_init(struct hart *hart)
{
    (void)hart;
    return CONTEXT;
}

bool irqchip_enable(unsigned source, unsigned type, unsigned context)
{
    (void)type;
    assert_int_equal(context, CONTEXT);
    wire.enabled = source == SOURCE;
    return true;
}

void irqchip_disable(unsigned source, unsigned context)
{
    (void)source;
    (void)context;
    wire.enabled = false;
}

unsigned irqchip_claim(unsigned context)
{
    (void)context;
    if (!wire.raised || wire.claimed)
        return 0;
    wire.raised = false;
    wire.claimed = true;
    return SOURCE;
}

/* PLIC specification, "Interrupt Completion": ignored where the source is not enabled. */
void irqchip_complete(unsigned source, unsigned context)
{
    assert_int_equal(source, SOURCE);
    assert_int_equal(context, CONTEXT);
    if (wire.enabled) {
        wire.claimed = false;
        wire.completions++;
    }
}

void hart_serve_console(void)
{
    polls++;
}

bool console_interrupts(void)
{
    return true;
}

bool pci_owns(uint64_t base)
{
    return base == UINT64_MAX;
}

bool iommu_owns(uint64_t base)
{
    return base == UINT64_MAX;
}

static struct sched_entity entity; /* its home: hart 0 */

static int set_up(void **state)
{
    (void)state;
    memset(&wire, 0, sizeof(wire));
    memset(&vm, 0, sizeof(vm));
    vm.irqchip = irqchip;
    vm.has_plic = irqchip == CALD_IRQCHIP_PLIC;
    vm.plic_base = GUEST_PLIC_BASE;
    vm.aplic_base = GUEST_APLIC_BASE;
    vm.irq_sources = SOURCES;
    vm.vcpus = &vcpu;
    vcpu.vm = &vm;
    vcpu.host = &entity;
    vm.vcpu_count = 1;
    vm.forwards = true;
    assert_true(vm_irq_define(&vm));
    assert_true(vm_irq_add(&vm));
    vm_irq_reset(&vm);
    board_tree.uart_irq = 0;
    polls = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    host_irq_detach(&vm, SOURCE);
    vm_irq_undefine(&vm);
    return 0;
}

static int set_up_500(void **state)
{
    source_of_test = 500;
    return set_up(state);
}

static int set_up_500_aplic(void **state)
{
    irqchip = CALD_IRQCHIP_APLIC;
    return set_up_500(state);
}

static int tear_down_500(void **state)
{
    tear_down(state);
    irqchip = CALD_IRQCHIP_PLIC;
    source_of_test = 34;
    return 0;
}

static bool fires(void)
{
    vm.plic.pending[SOURCE / 32] = 0;
    wire.raised = true;
    device_irq_serve(CONTEXT);
    return vm.plic.pending[SOURCE / 32] >> SOURCE % 32 & 1;
}

static void shut_until_the_guest_is_done(void **state)
{
    (void)state;
    struct cald_vm other = {0};
    host_irq_attach(&vm, SOURCE, RISING);
    assert_true(fires());
    assert_true(wire.claimed);
    host_irq_complete(&other, SOURCE); /* it is not its */
    assert_true(wire.claimed);
    host_irq_complete(&vm, SOURCE);
    assert_false(wire.claimed);
    host_irq_complete(&vm, SOURCE); /* a guest may complete what was not claimed */
    assert_int_equal(wire.completions, 1);
    assert_true(fires());
}

static void ended_before_it_was_completed(void **state)
{
    (void)state;
    host_irq_attach(&vm, SOURCE, RISING);
    assert_true(fires());
    host_irq_detach(&vm, SOURCE);
    host_irq_attach(&vm, SOURCE, RISING);
    assert_false(wire.claimed);
    vm_irq_reset(&vm);
    assert_true(fires());
}

/* A hart claimed it, then its VM ended. */
static void nobodys(void **state)
{
    (void)state;
    assert_false(fires());
    assert_true(wire.claimed);
    assert_int_equal(wire.completions, 0);
    host_irq_attach(&vm, SOURCE, RISING);
    assert_false(wire.claimed);
    assert_true(fires());
}

static void the_consoles(void **state)
{
    (void)state;
    board_tree.uart_irq = SOURCE;
    wire.enabled = true;
    assert_false(fires());
    assert_false(wire.claimed);
    assert_int_equal(polls, 1);
}

static uint64_t guest_reads(uint64_t gpa)
{
    uint64_t value;
    assert_int_equal(bus_read(&vm.bus, &vcpu, gpa, 4, &value), CALD_OK);
    return value;
}

static void guest_writes(uint64_t gpa, uint64_t value)
{
    assert_int_equal(bus_write(&vm.bus, &vcpu, gpa, 4, value), CALD_OK);
}

/* From the board's wire to the guest's claim and back, with a number that a PLIC of 95 lacks. */
static void source_500_through_a_plic(void **state)
{
    (void)state;
    guest_writes(GUEST_PLIC_BASE + 4 * 500, 1);
    guest_writes(GUEST_PLIC_BASE + 0x2080 + 500 / 32 * 4, 1u << 500 % 32);
    host_irq_attach(&vm, 500, RISING);
    wire.completions = 0; /* of what an earlier VM had left */
    for (unsigned n = 1; n <= 3; n++) {
        wire.raised = true;
        device_irq_serve(CONTEXT);
        assert_true(wire.claimed);
        assert_int_equal(guest_reads(GUEST_PLIC_BASE + 0x201004), 500);
        guest_writes(GUEST_PLIC_BASE + 0x201004, 500);
        assert_false(wire.claimed);
        assert_int_equal(wire.completions, n);
    }
}

static void source_500_through_an_aplic(void **state)
{
    (void)state;
    cald_vm_irq_forward(&vm, 500, RISING);
    guest_writes(GUEST_APLIC_BASE, 0x100);
    guest_writes(GUEST_APLIC_BASE + 4 * 500, 4);
    guest_writes(GUEST_APLIC_BASE + 0x3000 + 4 * 500, 1);
    guest_writes(GUEST_APLIC_BASE + 0x1edc, 500);
    guest_writes(GUEST_APLIC_BASE + 0x4000, 1);
    host_irq_attach(&vm, 500, RISING);
    wire.completions = 0; /* of what an earlier VM had left */
    for (unsigned n = 1; n <= 3; n++) {
        wire.raised = true;
        device_irq_serve(CONTEXT);
        assert_int_equal(guest_reads(GUEST_APLIC_BASE + 0x401c), 500u << 16 | 1);
        assert_false(wire.claimed);
        assert_int_equal(wire.completions, n);
    }
}

/* The board's controller names a source that its tree says it doesn't have. */
static void beyond_the_boards(void **state)
{
    (void)state;
    struct cald_vm nobody = {0};
    host_irq_attach(&vm, SOURCES + 1, RISING);
    host_irq_detach(&vm, SOURCES + 1);
    host_irq_complete(&nobody, UINT32_MAX);
    assert_false(wire.enabled);
}

static int begin(void **state)
{
    (void)state;
    board.irq_sources = SOURCES;
    device_irq_init(NULL); /* once, as at boot */
    device_irq_begin(&harts[0]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shut_until_the_guest_is_done, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ended_before_it_was_completed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobodys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_consoles, set_up, tear_down),
        {"shut_until_the_guest_is_done, 500", shut_until_the_guest_is_done, set_up_500,
         tear_down_500, NULL},
        cmocka_unit_test_setup_teardown(source_500_through_a_plic, set_up_500, tear_down_500),
        cmocka_unit_test_setup_teardown(source_500_through_an_aplic, set_up_500_aplic,
                                        tear_down_500),
        cmocka_unit_test_setup_teardown(beyond_the_boards, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
