/* SPDX-License-Identifier: BSD-2-Clause */
/* Links: appliance/device/pci.c. What a guest may do to its functions' configuration space, and
 * that it can't do more, whatever it writes where. */
#include "tests/unit/unit.h"

#include "appliance/device/pci.h"

#define HOME 0x40004000UL
#define HOME_WIDE 0x4000200000UL

static struct pci_bus bus;
static struct pci_function function;
static uint8_t raw[PCI_CONFIG_BYTES];

static void put32(unsigned at, uint32_t value)
{
    for (unsigned n = 0; n < 4; n++)
        raw[at + n] = (uint8_t)(value >> 8 * n);
}

/* A virtio function: MSI-X at 0x98, vendor capabilities at 0x84 and 0x50, power management at
 * 0x40, which leads back to the first: a ring. */
static int setup(void **state)
{
    (void)state;
    sim_reset();
    memset(&bus, 0, sizeof(bus));
    memset(&function, 0, sizeof(function));
    memset(raw, 0xa5, sizeof(raw)); /* what is not copied must not show */
    put32(0x00, 0x10421af4);
    put32(0x04, 0x00100000);
    put32(0x08, 0x01000001);
    raw[PCI_HEADER] = 0x80;
    put32(0x2c, 0x11001af4);
    put32(0x30, 0xfffff801);
    raw[PCI_CAPABILITIES] = 0x98;
    memcpy(&raw[0x98], (uint8_t[]){PCI_CAP_MSIX, 0x84, 3, 0, 0, 0, 0, 0}, 8);
    memcpy(&raw[0x84], (uint8_t[]){PCI_CAP_VENDOR, 0x50, 20, 5}, 4);
    memcpy(&raw[0x50], (uint8_t[]){PCI_CAP_VENDOR, 0x40, 16, 1, 4}, 5);
    memcpy(&raw[0x40], (uint8_t[]){PCI_CAP_POWER, 0x98, 3, 0}, 4);
    function.pin = 1;
    function.slot = 5;
    function.bars[1] = (struct pci_bar){HOME, 0x1000, false, 0};
    function.bars[4] = (struct pci_bar){HOME_WIDE, 0x4000, true, 0xc};
    pci_function_init(&function, raw);
    bus.function[function.slot] = &function;
    return 0;
}

static uint32_t get(unsigned at, unsigned width)
{
    return pci_config_read(&function, at, width);
}

static void header(void **state)
{
    (void)state;
    assert_int_equal(get(0, 4), 0x10421af4);
    assert_int_equal(get(2, 2), 0x1042);
    assert_int_equal(get(3, 1), 0x10);
    assert_int_equal(get(4, 4), 0x00100000);
    assert_int_equal(get(8, 4), 0x01000001);
    assert_int_equal(get(PCI_HEADER, 1), 0); /* alone in its slot */
    assert_int_equal(get(0x2c, 4), 0x11001af4);
    assert_int_equal(get(0x30, 4), 0); /* no ROM */
    assert_int_equal(get(PCI_PIN, 1), 1);
    sim_pci_interrupt = true;
    assert_int_equal(get(4, 4), 0x00180000);
    assert_int_equal(get(6, 2), 0x18);
    assert_int_equal(get(6, 1), 0x18);
    assert_int_equal(get(7, 1), 0);
    sim_pci_interrupt = false;
}

static void capabilities(void **state)
{
    (void)state;
    assert_int_equal(get(PCI_CAPABILITIES, 1), 0x84);
    assert_int_equal(get(0x84, 4), 5 << 24 | 20 << 16 | 0x50 << 8 | PCI_CAP_VENDOR);
    assert_int_equal(get(0x50, 4), 1 << 24 | 16 << 16 | PCI_CAP_VENDOR); /* the last one */
    assert_int_equal(get(0x40, 4), 0);
    assert_int_equal(get(0x98, 4), 0); /* MSI-X needs interrupt files */
    raw[0x51] = 0x84;                  /* a ring of those that are shown */
    pci_function_init(&function, raw);
    raw[PCI_CAPABILITIES] = 0xfc;
    memcpy(&raw[0xfc], (uint8_t[]){PCI_CAP_VENDOR, 0, 200, 0}, 4); /* longer than there is room */
    pci_function_init(&function, raw);
    assert_int_equal(get(PCI_CAPABILITIES, 1), 0);
    assert_int_equal(get(6, 2), 0);
}

