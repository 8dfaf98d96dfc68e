/* SPDX-License-Identifier: BSD-2-Clause */
/* A disk behind its registers: initialization, requests, errors, turns, resets. */
#include "tests/unit/virtio_driver.h"

#include "appliance/virtio/block.h"

#define MIB 4
#define DISK (300 * 512U) /* ends within a page */
#define STATUS_AT (DRIVER_DATA - 0x1000)
#define HEADER_AT (DRIVER_DATA - 0x2000)

static struct virtio_block block;
static struct virtio_device *const device = &block.device;
static uint8_t image[DISK];

static int begin_with(uint64_t keep)
{
    guest_describe(MIB);
    assert_int_equal(memory_take(&guest_vm), 0);
    for (unsigned n = 0; n < DISK; n++)
        image[n] = (uint8_t)(n * 31 + n / 512);
    memset(&block, 0, sizeof(block));
    assert_true(virtio_block_make(&block, "data", image, DISK, keep));
    driver_attach(device, "data");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return begin_with(16 * BLOCK_PAGE);
}

static int set_up_read_only(void **state)
{
    (void)state;
    return begin_with(0);
}

static int tear_down(void **state)
{
    if (block.place) {
        host_pages_free(block.kept, (uint64_t)block.room * BLOCK_PAGE);
        host_pages_free(block.place, (DISK + BLOCK_PAGE - 1) / BLOCK_PAGE * 4);
    }
    return guest_tear_down(state);
}

static bool line(void)
{
    uint64_t words;
    assert_int_equal(cald_vm_get(guest, CALD_PLIC + CALD_PLIC_LEVEL, &words), CALD_OK);
    return words >> device->irq & 1;
}

static void add_request(unsigned type, uint64_t sector, uint32_t bytes)
{
    driver_poke(HEADER_AT, type, 8);
    driver_poke(HEADER_AT + 8, sector, 8);
    driver_poke(STATUS_AT, 0xff, 1);
    driver_desc(0, HEADER_AT, 16, D_NEXT, bytes ? 1 : 2);
    driver_desc(1, DRIVER_DATA, bytes, D_NEXT | (type == 1 ? 0 : D_WRITE), 2);
    driver_desc(2, STATUS_AT, 1, D_WRITE, 0);
    driver_add(0);
}

static unsigned request(unsigned type, uint64_t sector, uint32_t bytes)
{
    unsigned before = driver_used_index();
    add_request(type, sector, bytes);
    int error;
    while ((error = driver_kick(device, 0)) == CALD_EBUSY) {
    }
    assert_int_equal(error, CALD_OK);
    assert_int_equal(driver_used_index(), (before + 1) & 0xffff);
    return (unsigned)driver_peek(STATUS_AT, 1);
}

static void what_it_says_of_itself(void **state)
{
    (void)state;
    uint64_t value;
    assert_int_equal(driver_read(device, 0x0), 0x74726976);
    assert_int_equal(driver_read(device, 0x4), 2);
    assert_int_equal(driver_read(device, 0x8), 2);
    assert_int_equal(driver_read(device, 0x34), VIRTIO_QUEUE_SIZE);
    driver_write(device, 0x30, 1);
    assert_int_equal(driver_read(device, 0x34), 0);
    assert_int_equal(driver_read(device, 0xb0), UINT32_MAX);
    assert_int_equal(driver_read(device, 0x100), DISK / 512);
    assert_int_equal(bus_read(&guest->bus, NULL, device->base + 0x100, 8, &value), CALD_OK);
    assert_int_equal(value, DISK / 512);
    assert_int_equal(bus_read(&guest->bus, NULL, device->base + 0xff8, 8, &value), CALD_OK);
    assert_int_equal(value, 0);
    assert_int_equal(bus_read(&guest->bus, NULL, device->base, 8, &value), CALD_EFAULT);
    assert_int_equal(bus_write(&guest->bus, NULL, device->base + 0x70, 2, 0), CALD_EFAULT);
    driver_write(device, 0x14, 2);
    assert_int_equal(driver_read(device, 0x10), 0);
}

