/* SPDX-License-Identifier: BSD-2-Clause */
/* A device that another VM serves: the clean ring, back ends that come and go, what they may do
 * wrong, the doorbell. */
#include "tests/unit/virtio_driver.h"

#include "appliance/virtio/vhost.h"
#include "appliance/vm.h"

#define MIB 4
#define F_FLUSH (1U << 9)
#define F_CONFIG_WCE (1U << 11)

static struct virtio_vhost vhost;
static struct virtio_device *const device = &vhost.device;
static struct virtio_doorbell bell;

struct clean {
    uint64_t gpa;
    uint32_t bytes;
    uint16_t flags, next;
};

static int begin_with(bool window)
{
    guest_describe(MIB);
    assert_int_equal(memory_take(&guest_vm), 0);
    memset(&vhost, 0, sizeof(vhost));
    memset(&bell, 0, sizeof(bell));
    assert_true(virtio_vhost_make(&vhost, &guest_vm, window));
    vhost.bell = &bell;
    vhost.number = 3;
    bell.device.vm_name = "store";
    driver_attach(device, "disk");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return begin_with(false);
}

static int set_up_window(void **state)
{
    (void)state;
    return begin_with(true);
}

static int tear_down(void **state)
{
    if (vhost.window)
        host_pages_free(vhost.window, VHOST_WINDOW_BYTES);
    host_pages_free(vhost.ring, VHOST_RING_BYTES);
    return guest_tear_down(state);
}

static void there(void)
{
    vhost.features = F_FLUSH | F_CONFIG_WCE | 1UL << 32 | 1UL << 29;
    vhost.next_config[0] = 77;
    virtio_vhost_there(&vhost);
}

/* And the driver, which leaves the event index out. */
static void served(void)
{
    there();
    driver_begin(device, ~(1UL << 29));
}

/* The bell's pending events for the device; they are heard with that. */
static unsigned heard(void)
{
    unsigned what = bell.pending[vhost.number];
    bell.pending[vhost.number] = 0;
    return what;
}

static struct clean *clean(unsigned n)
{
    return (struct clean *)vhost.ring + n;
}

static uint16_t *clean_available(void)
{
    return (uint16_t *)(vhost.ring + VHOST_AVAILABLE);
}

static void back_end_answers(unsigned head, unsigned bytes)
{
    uint16_t *used = (uint16_t *)(vhost.ring + VHOST_USED);
    uint32_t *entry = (uint32_t *)(used + 2) + used[1] % VHOST_RING_SIZE * 2;
    entry[0] = head;
    entry[1] = bytes;
    used[1]++;
}

/* Three parts, of which the last two are to be written. */
static void add(unsigned head)
{
    driver_desc(head, DRIVER_DATA + head * 0x100, 16, D_NEXT, (head + 1) % DRIVER_SIZE);
    driver_desc(head + 1, DRIVER_DATA + 0x8000, 512, D_NEXT | D_WRITE, head + 2);
    driver_desc(head + 2, DRIVER_DATA + 0x9000, 1, D_WRITE, 0);
    driver_add(head);
}

static void used_entry(unsigned n, unsigned head, unsigned bytes)
{
    assert_int_equal(driver_peek(DRIVER_USED + 4 + 8 * n, 4), head);
    assert_int_equal(driver_peek(DRIVER_USED + 8 + 8 * n, 4), bytes);
}

static void what_is_offered(void **state)
{
    (void)state;
    assert_false(device->kind->ready(device));
    there();
    assert_true(device->kind->ready(device));
    assert_int_equal(driver_read(device, 0x100), 77);
    assert_int_equal(device->features,
                     F_FLUSH); /* neither the rings' bits nor what is not served */
    driver_begin(device, UINT64_MAX);
    assert_int_equal(virtio_vhost_accepted(&vhost), F_FLUSH);
}

