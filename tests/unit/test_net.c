/* SPDX-License-Identifier: BSD-2-Clause */
/* Network devices of VMs and the way of a frame, with drivers that are made of words in memory. */
#include "tests/unit/guests.h"

#include "appliance/virtio/net.h"
#include "lib/dev/bus.h"

#define RAM GUEST_RAM
#define RAM_BYTES 0x100000UL
#define SLOT 0x10001000UL
#define SIZE 256U
#define RING(n) (RAM + (n)*0x3000UL) /* of queue n: descriptors, available, used, a page each */
#define BUFFER(n) (RAM + 0x10000 + (n)*0x4000UL)
#define NODES 3U
#define F_INDIRECT_AND_MERGE (1U << 28 | 1U << 15)

static struct net_switch net;
static struct node {
    struct cald_vm *vm;
    uint8_t *ram;
    struct virtio_net port;
} nodes[NODES];
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void mac(uint8_t out[6], unsigned n)
{
    const uint8_t bytes[6] = {2, 0, 0, 0, 0, (uint8_t)n};
    memcpy(out, bytes, 6);
}

static void *at(unsigned n, uint64_t gpa)
{
    return nodes[n].ram + (gpa - RAM);
}

static int set_register(unsigned n, uint64_t offset, uint32_t value)
{
    return bus_write(&nodes[n].vm->bus, NULL, SLOT + offset, 4, value);
}

static void begin(unsigned n, uint32_t features)
{
    set_register(n, 0x70, 0);
    set_register(n, 0x70, 3);
    set_register(n, 0x24, 1);
    set_register(n, 0x20, 1);
    set_register(n, 0x24, 0);
    set_register(n, 0x20, features);
    set_register(n, 0x70, 11);
    for (uint32_t q = 0; q < 2; q++) {
        set_register(n, 0x30, q);
        set_register(n, 0x38, SIZE);
        set_register(n, 0x80, (uint32_t)RING(q));
        set_register(n, 0x90, (uint32_t)RING(q) + 0x1000);
        set_register(n, 0xa0, (uint32_t)RING(q) + 0x2000);
        set_register(n, 0x44, 1);
    }
    set_register(n, 0x70, 15);
}

static int set_up(void **state)
{
    static const struct cald_vm_params params = {.name = "box",
                                                 .vcpus = 1,
                                                 .engine = CALD_ENGINE_H,
                                                 .irqchip = CALD_IRQCHIP_PLIC,
                                                 .plic_base = 0x0c000000,
                                                 .aplic_base = CALD_NOWHERE,
                                                 .imsic_base = CALD_NOWHERE,
                                                 .uart_base = CALD_NOWHERE,
                                                 .irq_sources = 31,
                                                 .gpa_end = 1UL << 32};
    uint8_t bytes[6];
    (void)state;
    sim_reset();
    guest_machine.told =
        (struct cald_machine_params){.harts = 1, .flags = CALD_MACHINE_H, .gstage_modes = 1 << 3};
    net = (struct net_switch){.name = "lan", .mtu = SWITCH_MTU_MAX};
    memset(nodes, 0, sizeof(nodes));
    for (unsigned n = 0; n < NODES; n++) {
        struct node *node = &nodes[n];
        struct virtio_device *device = &node->port.device;
        assert_int_equal(cald_vm_create(&guest_machine, &params, &node->vm), CALD_OK);
        node->ram = host_pages_alloc(RAM_BYTES, HOST_PAGE_SIZE);
        assert_int_equal(cald_vm_slot(node->vm, 0, RAM, RAM_BYTES, node->ram, CALD_SLOT_PRIVATE),
                         CALD_OK);
        mac(bytes, n);
        assert_true(virtio_net_make(&node->port, &net, bytes, false));
        device->vm = node->vm;
        device->vm_name = "box";
        device->name = "net";
        device->base = SLOT;
        device->irq = 1;
        assert_int_equal(virtio_device_add(device), CALD_OK);
        virtio_device_attach(device);
        begin(n, 0);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned n = 0; n < NODES; n++) {
        virtio_device_detach(&nodes[n].port.device);
        cald_vm_close(nodes[n].vm);
        cald_vm_destroy(nodes[n].vm);
        host_pages_free(nodes[n].ram, RAM_BYTES);
    }
    return 0;
}

struct descriptor {
    uint64_t gpa;
    uint32_t bytes;
    uint16_t flags, next;
};

