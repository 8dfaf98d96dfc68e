/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's virtio console: output in pieces and when there is no room for it, keys that wait, and
 * what a driver can do wrong. */
#include "tests/unit/virtio_driver.h"

#include "appliance/virtio/console.h"
#include "caldarium/host.h"

#define MIB 4
enum { RECEIVE, TRANSMIT };

static struct virtio_console console;
static struct virtio_device *const device = &console.device;
static unsigned told; /* that there is room for keys again */

void host_console_taken(struct cald_vm *vm)
{
    assert_ptr_equal(vm, guest);
    told++;
}

static int set_up(void **state)
{
    (void)state;
    guest_describe(MIB);
    assert_int_equal(memory_take(&guest_vm), 0);
    memset(&console, 0, sizeof(console));
    virtio_console_make(&console);
    driver_attach(device, "console");
    driver_begin(device, UINT64_MAX);
    told = 0;
    return 0;
}

static void forget_what_was_said(void)
{
    memset(sim_console, 0, sizeof(sim_console));
    memset(sim_messages, 0, sizeof(sim_messages));
    sim_console_bytes = sim_message_bytes = 0;
    sim_errors = 0;
}

static unsigned used(unsigned queue)
{
    return (unsigned)driver_peek(DRIVER_USED + queue * DRIVER_APART + 2, 2);
}

static uint32_t used_bytes(unsigned queue, unsigned entry)
{
    return (uint32_t)driver_peek(DRIVER_USED + queue * DRIVER_APART + 8 + 8UL * entry, 4);
}

static uint64_t buffer(unsigned n)
{
    return DRIVER_DATA + n * 0x1000UL;
}

/* Descriptor n of the transmit queue. */
static void say(unsigned n, const char *text, unsigned flags)
{
    assert_int_equal(cald_vm_write(guest, buffer(n), text, strlen(text)), CALD_OK);
    driver_desc_at(DRIVER_DESC + DRIVER_APART, n, buffer(n), (uint32_t)strlen(text), flags, n + 1);
}

static void listen(unsigned n, uint32_t bytes)
{
    driver_desc(n, buffer(8 + n), bytes, D_WRITE, 0);
    driver_add_to(RECEIVE, n);
}

static void heard(unsigned n, const char *text)
{
    assert_memory_equal(cald_vm_ram(guest, buffer(8 + n), strlen(text)), text, strlen(text));
    assert_int_equal(used_bytes(RECEIVE, n), strlen(text));
}

static bool type(const char *keys)
{
    bool taken = true;
    while (*keys)
        taken = virtio_console_receive(&console, (uint8_t)*keys++);
    return taken;
}

static void output(void **state)
{
    (void)state;
    static char text[3 * CONSOLE_PIECE / 2 + 1];
    say(0, "hello ", D_NEXT);
    say(1, "world\n", 0);
    say(2, "and all\n", 0);
    driver_add_to(TRANSMIT, 0);
    driver_add_to(TRANSMIT, 2);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_OK);
    assert_string_equal(sim_console, "hello world\nand all\n");
    assert_int_equal(used(TRANSMIT), 2);
    assert_int_equal(atomic_load(&device->isr), 1);
    memset(text, 'x', sizeof(text) - 1);
    forget_what_was_said();
    say(3, text, 0);
    driver_add_to(TRANSMIT, 3);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_OK);
    assert_string_equal(sim_console, text);
}

/* The same store again, until there is room. */
static void no_room_for_output(void **state)
{
    (void)state;
    sim_console_room = 4;
    say(0, "0123456789", 0);
    driver_add_to(TRANSMIT, 0);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_EBUSY);
    assert_string_equal(sim_console, "0123");
    assert_int_equal(used(TRANSMIT), 0);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_EBUSY);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_OK);
    assert_string_equal(sim_console, "0123456789");
    assert_int_equal(used(TRANSMIT), 1);
    say(1, "lost", 0);
    sim_console_room = 2;
    driver_add_to(TRANSMIT, 1);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_EBUSY);
    driver_begin(device, UINT64_MAX); /* half of it is forgotten */
    driver_poke(DRIVER_AVAIL + DRIVER_APART + 2, 0, 2);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_OK);
    assert_string_equal(sim_console, "0123456789lo");
}