static void a_request_and_its_answer(void **state)
{
    (void)state;
    served();
    add(0);
    assert_int_equal(driver_kick(device, 0), CALD_OK);
    assert_int_equal(heard(), 1 << DOORBELL_STATE | 1);
    assert_int_equal(clean_available()[1], 1);
    unsigned head = clean_available()[2];
    assert_int_equal(clean(head)->gpa, DRIVER_DATA);
    assert_int_equal(clean(head)->flags, D_NEXT);
    const struct clean *second = clean(clean(head)->next);
    assert_int_equal(second->bytes, 512);
    assert_int_equal(second->flags, D_NEXT | D_WRITE);
    assert_int_equal(clean(second->next)->flags, D_WRITE);
    back_end_answers(head, 513);
    virtio_vhost_call(&vhost);
    assert_int_equal(driver_used_index(), 1);
    used_entry(0, 0, 513);
    assert_int_equal(driver_read(device, 0x60), 1);
    assert_int_equal(vhost.free_count, VHOST_RING_SIZE);
    assert_int_equal(sim_errors, 0);
}

/* The back end looks anyway: no bell. */
static void a_back_end_that_needs_no_kick(void **state)
{
    (void)state;
    served();
    add(0);
    driver_kick(device, 0);
    heard();
    *(uint16_t *)(vhost.ring + VHOST_USED) = 1;
    add(3);
    driver_kick(device, 0);
    assert_int_equal(heard(), 0);
    assert_int_equal(clean_available()[1], 2);
}

static void what_is_not_answered_is_asked_again(void **state)
{
    (void)state;
    served();
    add(0);
    add(3);
    driver_kick(device, 0);
    unsigned first = clean_available()[2], second = clean_available()[3];
    back_end_answers(second, 1); /* out of order, and nobody is told: its daemon ends */
    virtio_vhost_away(&vhost, false);
    virtio_vhost_call(&vhost);
    assert_int_equal(driver_used_index(), 0);
    driver_kick(device, 0); /* it waits */
    heard();
    there();
    assert_int_equal(heard(), 1 << DOORBELL_STATE);
    assert_int_equal(clean_available()[1], 2);
    assert_int_equal(clean_available()[2], first);
    assert_int_equal(((uint16_t *)(vhost.ring + VHOST_USED))[1], 0);
    back_end_answers(second, 1);
    virtio_vhost_call(&vhost);
    used_entry(0, 3, 1);
    virtio_vhost_away(&vhost, true); /* the driver VM ends; only the first is left */
    there();
    assert_int_equal(clean_available()[1], 1);
    assert_int_equal(clean_available()[2], first);
    back_end_answers(first, 9999); /* more than there is room for */
    virtio_vhost_call(&vhost);
    assert_int_equal(driver_used_index(), 2);
    used_entry(1, 0, 513);
}

/* The driver's store is made again until nothing is under way. */
static void a_reset_waits_for_the_back_end(void **state)
{
    (void)state;
    served();
    add(0);
    driver_kick(device, 0);
    heard();
    unsigned head = clean_available()[2];
    assert_int_equal(bus_write(&guest->bus, NULL, device->base + 0x70, 4, 0), CALD_EBUSY);
    assert_int_equal(heard(), 1 << DOORBELL_STATE);
    assert_int_equal(driver_read(device, 0x70), 0);
    back_end_answers(head, 1);
    virtio_vhost_call(&vhost); /* too late */
    assert_int_equal(driver_used_index(), 0);
    virtio_vhost_away(&vhost, false); /* nobody knows of it */
    assert_int_equal(bus_write(&guest->bus, NULL, device->base + 0x70, 4, 0), CALD_EBUSY);
    there();
    assert_int_equal(bus_write(&guest->bus, NULL, device->base + 0x70, 4, 0), CALD_OK);
    assert_int_equal(heard(), 0);
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    driver_begin(device, ~(1UL << 29));
    virtio_device_detach(device); /* nor did anything run: the next life can begin */
    assert_true(device->kind->ready(device));
}

static void the_driver_vm_ends_while_a_reset_waits(void **state)
{
    (void)state;
    served();
    add(0);
    driver_kick(device, 0);
    virtio_device_detach(device);
    assert_false(device->kind->ready(device));
    virtio_vhost_away(&vhost, true);
    assert_true(device->kind->ready(device));
}