static void describe(unsigned n, unsigned q, unsigned d, struct descriptor what)
{
    memcpy(at(n, RING(q) + 16 * d), &what, sizeof(what));
}

static void add(unsigned n, unsigned q, unsigned head)
{
    uint16_t *available = at(n, RING(q) + 0x1000);
    available[2 + available[1] % SIZE] = (uint16_t)head;
    available[1]++;
}

/* Descriptor and buffer d of its receive queue. */
static void can_receive(unsigned n, unsigned d, uint32_t bytes)
{
    describe(n, 0, d, (struct descriptor){BUFFER(d), bytes, 2, 0});
    add(n, 0, d);
}

static unsigned used(unsigned n, unsigned q)
{
    return ((uint16_t *)at(n, RING(q) + 0x2000))[1];
}

static uint32_t used_bytes(unsigned n, unsigned q, unsigned entry)
{
    return ((uint32_t *)at(n, RING(q) + 0x2000))[1 + 2 * (entry % SIZE) + 1];
}

/* From buffer 8 + d of the sender's memory; two descriptors, apart within Ethernet's header. */
static void post(unsigned from, unsigned d, const uint8_t to[6], unsigned source, uint32_t bytes)
{
    uint8_t *frame = at(from, BUFFER(8 + d));
    memset(frame, 0, 12);
    memcpy(frame + 12, to, 6);
    mac(frame + 18, source);
    for (uint32_t n = 12; n < bytes; n++)
        frame[12 + n] = (uint8_t)(n * 7 + n / 256);
    describe(from, 1, 2 * d, (struct descriptor){BUFFER(8 + d), 20, 1, (uint16_t)(2 * d + 1)});
    describe(from, 1, 2 * d + 1, (struct descriptor){BUFFER(8 + d) + 20, bytes - 8, 0, 0});
    add(from, 1, 2 * d);
}

static int kick(unsigned n)
{
    return set_register(n, 0x50, 1);
}

static void send(unsigned from, const uint8_t to[6], unsigned source, uint32_t bytes)
{
    post(from, 0, to, source, bytes);
    assert_int_equal(kick(from), CALD_OK);
}

static void send_to(unsigned from, unsigned to, uint32_t bytes)
{
    uint8_t address[6];
    mac(address, to);
    send(from, address, from, bytes);
}

static uint32_t interrupts(unsigned n)
{
    return atomic_load(&nodes[n].port.device.isr);
}

static void test_one_buffer(void **state)
{
    (void)state;
    can_receive(1, 3, 1600);
    send_to(0, 1, 1000);
    assert_int_equal(used(0, 1), 1);
    assert_int_equal(used(1, 0), 1);
    assert_int_equal(used_bytes(1, 0, 0), 1012);
    assert_memory_equal((uint8_t *)at(1, BUFFER(3)) + 12, (uint8_t *)at(0, BUFFER(8)) + 12, 1000);
    assert_int_equal(((uint8_t *)at(1, BUFFER(3)))[10], 1); /* num_buffers */
    assert_int_equal(interrupts(1), 1);
    assert_int_equal(used(2, 0), 0);
    assert_int_equal(net.port[1].counts.got_bytes, 1000);
}

static void test_nobody_waits(void **state)
{
    (void)state;
    send_to(0, 1, 100); /* no buffer */
    can_receive(1, 0, 90);
    send_to(0, 1, 100); /* one too short */
    assert_int_equal(net.port[1].counts.lost, 2);
    assert_int_equal(used(0, 1), 2);
    send_to(0, 1, 78);
    assert_int_equal(used(1, 0), 1);
    virtio_device_detach(&nodes[1].port.device);
    can_receive(1, 1, 1600);
    memset(at(1, BUFFER(1)), 0x55, 1600);
    send_to(0, 1, 100);
    assert_int_equal(net.port[1].counts.lost, 3);
    assert_int_equal(*(uint8_t *)at(1, BUFFER(1)), 0x55);
    assert_int_equal(used(1, 0), 1);
    assert_int_equal(sim_errors, 0);
}

