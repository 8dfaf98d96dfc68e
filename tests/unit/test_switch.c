/* SPDX-License-Identifier: BSD-2-Clause */
/* Which ports of a switch a frame goes to, and what a VM that lies about itself gets. */
#include "tests/unit/unit.h"

#include "appliance/virtio/switch.h"

#define BRIDGE 3U /* of four ports */

static struct net_switch net;
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Port n's address; from 16 on those of machines behind a bridge. */
static void mac(uint8_t out[6], unsigned n)
{
    const uint8_t bytes[6] = {2, 0, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    memcpy(out, bytes, 6);
}

static uint64_t address(unsigned n)
{
    uint8_t bytes[6];
    mac(bytes, n);
    return switch_address(bytes);
}

static int set_up(void **state)
{
    (void)state;
    net = (struct net_switch){.name = "lan", .mtu = SWITCH_MTU_DEFAULT};
    for (unsigned n = 0; n < 4; n++)
        assert_int_equal(switch_port_add(&net, address(n), n == BRIDGE, NULL), n);
    return 0;
}

static uint32_t send_to(unsigned from, const uint8_t to[6], unsigned source, uint32_t bytes)
{
    uint8_t header[SWITCH_HEADER] = {0};
    memcpy(header, to, 6);
    mac(header + 6, source);
    return switch_ports(&net, from, header, bytes);
}

static uint32_t send(unsigned from, unsigned to, unsigned source)
{
    uint8_t bytes[6];
    mac(bytes, to);
    return send_to(from, bytes, source, 60);
}

static void test_to_one(void **state)
{
    (void)state;
    assert_int_equal(send(0, 1, 0), 1U << 1);
    assert_int_equal(send(1, 0, 1), 1U << 0);
    assert_int_equal(send(0, BRIDGE, 0), 1U << BRIDGE);
    assert_int_equal(net.port[0].counts.sent, 2);
    assert_int_equal(net.port[0].counts.sent_bytes, 120);
    assert_int_equal(send(2, 2, 2), 0); /* to itself */
    assert_int_equal(net.port[2].counts.nowhere, 1);
}

static void test_to_all(void **state)
{
    static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
    static const uint8_t end_of_the_wire[6] = {1, 0x80, 0xc2, 0, 0, 0x0e};
    static const uint8_t behind_them[6] = {1, 0x80, 0xc2, 0, 0, 0x10};
    (void)state;
    assert_int_equal(send_to(1, everybody, 1, 60), 0xd);
    assert_int_equal(send_to(BRIDGE, group, 20, 60), 0x7);
    assert_int_equal(send_to(0, end_of_the_wire, 0, 60), 0);
    assert_int_equal(send_to(0, behind_them, 0, 60), 0xe);
}

static void test_lengths(void **state)
{
    (void)state;
    assert_int_equal(send_to(0, everybody, 0, SWITCH_HEADER - 1), 0);
    assert_int_equal(send_to(0, everybody, 0, SWITCH_HEADER), 0xe);
    assert_int_equal(send_to(0, everybody, 0, 1518), 0xe);
    assert_int_equal(send_to(0, everybody, 0, 1519), 0);
    assert_int_equal(net.port[0].counts.wrong, 2);
    assert_int_equal(net.port[0].counts.sent, 2);
}

/* Another port's address, a group's, none, one that nobody has. */
static void test_lies_about_the_source(void **state)
{
    uint8_t header[SWITCH_HEADER] = {0};
    (void)state;
    assert_int_equal(send_to(0, everybody, 1, 60), 0);
    assert_int_equal(send_to(0, everybody, 99, 60), 0);
    assert_int_equal(send_to(BRIDGE, everybody, 1, 60), 0); /* a bridge may not do that either */
    memcpy(header, everybody, 6);
    assert_int_equal(switch_ports(&net, BRIDGE, header, 60), 0);
    memcpy(header + 6, everybody, 6);
    assert_int_equal(switch_ports(&net, BRIDGE, header, 60), 0);
    assert_int_equal(net.port[0].counts.spoofed, 2);
    assert_int_equal(net.port[BRIDGE].counts.spoofed, 3);
    assert_int_equal(send(2, 1, 2), 1U << 1); /* and port 1 is where it was */
}

static void test_behind_a_bridge(void **state)
{
    (void)state;
    net.port[2].bridge = true;
    assert_int_equal(send(0, 50, 0), 1U << 2 | 1U << BRIDGE); /* nobody knows: bridges alone */
    assert_int_equal(send(BRIDGE, 0, 50), 1U << 0);
    assert_int_equal(send(0, 50, 0), 1U << BRIDGE);
    assert_int_equal(send(2, 0, 50), 1U << 0); /* it has moved */
    assert_int_equal(send(0, 50, 0), 1U << 2);
    assert_int_equal(send(2, 50, 2), 0); /* it is on the side from where that came */
    net.port[2].bridge = net.port[BRIDGE].bridge = false;
    assert_int_equal(send(0, 51, 0), 0);
    assert_int_equal(net.port[0].counts.nowhere, 1);
}

/* One that makes addresses up fills no more than its part of the table. */
static void test_full_table(void **state)
{
    unsigned kept = 0;
    (void)state;
    net.port[2].bridge = true;
    for (unsigned n = 1000; n < 101000; n++)
        send(BRIDGE, 0, n);
    for (unsigned row = 0; row < SWITCH_ROWS; row++) {
        unsigned owns = 0;
        for (unsigned way = 0; way < SWITCH_WAYS; way++)
            owns += net.seen[row][way].address != 0;
        assert_int_equal(owns, SWITCH_WAYS_OF_ONE);
    }
    for (unsigned n = 16; n < 80; n++)
        send(2, 0, n);
    for (unsigned n = 16; n < 80; n++)
        kept += send(0, n, 0) == 1U << 2;
    assert_int_equal(kept, 64);
}

static void test_ports_end(void **state)
{
    (void)state;
    for (unsigned n = 4; n < SWITCH_PORTS; n++)
        assert_int_equal(switch_port_add(&net, address(n), false, NULL), n);
    assert_int_equal(switch_port_add(&net, address(77), false, NULL), SWITCH_PORTS);
    assert_int_equal(send_to(31, everybody, 31, 60), 0x7fffffff);
    assert_int_equal(send(0, 31, 0), 1U << 31);
    assert_int_equal(switch_port_of(&net, address(77)), SWITCH_PORTS);
}

static void test_names(void **state)
{
    char name[SWITCHES + 1][4];
    (void)state;
    sim_reset();
    switch_count = 0;
    for (unsigned n = 0; n <= SWITCHES; n++) {
        snprintf(name[n], sizeof(name[n]), "n%u", n);
        assert_int_equal(switch_find(name[n], 1500) != NULL, n < SWITCHES);
    }
    assert_ptr_equal(switch_find("n3", 1500), switches[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_to_one, set_up),
        cmocka_unit_test_setup(test_to_all, set_up),
        cmocka_unit_test_setup(test_lengths, set_up),
        cmocka_unit_test_setup(test_lies_about_the_source, set_up),
        cmocka_unit_test_setup(test_behind_a_bridge, set_up),
        cmocka_unit_test_setup(test_full_table, set_up),
        cmocka_unit_test_setup(test_ports_end, set_up),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