static void answers_that_can_not_be(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 4; n++) {
        driver_poke(DRIVER_AVAIL + 2, 0, 2);
        driver_poke(DRIVER_USED + 2, 0, 2);
        bus_write(&guest->bus, NULL, device->base + 0x70, 4, 0);
        there();
        driver_begin(device, ~(1UL << 29));
        add(0);
        driver_kick(device, 0);
        unsigned head = clean_available()[2];
        back_end_answers(n == 0 ? VHOST_RING_SIZE : n == 1 ? clean(head)->next : head, 1);
        if (n == 2)
            back_end_answers(head, 1);
        if (n == 3)
            ((uint16_t *)(vhost.ring + VHOST_USED))[1] = 2;
        virtio_vhost_call(&vhost);
        assert_int_equal(sim_errors, n + 1);
        assert_non_null(strstr(sim_messages,
                               "vm store: device disk of VM web: its back end answers "
                               "what it was not asked"));
        assert_int_equal(vhost.serving, VHOST_AWAY);
        assert_int_equal(driver_read(device, 0x70), 15); /* it waits */
    }
}

static void requests_that_can_not_be(void **state)
{
    (void)state;
    served();
    driver_desc(0, GUEST_RAM + (MIB << 20) - 8, 16, 0, 0);
    driver_add(0);
    driver_kick(device, 0);
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_non_null(strstr(sim_messages,
                           "vm web: device disk: queue 0: a buffer is not in the VM's "
                           "memory"));
    assert_int_equal(clean_available()[1], 0);
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    bus_write(&guest->bus, NULL, device->base + 0x70, 4, 0);
    there();
    virtio_device_attach(device);
    driver_begin(device, ~(1UL << 29));
    driver_desc(0, DRIVER_DATA, 0, D_NEXT, 1);
    driver_desc(1, DRIVER_DATA, 0, 0, 0);
    driver_add(0);
    driver_kick(device, 0);
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_non_null(strstr(sim_messages, "a request has no bytes"));
}

/* Back ends can't do with parts of no length. */
static void empty_parts_are_left_out(void **state)
{
    (void)state;
    served();
    driver_desc(0, DRIVER_DATA, 0, D_NEXT, 1);
    driver_desc(1, DRIVER_DATA, 16, D_NEXT, 2);
    driver_desc(2, DRIVER_DATA, 0, D_WRITE | D_NEXT, 3);
    driver_desc(3, DRIVER_DATA + 0x100, 1, D_WRITE, 0);
    driver_add(0);
    driver_kick(device, 0);
    unsigned head = clean_available()[2];
    assert_int_equal(clean(head)->bytes, 16);
    assert_int_equal(clean(clean(head)->next)->bytes, 1);
    assert_int_equal(clean(clean(head)->next)->flags, D_WRITE);
    assert_int_equal(vhost.free_count, VHOST_RING_SIZE - 2);
}

static void a_back_end_that_has_less(void **state)
{
    (void)state;
    served();
    virtio_vhost_away(&vhost, true);
    vhost.features = 0;
    virtio_vhost_there(&vhost);
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_non_null(strstr(sim_messages, "lacks a feature that is in use"));
}

/* ---- By way of a window ---------------------------------------------------------------------- */

