/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/pci/ecam.h"

#include "drivers/mmio.h"

#define STATUS 0x06
#define STATUS_CAPABILITIES 0x10
#define BAR(n) (0x10 + 4 * (n))
#define CAPABILITIES 0x34
#define CAP_EXPRESS 0x10

bool ecam_present(volatile const uint8_t *config)
{
    return mmio_read16(config) != 0xffff;
}

/* From a link on; a list may be a ring, so it is followed as far as there is room for others. */
static unsigned follow(volatile const uint8_t *config, unsigned link, unsigned kind)
{
    unsigned at = mmio_read8(config + link) & ~3U;
    for (unsigned n = 0; n < 48 && at >= 0x40; n++) {
        if (mmio_read8(config + at) == kind)
            return at;
        at = mmio_read8(config + at + 1) & ~3U;
    }
    return 0;
}

unsigned ecam_capability(volatile const uint8_t *config, unsigned kind)
{
    if (!(mmio_read16(config + STATUS) & STATUS_CAPABILITIES))
        return 0;
    return follow(config, CAPABILITIES, kind);
}

unsigned ecam_next_capability(volatile const uint8_t *config, unsigned after, unsigned kind)
{
    return follow(config, after + 1, kind);
}

uint64_t ecam_bar_size(volatile uint8_t *config, unsigned bar, uint8_t *flags)
{
    mmio_write32(config + BAR(bar), UINT32_MAX);
    uint32_t low = mmio_read32(config + BAR(bar));
    mmio_write32(config + BAR(bar), 0);
    *flags = low & 15;
    if (!low || low & 1)
        return 0;
    if ((low & 6) != 4)
        return -(low & ~15U) & UINT32_MAX;
    if (bar == 5)
        return 0; /* there is no register for its upper half */
    mmio_write32(config + BAR(bar + 1), UINT32_MAX);
    uint64_t mask = (uint64_t)mmio_read32(config + BAR(bar + 1)) << 32 | (low & ~15U);
    mmio_write32(config + BAR(bar + 1), 0);
    return -mask;
}

void ecam_bar_set(volatile uint8_t *config, unsigned bar, uint64_t base, bool wide)
{
    mmio_write32(config + BAR(bar), (uint32_t)base);
    if (wide)
        mmio_write32(config + BAR(bar + 1), (uint32_t)(base >> 32));
}

/* PCI Express Base Specification 5.0, 7.5.3.3 and 7.5.3.4: bit 28 of the capabilities says that bit
 * 15 of the control register resets the function. */
bool ecam_reset(volatile uint8_t *config)
{
    unsigned express = ecam_capability(config, CAP_EXPRESS);
    if (!express || !(mmio_read32(config + express + 4) & 1U << 28))
        return false;
    mmio_write16(config + express + 8, mmio_read16(config + express + 8) | 1U << 15);
    return true;
}

bool ecam_busy(volatile const uint8_t *config)
{
    unsigned express = ecam_capability(config, CAP_EXPRESS);
    return express && mmio_read16(config + express + 10) & 1U << 5;
}