/* A message capability that lies in another capability would let the guest write that one. */
static void overlapping(void **state)
{
    (void)state;
    function.messages = true;
    raw[PCI_CAPABILITIES] = 0x84; /* 20 bytes, and another one in them */
    raw[0x85] = 0x90;
    memcpy(&raw[0x90], (uint8_t[]){PCI_CAP_MSI, 0, 0x80, 0}, 4);
    pci_function_init(&function, raw);
    assert_int_equal(get(PCI_CAPABILITIES, 1), 0x84);
    assert_int_equal(get(0x85, 1), 0);
    uint32_t before = get(0x94, 4);
    pci_config_write(&function, 0x94, 4, ~before);
    assert_int_equal(get(0x94, 4), before);
}

/* With interrupt files: both are shown, and what the guest writes there reaches the function. */
static void messages(void **state)
{
    (void)state;
    raw[0x41] = 0x60; /* the ring is broken open for an MSI capability: 64 bits, masks */
    memcpy(&raw[0x60], (uint8_t[]){PCI_CAP_MSI, 0, 0x86, 0x01}, 4);
    memset(&raw[0x64], 0, 20);
    function.messages = true;
    pci_function_init(&function, raw);
    assert_int_equal(get(PCI_CAPABILITIES, 1), 0x98);
    assert_int_equal(get(0x98, 4), PCI_CAP_MSIX | 0x84 << 8 | 3 << 16);
    assert_int_equal(get(0x51, 1), 0x60); /* power management is left out */
    for (unsigned at = 0x60; at < 0x78; at += 4)
        pci_config_write(&function, at, 4, UINT32_MAX);
    assert_int_equal(get(0x60, 4), 0x01f70000 | PCI_CAP_MSI);
    assert_int_equal(sim_pci_word[0x60 / 4], 0x01f70000 | PCI_CAP_MSI);
    assert_int_equal(get(0x64, 4), 0xfffffffc);
    assert_int_equal(sim_pci_word[0x64 / 4], 0xfffffffc);
    assert_int_equal(get(0x68, 4), 0xffffffff);
    assert_int_equal(get(0x6c, 2), 0xffff);
    assert_int_equal(get(0x70, 4), 0xffffffff);
    assert_int_equal(sim_pci_word[0x70 / 4], 0xffffffff);
    assert_int_equal(sim_pci_word[0x74 / 4], 0); /* pending bits are the function's */
    pci_config_write(&function, 0x9a, 2, 0xffff);
    assert_int_equal(get(0x98, 4), PCI_CAP_MSIX | 0x84 << 8 | 0xc003U << 16);
    assert_int_equal(sim_pci_word[0x98 / 4], PCI_CAP_MSIX | 0x84 << 8 | 0xc003U << 16);
    pci_config_write(&function, 0x9b, 1, 0x80);
    assert_int_equal(sim_pci_word[0x98 / 4] >> 16, 0x8003);
    memset(sim_pci_word, 0, sizeof(sim_pci_word));
    pci_config_write(&function, 0x9c, 4, UINT32_MAX); /* where the table is: fixed */
    pci_config_write(&function, 0x84, 4, UINT32_MAX);
    for (unsigned n = 0; n < 64; n++)
        assert_int_equal(sim_pci_word[n], 0);
    memcpy(&raw[0xfc], (uint8_t[]){PCI_CAP_MSI, 0, 0x80, 0}, 4); /* longer than there is room */
    raw[PCI_CAPABILITIES] = 0xfc;
    pci_function_init(&function, raw);
    assert_int_equal(get(PCI_CAPABILITIES, 1), 0);
}

static void bars(void **state)
{
    (void)state;
    assert_int_equal(get(0x10, 4), 0);
    assert_int_equal(get(0x14, 4), HOME);
    assert_int_equal(get(0x20, 4), (uint32_t)HOME_WIDE | 0xc);
    assert_int_equal(get(0x24, 4), HOME_WIDE >> 32);
    for (unsigned at = 0x10; at < 0x28; at += 4)
        pci_config_write(&function, at, 4, UINT32_MAX);
    assert_int_equal(get(0x10, 4), 0);
    assert_int_equal(get(0x14, 4), 0xfffff000);
    assert_int_equal(get(0x18, 4), 0);
    assert_int_equal(get(0x1c, 4), 0);
    assert_int_equal(get(0x20, 4), 0xffffc00c);
    assert_int_equal(get(0x24, 4), 0xffffffff);
    /* Linux writes back what it read; others what they would like. Both find it at home. */
    pci_config_write(&function, 0x14, 4, HOME);
    pci_config_write(&function, 0x20, 4, 0x12340000);
    pci_config_write(&function, 0x24, 4, 0);
    assert_int_equal(get(0x14, 4), HOME);
    assert_int_equal(get(0x20, 4), (uint32_t)HOME_WIDE | 0xc);
    assert_int_equal(get(0x24, 4), HOME_WIDE >> 32);
    pci_config_write(&function, 0x14, 4, ~15U); /* all address bits: sizing as well */
    assert_int_equal(get(0x14, 4), 0xfffff000);
    pci_config_write(&function, 0x15, 1, 0xff);
    assert_int_equal(get(0x14, 4), HOME);
}

