/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of the board at their VM's end: reset, and what is said and done where one, or its IOMMU,
 * doesn't answer. */
#include "tests/unit/unit.h"

#include "appliance/vm.h"
#include "host/bare/iommu.h"
#include "host/bare/paging.h"
#include "host/bare/pci.h"
#include "host/host.h"

#define STATUS (0x70 / 4)

static uint32_t registers[64];
static unsigned answers_after; /* looks at the time; 0: never */
static uint64_t now;
static bool iommu_answers, pci_is_quiet, pci_can_reset;

/* Each look at the time is one of the device's steps. */
uint64_t host_time(void)
{
    if (!answers_after || --answers_after)
        registers[STATUS] = 15;
    else
        registers[STATUS] = 0, answers_after = 1;
    return now += 1000;
}

volatile void *paging_map_device(uint64_t pa, uint64_t bytes)
{
    (void)pa, (void)bytes;
    return registers;
}

void iommu_adopt(struct passthrough *device)
{
    (void)device;
}

bool iommu_start(struct vm *vm, const struct passthrough *device)
{
    (void)vm, (void)device;
    return true;
}

bool iommu_stop(struct vm *vm, const struct passthrough *device)
{
    (void)vm, (void)device;
    return iommu_answers;
}

void iommu_forget(struct vm *vm)
{
    (void)vm;
}

void pci_start(const struct passthrough *device)
{
    (void)device;
}

bool pci_quiet(const struct passthrough *device)
{
    (void)device;
    return pci_is_quiet;
}

bool pci_reset(const struct passthrough *device)
{
    (void)device;
    return pci_can_reset;
}

static struct vm_config config = {.name = "web"};
static struct vm vm = {.config = &config};

static int set_up(void **state)
{
    (void)state;
    sim_reset();
    now = 0;
    answers_after = 0;
    iommu_answers = pci_is_quiet = pci_can_reset = true;
    return 0;
}

static void a_reset_that_is_answered(void **state)
{
    (void)state;
    const struct passthrough disk = {.path = "/soc/virtio", .host_regs = registers};
    for (unsigned n = 1; n < 20; n++) {
        answers_after = n;
        assert_true(host_device_stop(&vm, &disk));
    }
    assert_int_equal(sim_errors, 0);
}

static void a_reset_that_is_not(void **state)
{
    (void)state;
    const struct passthrough disk = {.path = "/soc/virtio", .host_regs = registers};
    assert_false(host_device_stop(&vm, &disk));
    assert_in_range(now, sim_timebase / 10, sim_timebase / 5);
    assert_string_equal(sim_messages,
                        "vm web: /soc/virtio does not answer its reset: its status stays 0xf\n");
}

/* Behind an IOMMU that answers it reaches nothing, whatever it does itself. */
static void the_iommu_decides(void **state)
{
    (void)state;
    const struct passthrough disk = {.path = "/soc/virtio", .host_regs = registers, .iommu = &vm};
    assert_true(host_device_stop(&vm, &disk));
    answers_after = 1;
    iommu_answers = false;
    assert_false(host_device_stop(&vm, &disk));
}

static void a_function(void **state)
{
    (void)state;
    static struct pci_function function;
    const struct passthrough port = {.path = "0000:00:01.0", .pci = &function};
    assert_true(host_device_stop(&vm, &port));
    pci_can_reset = false;
    assert_true(host_device_stop(&vm, &port));
    assert_non_null(strstr(sim_messages, "0000:00:01.0 keeps its state"));
    pci_is_quiet = false;
    assert_false(host_device_stop(&vm, &port));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reset_that_is_answered, set_up),
        cmocka_unit_test_setup(a_reset_that_is_not, set_up),
        cmocka_unit_test_setup(the_iommu_decides, set_up),
        cmocka_unit_test_setup(a_function, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
