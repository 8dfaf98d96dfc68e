/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's end: what is given back, and what can't be while a device may still write to it. */
#include "tests/unit/guests.h"

#include "appliance/device/passthrough.h"

static bool stops;
static unsigned all_stopped;
static uint64_t before;

bool host_device_stop(struct vm *vm, const struct passthrough *device)
{
    (void)vm, (void)device;
    return stops;
}

void host_devices_stopped(struct vm *vm)
{
    (void)vm;
    all_stopped++;
}

/* A VM that is made, with a device that can write to its memory. */
static int set_up(void **state)
{
    (void)state;
    static uint8_t kernel[64] = {0x6f};
    guest_configure(8);
    guest_config.kernel = (struct config_image){"loop", kernel, sizeof(kernel)};
    assert_int_equal(vm_define(&guest_vm), CALD_OK);
    before = sim_pages_taken;
    assert_int_equal(vm_create(&guest_vm), 0);
    guest_vm.devices[0] = (struct passthrough){.path = "/soc/dma", .dma = true};
    guest_vm.device_count = 1;
    all_stopped = 0;
    return 0;
}

static void test_a_device_that_stops(void **state)
{
    (void)state;
    guest_vm.devices[0].iommu = (void *)1;
    stops = true;
    vm_destroy(&guest_vm);
    assert_int_equal(sim_pages_taken, before);
    assert_int_equal(all_stopped, 1);
    assert_false(guest_vm.quarantined);
}

/* Behind an IOMMU that doesn't answer: nobody else gets the memory, nor the tables' pages. */
static void test_a_device_that_does_not(void **state)
{
    (void)state;
    uint64_t taken = sim_pages_taken;
    guest_vm.devices[0].iommu = (void *)1;
    stops = false;
    vm_destroy(&guest_vm);
    assert_non_null(strstr(sim_messages, "/soc/dma may still write to its memory"));
    assert_int_equal(sim_pages_taken, taken);
    assert_int_equal(all_stopped, 0);
    assert_int_equal(guest_vm.taken, 0);
    assert_int_equal(vm_create(&guest_vm), -1);
    assert_non_null(strstr(sim_messages, "vm web: it can't start again: a device"));
    assert_int_equal(sim_pages_taken, taken);
}

/* Without an IOMMU its VM has direct-map, and such memory is never anybody else's. */
static void test_a_device_without_iommu(void **state)
{
    (void)state;
    stops = false;
    vm_destroy(&guest_vm);
    assert_false(guest_vm.quarantined);
    assert_int_equal(sim_pages_taken, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_device_that_stops, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_a_device_that_does_not, set_up, guest_tear_down),
        cmocka_unit_test_setup_teardown(test_a_device_without_iommu, set_up, guest_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
