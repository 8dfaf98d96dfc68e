/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A function's configuration space: what the real one has, BARs, and a guest's accesses. What a
 * guest may not change stays, and nothing reaches the real function but what is its to say.
 */
#include "tests/fuzz/fuzz.h"

#include "appliance/device/pci.h"

static struct pci_bus bus;
static struct pci_function function;
static uint8_t raw[PCI_CONFIG_BYTES];

/* By the list that the guest sees: a message capability's word. */
static bool is_message_word(unsigned offset)
{
    const uint8_t *config = function.config;
    unsigned at = config[PCI_CAPABILITIES];
    for (unsigned n = 0; at && n < 64; n++, at = config[at + 1]) {
        bool msi = config[at] == PCI_CAP_MSI, msix = config[at] == PCI_CAP_MSIX;
        if ((msi && offset >= at && offset < at + 24) || (msix && offset == at))
            return true;
    }
    return false;
}

void host_pci_command(struct pci_function *which, uint16_t command)
{
    REQUIRE(which == &function);
    REQUIRE(!(command & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF)));
}

void host_pci_messages(struct pci_function *which, unsigned offset, uint32_t value)
{
    (void)value;
    REQUIRE(which == &function && function.messages && offset % 4 == 0);
    REQUIRE(is_message_word(offset));
}

static void make_function(struct input *in)
{
    memset(&function, 0, sizeof(function));
    for (unsigned n = 0; n < PCI_CONFIG_BYTES; n++)
        raw[n] = n < 0x40 ? (uint8_t)(n * 7) : 0;
    raw[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    unsigned what = (unsigned)input_number(in, 1), link = PCI_CAPABILITIES;
    for (unsigned n = what & 7; n; n--) { /* a list, which may cross itself */
        static const uint8_t kinds[] = {PCI_CAP_POWER, PCI_CAP_MSI,     PCI_CAP_VENDOR,
                                        PCI_CAP_MSIX,  PCI_CAP_EXPRESS, 0};
        unsigned at = 0x40 + (unsigned)input_number(in, 1) % 0xc0;
        raw[link] = (uint8_t)at;
        at &= ~3U;
        raw[at] = kinds[input_number(in, 1) % sizeof(kinds)];
        raw[at + 2] = (uint8_t)input_number(in, 1);
        raw[at + 3] = (uint8_t)input_number(in, 1);
        raw[link = at + 1] = 0;
    }
    function.messages = what & 8;
    function.pin = what >> 4 & 3;
    function.slot = 5;
    for (unsigned n = 0; n < PCI_BARS; n++) {
        unsigned bar = (unsigned)input_number(in, 1);
        bool wide = bar & 0x80 && n + 1 < PCI_BARS;
        if (!(bar & 1))
            continue;
        uint64_t size = 1UL << (4 + (bar >> 1 & 31));
        function.bars[n] = (struct pci_bar){input_number(in, 5) & ~(size - 1), size, wide, 0};
        function.bars[n].flags = wide ? 0xc : 0;
        if (!wide)
            function.bars[n].base &= UINT32_MAX;
        n += wide;
    }
    pci_function_init(&function, raw);
    bus.function[function.slot] = &function;
}

/* A BAR's register shows where it lies, or what asks for its size shows. */
static void bars_hold(void)
{
    for (unsigned n = 0; n < PCI_BARS; n++) {
        const struct pci_bar *bar = &function.bars[n];
        uint64_t shown = pci_config_read(&function, PCI_BAR + 4 * n, 4);
        if (!bar->size)
            continue;
        uint64_t mask = ~(bar->size - 1) & UINT32_MAX;
        REQUIRE(shown == ((bar->base & UINT32_MAX) | bar->flags) || shown == (mask | bar->flags));
        n += bar->wide;
    }
}

static void step(struct input *in, const uint8_t *before)
{
    unsigned what = (unsigned)input_number(in, 1), width = 1U << (what & 3);
    uint32_t offset = (uint32_t)input_number(in, 1) << (what & 4 ? 12 : 0);
    uint64_t value = what & 8 ? UINT32_MAX : input_number(in, 4);
    if (!(what & 0x30))
        offset = (uint32_t)input_number(in, 4);
    else if (!(what & 4))
        offset = (offset & ~(width - 1)) + (5U << 15);
    sim_pci_interrupt = what & 0x40;
    if (what & 0x80) {
        if (pci_bus_read(&bus, offset, width, &value))
            REQUIRE(value <= UINT32_MAX >> (32 - 8 * width));
    } else {
        pci_bus_write(&bus, offset, width, value);
    }
    REQUIRE(bus.lock.next == bus.lock.serving);
    for (unsigned n = 0; n < PCI_CONFIG_BYTES; n++) {
        if (n < PCI_BAR || n >= PCI_BAR + 4 * PCI_BARS)
            REQUIRE(!((function.config[n] ^ before[n]) & ~function.writable[n]));
    }
    bars_hold();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    uint8_t before[PCI_CONFIG_BYTES];
    struct input in = {data, bytes};
    sim_reset();
    memset(&bus, 0, sizeof(bus));
    make_function(&in);
    memcpy(before, function.config, sizeof(before));
    /* Beyond the header a guest writes where messages are, and nowhere else. */
    for (unsigned n = 0x40; n < PCI_CONFIG_BYTES; n++)
        REQUIRE(!function.writable[n] || is_message_word(n & ~3U));
    while (in.left)
        step(&in, before);
    return 0;
}