static void everything_is_copied(void **state)
{
    (void)state;
    served();
    driver_poke(DRIVER_DATA, 0x1122334455667788, 8);
    driver_desc(0, DRIVER_DATA, 16, D_NEXT, 1);
    driver_desc(1, DRIVER_DATA + 0x1000, 5000, D_NEXT | D_WRITE, 2);
    driver_desc(2, DRIVER_DATA + 0x800, 1, D_WRITE, 0);
    driver_poke(DRIVER_DATA + 0x1000 + 5000, 0x77, 1);
    driver_add(0);
    driver_kick(device, 0);
    unsigned n[4] = {clean_available()[2]};
    for (unsigned i = 1; i < 4; i++)
        n[i] = clean(n[i - 1])->next;
    assert_int_equal(clean(n[0])->gpa, n[0] * HOST_PAGE_SIZE);
    assert_int_equal(*(uint64_t *)(vhost.window + clean(n[0])->gpa), 0x1122334455667788);
    assert_int_equal(clean(n[1])->bytes, 4096);
    assert_int_equal(clean(n[2])->bytes, 904);
    assert_int_equal(clean(n[3])->flags, D_WRITE);
    for (unsigned i = 1; i < 4; i++)
        memset(vhost.window + clean(n[i])->gpa, (int)i, HOST_PAGE_SIZE);
    back_end_answers(n[0], 5001);
    assert_false(virtio_vhost_call(&vhost));
    used_entry(0, 0, 5001);
    assert_int_equal(driver_peek(DRIVER_DATA + 0x1000 + 4095, 2), 0x0201);
    assert_int_equal(driver_peek(DRIVER_DATA + 0x1000 + 4999, 2), 0x7702); /* and no further */
    assert_int_equal(driver_peek(DRIVER_DATA + 0x800, 1), 3);
    assert_int_equal(vhost.free_count, VHOST_RING_SIZE);
}

/* Both ways, and the back end goes in the middle of either. */
static void long_ones_take_turns(void **state)
{
    const uint32_t bytes = 0x30000;
    unsigned turns = 0;
    (void)state;
    served();
    driver_desc(0, DRIVER_DATA, bytes, D_NEXT, 1);
    driver_desc(1, DRIVER_DATA + bytes, bytes, D_WRITE, 0);
    driver_poke(DRIVER_DATA + bytes - 8, 0x1234, 8);
    driver_add(0);
    assert_int_equal(driver_kick(device, 0), CALD_EBUSY);
    assert_int_equal(clean_available()[1], 0);
    virtio_vhost_away(&vhost, true);
    there();
    while (virtio_vhost_call(&vhost))
        turns++;
    assert_in_range(turns, 5, 8); /* of 32 KiB, and what each piece costs */
    assert_int_equal(clean_available()[1], 1);
    unsigned head = clean_available()[2], last = head;
    for (unsigned n = 1; n < bytes / HOST_PAGE_SIZE; n++)
        last = clean(last)->next;
    assert_int_equal(*(uint64_t *)(vhost.window + clean(last)->gpa + 4088), 0x1234);
    memset(vhost.window, 0x5a, VHOST_WINDOW_BYTES);
    back_end_answers(head, bytes);
    assert_true(virtio_vhost_call(&vhost));
    assert_int_equal(driver_used_index(), 0);
    virtio_vhost_away(&vhost, true);
    there();
    assert_int_equal(clean_available()[1], 1);
    back_end_answers(head, bytes);
    for (turns = 0; virtio_vhost_call(&vhost);)
        turns++;
    assert_in_range(turns, 5, 8);
    assert_int_equal(driver_used_index(), 1);
    assert_int_equal(driver_peek(DRIVER_DATA + 2 * bytes - 2, 4), 0x5a5a);
}

static void one_that_is_longer_than_the_window(void **state)
{
    (void)state;
    served();
    driver_desc(0, GUEST_RAM, MIB << 20, D_NEXT, 1);
    driver_desc(1, DRIVER_DATA, 1, D_WRITE, 0);
    driver_add(0);
    driver_kick(device, 0);
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_non_null(strstr(sim_messages, "a request is longer than the window"));
}

/* ---- The doorbell ---------------------------------------------------------------------------- */

static unsigned closes;

static void count_close(struct virtio_doorbell *which)
{
    assert_ptr_equal(which, &bell);
    closes++;
}

static int set_up_bell(void **state)
{
    set_up(state);
    closes = 0;
    virtio_doorbell_make(&bell, count_close);
    bell.device.vm = guest;
    bell.device.name = "doorbell";
    bell.device.base = 0x50001000;
    bell.device.irq = 4;
    assert_int_equal(virtio_device_add(&bell.device), CALD_OK);
    virtio_device_attach(&bell.device);
    return 0;
}

