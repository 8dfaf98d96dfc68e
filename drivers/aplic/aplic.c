/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/aplic/aplic.h"

#include "drivers/mmio.h"

#define MAX_SOURCE 1023u
#define MAX_IDCS 16384u

/* Register map, AIA specification 4.5. */
#define DOMAINCFG 0x0000u
#define DOMAINCFG_IE (1u << 8)
#define DOMAINCFG_DM (1u << 2) /* MSIs */
#define SOURCECFG(source) (4u * (source))
#define SETIPNUM 0x1cdcu
#define SETIENUM 0x1edcu
#define CLRIE(word) (0x1f00u + 4u * (word))
#define CLRIENUM 0x1fdcu
#define TARGET(source) (0x3000u + 4u * (source))
#define IDC(n) (0x4000u + 32u * (n))
#define IDC_IDELIVERY 0x00u
#define IDC_ITHRESHOLD 0x08u
#define IDC_CLAIMI 0x1cu
#define IDC_BYTES 32u

static uint32_t reg_read(const struct aplic_hw *aplic, uint64_t offset)
{
    return mmio_read32(aplic->base + offset);
}

static void reg_write(const struct aplic_hw *aplic, uint64_t offset, uint32_t value)
{
    mmio_write32(aplic->base + offset, value);
}

bool aplic_hw_init(struct aplic_hw *aplic, volatile void *base, uint64_t bytes, unsigned sources,
                   bool msi)
{
    if (sources == 0 || sources > MAX_SOURCE || bytes < IDC(0) || (!msi && bytes < IDC(1)))
        return false;
    uint64_t idcs = msi ? 0 : (bytes - IDC(0)) / IDC_BYTES;
    aplic->base = base;
    aplic->sources = sources;
    aplic->idcs = idcs < MAX_IDCS ? (unsigned)idcs : MAX_IDCS;
    for (unsigned word = 0; word <= sources / 32; word++)
        reg_write(aplic, CLRIE(word), UINT32_MAX);
    reg_write(aplic, DOMAINCFG, DOMAINCFG_IE | (msi ? DOMAINCFG_DM : 0));
    /* DM is WARL: a domain that knows one way only says so (4.5.1). */
    return !(reg_read(aplic, DOMAINCFG) & DOMAINCFG_DM) == !msi;
}

bool aplic_hw_idc_init(const struct aplic_hw *aplic, unsigned idc)
{
    if (idc >= aplic->idcs)
        return false;
    reg_write(aplic, IDC(idc) + IDC_ITHRESHOLD, 0);
    reg_write(aplic, IDC(idc) + IDC_IDELIVERY, 1);
    return true;
}

uint32_t aplic_hw_target(unsigned hart_index, unsigned guest_index, unsigned low)
{
    return hart_index << 18 | guest_index << 12 | low;
}

static uint32_t source_mode(unsigned type)
{
    switch (type) {
    case APLIC_RISING:
        return 4;
    case APLIC_FALLING:
        return 5;
    case APLIC_LOW:
        return 7;
    default:
        return 6;
    }
}

bool aplic_hw_enable(const struct aplic_hw *aplic, unsigned source, unsigned type, uint32_t target)
{
    if (source == 0 || source > aplic->sources)
        return false;
    reg_write(aplic, SOURCECFG(source), source_mode(type));
    reg_write(aplic, TARGET(source), target);
    aplic_hw_unmask(aplic, source);
    return true;
}

void aplic_hw_mask(const struct aplic_hw *aplic, unsigned source)
{
    reg_write(aplic, CLRIENUM, source);
}

void aplic_hw_unmask(const struct aplic_hw *aplic, unsigned source)
{
    mmio_fence(); /* what was done to the device comes first */
    reg_write(aplic, SETIENUM, source);
}

unsigned aplic_hw_claim(const struct aplic_hw *aplic, unsigned idc)
{
    unsigned source = reg_read(aplic, IDC(idc) + IDC_CLAIMI) >> 16 & MAX_SOURCE;
    mmio_fence(); /* the claim comes before whatever is done to the device */
    return source;
}

void aplic_hw_retrigger(const struct aplic_hw *aplic, unsigned source)
{
    mmio_fence();
    reg_write(aplic, SETIPNUM, source);
}