static void test_merged_buffers(void **state)
{
    uint8_t whole[4000];
    (void)state;
    begin(1, F_INDIRECT_AND_MERGE);
    for (unsigned n = 0; n < 4; n++)
        can_receive(1, n, 1500);
    send_to(0, 1, 4000);
    assert_int_equal(used(1, 0), 3);
    assert_int_equal(used_bytes(1, 0, 0), 1500);
    assert_int_equal(used_bytes(1, 0, 2), 1012);
    assert_int_equal(((uint8_t *)at(1, BUFFER(0)))[10], 3);
    memcpy(whole, (uint8_t *)at(1, BUFFER(0)) + 12, 1488);
    memcpy(whole + 1488, at(1, BUFFER(1)), 1500);
    memcpy(whole + 2988, at(1, BUFFER(2)), 1012);
    assert_memory_equal(whole, (uint8_t *)at(0, BUFFER(8)) + 12, 4000);
    send_to(0, 1, 4000); /* one is left: too few, and it stays */
    assert_int_equal(used(1, 0), 3);
    send_to(0, 1, 1000);
    assert_int_equal(used(1, 0), 4);
    assert_int_equal(net.port[1].counts.lost, 1);
}

/* So many in one exit, and the rest by the same store again. */
static void test_turns(void **state)
{
    unsigned turns = 1;
    (void)state;
    for (unsigned n = 0; n < 8; n++) {
        post(0, n, everybody, 0, 9000);
        can_receive(1, n, 0x4000);
        can_receive(2, n, 0x4000);
    }
    while (kick(0) == CALD_EBUSY) {
        assert_in_range(used(1, 0) + used(2, 0), 1, turns * (VIRTIO_TURN_BYTES / 9000 + 1));
        turns++;
    }
    assert_in_range(turns, 4, 6);
    assert_int_equal(used(0, 1), 8);
    assert_int_equal(used(1, 0), 8);
    assert_int_equal(used(2, 0), 8);
    assert_memory_equal((uint8_t *)at(2, BUFFER(7)) + 12, (uint8_t *)at(0, BUFFER(15)) + 12, 9000);
}

/* A chain of `parts` bytes that lie one behind the other, each with a descriptor of its own, in a
 * table, as descriptor d of queue q. */
static void in_bytes(unsigned n, unsigned q, unsigned d, uint64_t gpa, unsigned parts)
{
    uint64_t table = RAM + 0x60000 + (16 * q + d) * 0x1000UL;
    for (unsigned i = 0; i < parts; i++) {
        struct descriptor part = {gpa + i, 1, (uint16_t)((i + 1 < parts) | (q ? 0 : 2)),
                                  (uint16_t)(i + 1)};
        memcpy(at(n, table + 16 * i), &part, sizeof(part));
    }
    describe(n, q, d, (struct descriptor){table, 16 * parts, 4, 0});
}

/* The sender pays for each part of its own chains, and of the receiver's. */
static void test_parts_cost(void **state)
{
    uint8_t address[6];
    (void)state;
    mac(address, 1);
    begin(0, 1U << 28);
    begin(1, 1U << 28);
    for (unsigned n = 0; n < 2; n++) {
        can_receive(1, n, 1600);
        post(0, n, address, 0, 188);
        in_bytes(0, 1, 2 * n, BUFFER(8 + n), 200);
    }
    assert_int_equal(kick(0), CALD_EBUSY);
    assert_int_equal(used(1, 0), 1);
    while (kick(0) == CALD_EBUSY) {
    }
    assert_int_equal(used(1, 0), 2);
    for (unsigned n = 2; n < 4; n++) {
        can_receive(1, n, 1600);
        in_bytes(1, 0, n, BUFFER(n), 255);
        post(0, n, address, 0, 200);
    }
    assert_int_equal(kick(0), CALD_EBUSY);
    assert_int_equal(used(1, 0), 3);
    assert_memory_equal((uint8_t *)at(1, BUFFER(2)) + 12, (uint8_t *)at(0, BUFFER(10)) + 12, 200);
}

/* A frame goes into no more parts than a chain may have. */
static void test_too_many_parts(void **state)
{
    uint8_t address[6];
    (void)state;
    begin(1, F_INDIRECT_AND_MERGE);
    for (unsigned n = 0; n < 3; n++) {
        can_receive(1, n, 1600);
        in_bytes(1, 0, n, BUFFER(n), 128);
    }
    mac(address, 1);
    post(0, 0, address, 0, 300);
    while (kick(0) == CALD_EBUSY) {
    }
    assert_int_equal(net.port[1].counts.lost, 1);
    post(0, 1, address, 0, 200);
    while (kick(0) == CALD_EBUSY) {
    }
    assert_int_equal(used(1, 0), 2);
}