static void command(void **state)
{
    (void)state;
    pci_config_write(&function, PCI_COMMAND, 2, 0xffff);
    assert_int_equal(get(PCI_COMMAND, 2), 0x406);
    assert_int_equal(sim_pci_command, 0x406);
    pci_config_write(&function, PCI_COMMAND + 1, 1, 0);
    assert_int_equal(sim_pci_command, 0x006);
    pci_config_write(&function, PCI_COMMAND, 4, 0xffff0000);
    assert_int_equal(sim_pci_command, 0);
    assert_int_equal(get(PCI_STATUS, 2), PCI_STATUS_CAPABILITIES);
    pci_config_write(&function, PCI_LINE, 1, 33);
    assert_int_equal(get(PCI_LINE, 2), 1 << 8 | 33);
}

/* Every width at every offset, random values: only what may change has changed. */
static void hostile(void **state)
{
    (void)state;
    uint64_t seed = 42;
    uint8_t before[PCI_CONFIG_BYTES];
    memcpy(before, function.config, sizeof(before));
    for (unsigned round = 0; round < 20; round++) {
        for (uint32_t offset = 0; offset < 0x1000; offset++) {
            for (unsigned width = 1; width <= 8; width++) {
                uint64_t value = unit_random(&seed), read = 0;
                if (round & 1)
                    value |= UINT32_MAX;
                uint32_t at = 5U << 15 | offset;
                bool good = (width == 1 || width == 2 || width == 4) && offset % width == 0;
                assert_int_equal(pci_bus_write(&bus, at, width, value), good);
                assert_int_equal(pci_bus_read(&bus, at, width, &read), good);
                if (!good)
                    continue;
                assert_int_equal(read >> 8 * width, 0);
                if (offset >= PCI_CONFIG_BYTES)
                    assert_int_equal(read, 0);
                assert_int_equal(sim_pci_command & ~0x406U, 0);
            }
        }
        for (unsigned n = 0; n < PCI_CONFIG_BYTES; n++) {
            bool bar = n >= PCI_BAR && n < PCI_BAR + 24;
            if (!bar)
                assert_int_equal((function.config[n] ^ before[n]) & ~function.writable[n], 0);
        }
        assert_true(get(0x14, 4) == HOME || get(0x14, 4) == 0xfffff000);
        assert_true(get(0x20, 4) == ((uint32_t)HOME_WIDE | 0xc) || get(0x20, 4) == 0xffffc00c);
        assert_int_equal(get(0x10, 4) | get(0x18, 4) | get(0x1c, 4), 0);
    }
}

/* Where the VM has no function there is nobody, and nothing changes. */
static void others(void **state)
{
    (void)state;
    struct pci_function before = function;
    for (uint32_t offset = 0; offset < PCI_ECAM_SIZE; offset += 4) {
        uint64_t value = 0;
        if (offset >> 12 == 5 << 3)
            continue;
        assert_true(pci_bus_read(&bus, offset, 4, &value));
        assert_int_equal(value, UINT32_MAX);
        assert_true(pci_bus_write(&bus, offset, 4, UINT32_MAX));
    }
    uint64_t value;
    assert_true(pci_bus_read(&bus, 0, 1, &value));
    assert_int_equal(value, 0xff);
    assert_true(pci_bus_read(&bus, 2, 2, &value));
    assert_int_equal(value, 0xffff);
    assert_memory_equal(&before, &function, sizeof(function));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(header, setup),      cmocka_unit_test_setup(capabilities, setup),
        cmocka_unit_test_setup(overlapping, setup), cmocka_unit_test_setup(messages, setup),
        cmocka_unit_test_setup(bars, setup),        cmocka_unit_test_setup(command, setup),
        cmocka_unit_test_setup(hostile, setup),     cmocka_unit_test_setup(others, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