static void buffer(unsigned queue, unsigned head, uint64_t gpa, unsigned bytes, bool write)
{
    driver_desc_at(DRIVER_DESC + queue * DRIVER_APART, head, gpa, bytes, write ? D_WRITE : 0, 0);
    driver_add_to(queue, head);
}

static void control(unsigned head, unsigned event, unsigned value)
{
    driver_poke(DRIVER_DATA + 0x100 * head, 0, 4);
    driver_poke(DRIVER_DATA + 0x100 * head + 4, event, 2);
    driver_poke(DRIVER_DATA + 0x100 * head + 6, value, 2);
    buffer(3, head, DRIVER_DATA + 0x100 * head, 8, false);
    driver_kick(&bell.device, 3);
}

static void a_port_with_a_name(void **state)
{
    (void)state;
    driver_begin(&bell.device, ~(1UL << 29));
    assert_int_equal(driver_read(&bell.device, 0x104), 1);
    for (unsigned n = 0; n < 2; n++)
        buffer(2, n, DRIVER_DATA + 0x2000 + n * 0x100, 64, true);
    control(0, 0, 1);
    assert_int_equal(driver_peek(DRIVER_DATA + 0x2000 + 4, 2), 1); /* PORT_ADD */
    control(1, 3, 1);
    assert_int_equal(driver_peek(DRIVER_DATA + 0x2100 + 4, 2), 7); /* PORT_NAME */
    assert_memory_equal(cald_vm_ram(guest, DRIVER_DATA + 0x2108, 15), DOORBELL_PORT, 15);
    buffer(2, 2, DRIVER_DATA + 0x2200, 64, true); /* there was no room for it */
    driver_kick(&bell.device, 2);
    assert_int_equal(driver_peek(DRIVER_DATA + 0x2200 + 4, 2), 6); /* PORT_OPEN */
    unsigned before = closes;
    control(2, 6, 1);
    assert_int_equal(closes, before);
    control(3, 6, 0);
    assert_int_equal(closes, before + 1);
    virtio_device_detach(&bell.device);
    assert_int_equal(closes, before + 2);
}

static void events_are_bytes(void **state)
{
    (void)state;
    driver_begin(&bell.device, ~(1UL << 29));
    virtio_doorbell_ring(&bell, 3, 0);
    virtio_doorbell_ring(&bell, 3, 0);
    virtio_doorbell_ring(&bell, 31, DOORBELL_STATE);
    buffer(0, 0, DRIVER_DATA, 64, true);
    driver_kick(&bell.device, 0);
    assert_int_equal(driver_peek(DRIVER_USED + 8, 4), 2);
    assert_int_equal(driver_peek(DRIVER_DATA, 2), 0xff18);
    buffer(0, 1, DRIVER_DATA, 64, true);
    driver_kick(&bell.device, 0);
    assert_int_equal(driver_used_index(), 1);
    virtio_doorbell_ring(&bell, 0, 0);
    assert_int_equal(driver_used_index(), 2);
    assert_int_equal(driver_peek(DRIVER_DATA, 1), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define WINDOW(name) cmocka_unit_test_setup_teardown(name, set_up_window, tear_down)
#define BELL(name) cmocka_unit_test_setup_teardown(name, set_up_bell, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_is_offered),
        TEST(a_request_and_its_answer),
        TEST(a_back_end_that_needs_no_kick),
        TEST(what_is_not_answered_is_asked_again),
        TEST(a_reset_waits_for_the_back_end),
        TEST(the_driver_vm_ends_while_a_reset_waits),
        TEST(answers_that_can_not_be),
        TEST(requests_that_can_not_be),
        TEST(empty_parts_are_left_out),
        TEST(a_back_end_that_has_less),
        WINDOW(everything_is_copied),
        WINDOW(long_ones_take_turns),
        WINDOW(one_that_is_longer_than_the_window),
        BELL(a_port_with_a_name),
        BELL(events_are_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