static void test_wrong_frames(void **state)
{
    uint8_t address[6];
    (void)state;
    can_receive(1, 0, 0x4000);
    mac(address, 1);
    send(0, address, 2, 100); /* another's address */
    send(0, address, 0, 13);
    send(0, address, 0, 9019);
    assert_int_equal(used(1, 0), 0);
    assert_int_equal(used(0, 1), 3);
    assert_int_equal(net.port[0].counts.spoofed, 1);
    assert_int_equal(net.port[0].counts.wrong, 2);
    send(0, address, 0, 9018);
    assert_int_equal(used(1, 0), 1);
}

/* Its queue is dead; the receiver goes on with the buffer that was taken for the frame. */
static void test_sender_is_wrong(void **state)
{
    (void)state;
    can_receive(1, 0, 1600);
    post(0, 0, everybody, 0, 500);
    describe(0, 1, 1, (struct descriptor){RAM + RAM_BYTES - 100, 492, 0, 0});
    kick(0);
    assert_int_equal(sim_errors, 1);
    assert_int_equal(used(0, 1), 0);
    assert_int_equal(used(1, 0), 0);
    assert_false(nodes[0].port.device.queue[1].live);
    can_receive(2, 0, 1600);
    begin(2, 0); /* its rings as they are */
    post(2, 0, everybody, 2, 60);
    kick(2);
    assert_int_equal(used(1, 0), 1);
    assert_int_equal(used_bytes(1, 0, 0), 72);
}

/* Some of the receiver's buffers have a part of the frame by then: they are as if they had none. */
static void test_sender_is_wrong_in_the_midst(void **state)
{
    (void)state;
    begin(1, F_INDIRECT_AND_MERGE);
    for (unsigned n = 0; n < 8; n++)
        can_receive(1, n, 76);
    post(0, 0, everybody, 0, 500);
    describe(0, 1, 1, (struct descriptor){RAM + RAM_BYTES - 100, 492, 0, 0});
    kick(0);
    assert_int_equal(sim_errors, 1);
    post(2, 0, everybody, 2, 60);
    kick(2);
    assert_int_equal(used(1, 0), 1);
    assert_int_equal(used_bytes(1, 0, 0), 72);
    assert_memory_equal((uint8_t *)at(1, BUFFER(0)) + 12, (uint8_t *)at(2, BUFFER(8)) + 12, 60);
}

static void test_receiver_is_wrong(void **state)
{
    (void)state;
    describe(1, 0, 0, (struct descriptor){RAM + RAM_BYTES - 100, 1600, 2, 0});
    add(1, 0, 0);
    can_receive(2, 0, 1600);
    send(0, everybody, 0, 500);
    assert_int_equal(sim_errors, 1);
    assert_int_equal(used(1, 0), 0);
    assert_int_equal(used(2, 0), 1);
    assert_int_equal(used(0, 1), 1);
    assert_true(nodes[0].port.device.queue[1].live);
    assert_false(nodes[1].port.device.queue[0].live);
    assert_true(atomic_load(&nodes[1].port.device.status) & VIRTIO_STATUS_NEEDS_RESET);
    assert_int_equal(net.port[1].counts.lost, 1);
}

static void test_no_room_for_the_header(void **state)
{
    (void)state;
    begin(1, F_INDIRECT_AND_MERGE);
    can_receive(1, 1, 8); /* others follow */
    can_receive(1, 2, 1600);
    can_receive(2, 0, 1600);
    send(0, everybody, 0, 500);
    assert_int_equal(sim_errors, 1);
    assert_int_equal(used(1, 0), 0);
    assert_int_equal(used(2, 0), 1);
}

static void test_what_the_driver_is_told(void **state)
{
    uint64_t value;
    (void)state;
    assert_int_equal(bus_read(&nodes[2].vm->bus, NULL, SLOT + 0x105, 1, &value), CALD_OK);
    assert_int_equal(value, 2); /* the last byte of its address */
    assert_int_equal(bus_read(&nodes[2].vm->bus, NULL, SLOT + 0x106, 2, &value), CALD_OK);
    assert_int_equal(value, 1);
    assert_int_equal(bus_read(&nodes[2].vm->bus, NULL, SLOT + 0x10a, 2, &value), CALD_OK);
    assert_int_equal(value, 9000);
    assert_int_equal(bus_read(&nodes[2].vm->bus, NULL, SLOT + 0x8, 4, &value), CALD_OK);
    assert_int_equal(value, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_buffer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_merged_buffers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_parts_cost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_many_parts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sender_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sender_is_wrong_in_the_midst, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_receiver_is_wrong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room_for_the_header, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_the_driver_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