static void features_have_to_fit(void **state)
{
    (void)state;
    driver_write(device, 0x70, 3);
    driver_write(device, 0x70, 11); /* without version 1 */
    assert_int_equal(driver_read(device, 0x70), 3);
    driver_write(device, 0x70, 7);
    assert_int_equal(driver_read(device, 0x70), 3);
    driver_write(device, 0x24, 1);
    driver_write(device, 0x20, 3); /* and one that isn't offered */
    driver_write(device, 0x70, 11);
    assert_int_equal(driver_read(device, 0x70), 3);
    driver_write(device, 0x20, 1);
    driver_write(device, 0x70, 11);
    assert_int_equal(driver_read(device, 0x70), 11);
    driver_write(device, 0x20, 0); /* too late */
    driver_write(device, 0x70, 15);
    assert_int_equal(driver_read(device, 0x70), 15);
}

static void reads_and_writes(void **state)
{
    (void)state;
    driver_begin(device, UINT64_MAX);
    assert_int_equal(request(0, 7, 1024), 0);
    assert_memory_equal(cald_vm_ram(guest, DRIVER_DATA, 1024), image + 7 * 512, 1024);
    assert_true(line());
    assert_int_equal(driver_read(device, 0x60), 1);
    driver_write(device, 0x64, 1);
    assert_false(line());
    memset(cald_vm_ram(guest, DRIVER_DATA, 3 * 512), 0x5a, 3 * 512);
    assert_int_equal(request(1, 7, 3 * 512), 0); /* across a page */
    assert_int_equal(block.kept_pages, 2);
    assert_int_equal(request(4, 0, 0), 0);
    memset(cald_vm_ram(guest, DRIVER_DATA, DISK), 0, DISK);
    assert_int_equal(request(0, 0, DISK), 0);
    static uint8_t want[DISK];
    memcpy(want, image, DISK);
    memset(want + 7 * 512, 0x5a, 3 * 512);
    assert_memory_equal(cald_vm_ram(guest, DRIVER_DATA, DISK), want, DISK);
    assert_int_equal(request(8, 0, 20), 0);
    assert_string_equal(cald_vm_ram(guest, DRIVER_DATA, 20), "data");
}

static void requests_that_fail(void **state)
{
    (void)state;
    driver_begin(device, UINT64_MAX);
    assert_int_equal(request(0, 300, 512), 1);
    assert_int_equal(request(0, 299, 1024), 1);
    assert_int_equal(request(0, UINT64_MAX, 512), 1);
    assert_int_equal(request(0, 1UL << 55, 512), 1);
    assert_int_equal(request(0, 0, 511), 1);
    assert_int_equal(request(11, 0, 512), 2); /* discard was not offered */
    assert_int_equal(request(1, 0, 16 * BLOCK_PAGE), 0);
    assert_int_equal(request(1, 16 * 8, 512), 1); /* no room */
    assert_int_equal(request(1, 17 * 8, 512), 1);
    assert_int_equal(sim_errors, 1);
    assert_non_null(strstr(sim_messages, "vm web: device data: all 64 KiB"));
    assert_int_equal(request(1, 8, 512), 0);
}

static void nothing_is_written_to_it(void **state)
{
    (void)state;
    driver_begin(device, UINT64_MAX);
    driver_write(device, 0x14, 0);
    assert_true(driver_read(device, 0x10) & 1u << 5);
    assert_int_equal(request(1, 0, 512), 1);
    assert_int_equal(request(0, 0, 512), 0);
}

static void a_long_one_takes_turns(void **state)
{
    (void)state;
    driver_begin(device, UINT64_MAX);
    add_request(0, 0, DISK);
    unsigned turns = 0;
    while (driver_kick(device, 0) == CALD_EBUSY) {
        assert_int_equal(driver_used_index(), 0);
        turns++;
    }
    assert_int_equal(turns, DISK / VIRTIO_TURN_BYTES);
    assert_int_equal(driver_used_index(), 1);
    add_request(0, 0, DISK); /* and one that is forgotten half way */
    assert_int_equal(driver_kick(device, 0), CALD_EBUSY);
    driver_begin(device, UINT64_MAX);
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    driver_poke(DRIVER_USED + 2, 0, 2);
    assert_int_equal(request(0, 0, 512), 0);
}

