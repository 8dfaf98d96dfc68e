/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IOMMU's driver on registers that answer what they like: whatever comes there, nothing is
 * read or written beside the pages that the driver has, every wait ends, and a device that was
 * detached has no context.
 */
#include "tests/fuzz/fuzz.h"

#include "drivers/iommu/iommu.h"

static _Alignas(4096) uint8_t registers[4096];
static struct input *input;
static uint64_t ticks;
static bool good;
static void *pages[64];
static unsigned taken;

static uint32_t reg32(unsigned at)
{
    uint32_t value;
    memcpy(&value, registers + at, sizeof(value));
    return value;
}

static void set32(unsigned at, uint32_t value)
{
    memcpy(registers + at, &value, sizeof(value));
}

/* A device as it should be: queues are on and off as told, commands are done at once. */
static void behave(void)
{
    static const unsigned queues[] = {0x48, 0x4c, 0x50};
    for (unsigned n = 0; n < 3; n++)
        set32(queues[n], (reg32(queues[n]) & 3) | (reg32(queues[n]) & 1) << 16);
    set32(0x20, reg32(0x24));
    set32(0x10, reg32(0x10) & ~16U);
}

/* The driver looks at the time in each wait. */
static uint64_t model_time(void)
{
    static const unsigned some[] = {0x10, 0x20, 0x30, 0x34, 0x48, 0x4c, 0x50, 0x54};
    unsigned what = good ? 0 : (unsigned)input_number(input, 1);
    if (!(what & 1))
        behave();
    if (what & 2)
        set32(some[what >> 2 & 7], (uint32_t)input_number(input, 4));
    return ticks += 1 + (what >> 5);
}

static void *page(void)
{
    return taken < sizeof(pages) / sizeof(*pages)
               ? memset(pages[taken++] = aligned_alloc(4096, 4096), 0, 4096)
               : NULL;
}

static uint64_t pa(const void *at)
{
    return (uint64_t)(uintptr_t)at;
}

static void *va(uint64_t at)
{
    for (unsigned n = 0; n < taken; n++) {
        if (pages[n] == (void *)at)
            return pages[n];
    }
    REQUIRE(!"a table that the driver took");
    return NULL;
}

static const struct iommu_user user = {page, pa, va, model_time, 20};

/* The first word of its context, as the specification finds it; NULL: there is no room for one. */
static const uint64_t *context(const struct iommu_hw *iommu, uint32_t device)
{
    unsigned first = iommu->extended ? 6 : 7;
    const uint64_t *table = iommu->directory;
    if (device >> (first + 9 * (iommu->levels - 1)))
        return NULL;
    for (unsigned level = iommu->levels - 1; level; level--) {
        uint64_t entry = table[device >> (first + 9 * (level - 1)) & 511];
        if (!(entry & 1))
            return NULL;
        table = va(entry >> 10 << 12);
    }
    return table + (size_t)(device & ((1U << first) - 1)) * (iommu->extended ? 8 : 4);
}

static void step(struct iommu_hw *iommu)
{
    unsigned what = (unsigned)input_number(input, 1);
    uint32_t device = (uint32_t)input_number(input, what & 8 ? 3 : 1);
    unsigned vm = (unsigned)input_number(input, 2);
    good = what & 0x40;
    set32(0x30, what & 0x80 ? (uint32_t)input_number(input, 4) : reg32(0x30));
    set32(0x34, what & 0x80 ? (uint32_t)input_number(input, 4) : reg32(0x34));
    const uint64_t *dc = context(iommu, device);
    struct iommu_context as = {1UL << 63, vm, 0x1000, 0xff, 0x28000};
    struct iommu_fault fault;
    switch (what & 7) {
    case 0:
    case 1:
        if (iommu_hw_reserve(iommu, device))
            REQUIRE(context(iommu, device));
        break;
    case 2:
    case 3:
        REQUIRE(!iommu_hw_attach(iommu, device, &as) || (dc && (*dc & 1)));
        break;
    case 4:
        iommu_hw_detach(iommu, device, vm);
        REQUIRE(!dc || !*dc);
        break;
    case 5:
        iommu_hw_flush(iommu, vm);
        break;
    case 6:
        for (unsigned n = 0; n < 4 && iommu_hw_fault(iommu, &fault); n++)
            REQUIRE(iommu_cause_name(fault.cause) && fault.device < 1U << 24 &&
                    fault.access <= IOMMU_OTHER);
        break;
    default:
        iommu_hw_interrupt(iommu, vm & 1);
        break;
    }
    REQUIRE(iommu->tail < 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    struct iommu_hw iommu;
    input = &in;
    ticks = 0;
    memset(registers, 0, sizeof(registers));
    unsigned what = (unsigned)input_number(&in, 1);
    good = what & 1;
    set32(0, (uint32_t)(good ? 0x10 | 7 << 17 | (what & 2) << 21 : input_number(&in, 4)));
    if (!iommu_hw_init(&iommu, registers, what & 4, &user)) {
        REQUIRE(iommu.levels >= 1 && iommu.levels <= 3);
        while (in.left)
            step(&iommu);
    }
    while (taken)
        free(pages[--taken]);
    return 0;
}