static void long_output_takes_turns(void **state)
{
    (void)state;
    uint32_t bytes = VIRTIO_TURN_BYTES + 8192;
    memset(cald_vm_ram(guest, DRIVER_DATA, bytes), '.', bytes);
    driver_desc_at(DRIVER_DESC + DRIVER_APART, 0, DRIVER_DATA, bytes, 0, 0);
    driver_add_to(TRANSMIT, 0);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_EBUSY);
    assert_in_range(sim_console_bytes, VIRTIO_TURN_BYTES - 2048, VIRTIO_TURN_BYTES);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_OK);
    assert_int_equal(sim_console_bytes, bytes);
}

static void keys(void **state)
{
    (void)state;
    assert_true(type("lo")); /* nobody listens yet */
    listen(0, 1);
    listen(1, 100);
    assert_int_equal(driver_kick(device, RECEIVE), CALD_OK);
    heard(0, "l");
    heard(1, "o");
    assert_int_equal(atomic_load(&device->isr), 1);
    listen(2, 100);
    assert_true(type("k"));
    heard(2, "k");
    assert_true(virtio_console_receive(&console, CALD_UART_BREAK));
    listen(3, 100);
    assert_true(type("\n"));
    heard(3, "\n");
}

/* As many as there is room for; the host is told when there is some again. */
static void keys_that_wait(void **state)
{
    (void)state;
    char text[CONSOLE_KEYS + 1];
    for (unsigned n = 0; n < CONSOLE_KEYS; n++)
        text[n] = (char)('a' + n % 26);
    text[CONSOLE_KEYS] = 0;
    listen(0, 1000); /* so that the rest lies around the end */
    assert_true(type("z"));
    assert_true(type(text));
    assert_false(type("!"));
    assert_int_equal(told, 0);
    listen(1, 4000);
    listen(2, 4000);
    assert_int_equal(driver_kick(device, RECEIVE), CALD_OK);
    assert_int_equal(told, 1);
    assert_memory_equal(cald_vm_ram(guest, buffer(9), 4000), text, 4000);
    heard(2, text + 4000);
    assert_true(type("!"));
    driver_begin(device, UINT64_MAX); /* a reset forgets them */
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    listen(0, 10);
    assert_true(type("?"));
    heard(0, "?");
    assert_int_equal(told, 1);
}

static void broken(const char *why)
{
    assert_int_equal(driver_read(device, 0x70), 15 | 64);
    assert_int_equal(sim_errors, 1);
    assert_non_null(strstr(sim_messages, why));
    virtio_device_detach(device);
    virtio_device_attach(device);
    driver_begin(device, UINT64_MAX);
    driver_poke(DRIVER_AVAIL + 2, 0, 2);
    driver_poke(DRIVER_AVAIL + DRIVER_APART + 2, 0, 2);
    forget_what_was_said();
}

static void what_a_driver_can_do_wrong(void **state)
{
    (void)state;
    driver_desc(0, buffer(0), 10, 0, 0);
    driver_add_to(RECEIVE, 0);
    assert_true(type("k"));
    broken("vm web: device console: queue 0: a buffer for input has no room");
    driver_desc(0, 0x10000000, 10, D_WRITE, 0);
    driver_add_to(RECEIVE, 0);
    assert_true(type("k"));
    broken("queue 0: a buffer is not in the VM's memory");
    driver_poke(DRIVER_AVAIL + 2, 99, 2);
    assert_true(type("k"));
    broken("queue 0: the available index is further ahead");
    driver_desc_at(DRIVER_DESC + DRIVER_APART, 0, 0x10000000, 10, 0, 0);
    driver_add_to(TRANSMIT, 0);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_OK);
    broken("queue 1: a buffer is not in the VM's memory");
    driver_desc_at(DRIVER_DESC + DRIVER_APART, 0, buffer(0), 10, D_WRITE, 0);
    driver_add_to(TRANSMIT, 0);
    assert_int_equal(driver_kick(device, TRANSMIT), CALD_OK); /* nothing to be said */
    assert_int_equal(used(TRANSMIT), 1);
    assert_int_equal(sim_console_bytes, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, guest_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(output), TEST(no_room_for_output), TEST(long_output_takes_turns),
        TEST(keys),   TEST(keys_that_wait),     TEST(what_a_driver_can_do_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