/* One line, and the driver is told; a reset makes it whole. */
static void what_is_no_request(void **state)
{
    (void)state;
    driver_begin(device, UINT64_MAX);
    driver_desc(0, HEADER_AT, 15, D_NEXT, 2);
    driver_desc(2, STATUS_AT, 1, D_WRITE, 0);
    for (unsigned n = 0; n < 3; n++) {
        driver_add(0);
        assert_int_equal(driver_kick(device, 0), CALD_OK);
    }
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_int_equal(driver_read(device, 0x60), 2);
    assert_true(line());
    assert_int_equal(sim_errors, 1);
    assert_non_null(strstr(sim_messages, "vm web: device data: queue 0: a request has no room"));
    driver_write(device, 0x70, 0);
    assert_int_equal(driver_kick(device, 0), CALD_OK); /* of a queue that is not there */
    assert_int_equal(driver_read(device, 0x70), 0);
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    driver_begin(device, UINT64_MAX);
    assert_false(line());
    assert_int_equal(request(0, 0, 512), 0);
    driver_poke(DRIVER_AVAIL + 2, 99, 2);
    assert_int_equal(driver_kick(device, 0), CALD_OK);
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_int_equal(sim_errors, 1); /* once in a life */
    virtio_device_detach(device);
    virtio_device_attach(device);
    assert_int_equal(driver_read(device, 0x70), 0);
}

static void bad_queues(void **state)
{
    (void)state;
    driver_begin(device, UINT64_MAX);
    driver_write(device, 0x80, 0); /* it is ready: too late */
    assert_int_equal(request(0, 0, 512), 0);
    driver_write(device, 0x70, 0);
    driver_write(device, 0x70, 3);
    driver_write(device, 0x24, 1);
    driver_write(device, 0x20, 1);
    driver_write(device, 0x70, 11);
    driver_write(device, 0x38, DRIVER_SIZE);
    driver_write(device, 0x80, 0x10000000); /* no memory */
    driver_write(device, 0x44, 1);
    assert_int_equal(driver_read(device, 0x44), 1);
    assert_false(device->queue[0].live);
    driver_write(device, 0x70, 15);
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_false(device->queue[0].live);
    assert_int_equal(driver_kick(device, 0), CALD_OK);
    assert_int_equal(driver_kick(device, 77), CALD_OK);
    assert_non_null(strstr(sim_messages, "a part of it is not in the VM's memory"));
}

/* Version 1: one page number, at once, and taken back by 0. */
static void a_legacy_driver(void **state)
{
    (void)state;
    device->legacy = true;
    assert_int_equal(driver_read(device, 0x4), 1);
    driver_write(device, 0x14, 1);
    assert_int_equal(driver_read(device, 0x10), 0);
    driver_write(device, 0x70, 3);
    driver_write(device, 0x20, 1u << 29 | 1u << 31); /* the second is not offered: not accepted */
    driver_write(device, 0x28, 4096);
    driver_write(device, 0x38, DRIVER_SIZE);
    driver_write(device, 0x3c, 256);
    driver_write(device, 0x40, (uint32_t)(DRIVER_DESC / 4096));
    assert_int_equal(driver_read(device, 0x40), DRIVER_DESC / 4096);
    const struct virtio_queue *queue = &device->queue[0];
    assert_true(queue->live);
    assert_true(queue->events);
    assert_int_equal(device->accepted, 1u << 29);
    assert_int_equal(queue->ring.descriptors, DRIVER_DESC);
    assert_int_equal(queue->ring.available, DRIVER_DESC + 16 * DRIVER_SIZE);
    assert_int_equal(queue->ring.used, DRIVER_DESC + 256);
    driver_write(device, 0x40, 0);
    assert_false(queue->live);
    driver_write(device, 0x3c, 24);
    driver_write(device, 0x40, (uint32_t)(DRIVER_DESC / 4096));
    assert_false(queue->live);
    assert_non_null(strstr(sim_messages, "its alignment is no power of two"));
    driver_write(device, 0x70, 0);
    driver_write(device, 0x40, UINT32_MAX);
    assert_false(queue->live);
}

static void nothing_after_the_end(void **state)
{
    (void)state;
    driver_begin(device, UINT64_MAX);
    add_request(0, 0, 512);
    virtio_device_detach(device);
    assert_int_equal(driver_kick(device, 0), CALD_OK);
    assert_int_equal(driver_used_index(), 0);
    virtio_interrupt(device);
    assert_false(line());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(what_it_says_of_itself),
        TEST(features_have_to_fit),
        TEST(reads_and_writes),
        TEST(requests_that_fail),
        cmocka_unit_test_setup_teardown(nothing_is_written_to_it, set_up_read_only, tear_down),
        TEST(a_long_one_takes_turns),
        TEST(what_is_no_request),
        TEST(bad_queues),
        TEST(a_legacy_driver),
        TEST(nothing_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
