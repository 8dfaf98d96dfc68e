/* SPDX-License-Identifier: BSD-2-Clause */
#include "drivers/plic/plic.h"

#include "drivers/mmio.h"

#define MAX_SOURCE 1023u
#define MAX_CONTEXTS 15872u
#define PRIORITY(source) (4UL * (source))
#define ENABLE(context, word) (0x2000UL + 0x80UL * (context) + 4UL * (word))
#define THRESHOLD(context) (0x200000UL + 0x1000UL * (context))
#define CLAIM(context) (THRESHOLD(context) + 4)

static uint32_t reg_read(const struct plic_hw *plic, uint64_t offset)
{
    return mmio_read32(plic->base + offset);
}

static void reg_write(const struct plic_hw *plic, uint64_t offset, uint32_t value)
{
    mmio_write32(plic->base + offset, value);
}

bool plic_hw_init(struct plic_hw *plic, volatile void *base, uint64_t bytes, unsigned sources)
{
    if (sources == 0 || sources > MAX_SOURCE || bytes < CLAIM(0) + 4)
        return false;

    uint64_t contexts = (bytes - CLAIM(0) - 4) / 0x1000 + 1;
    plic->base = base;
    plic->bytes = bytes;
    plic->sources = sources;
    plic->contexts = contexts < MAX_CONTEXTS ? (unsigned)contexts : MAX_CONTEXTS;
    return true;
}

bool plic_hw_context_init(const struct plic_hw *plic, unsigned context)
{
    if (context >= plic->contexts)
        return false;
    for (unsigned word = 0; word <= plic->sources / 32; word++)
        reg_write(plic, ENABLE(context, word), 0);
    reg_write(plic, THRESHOLD(context), 0);
    return true;
}

bool plic_hw_enable(const struct plic_hw *plic, unsigned context, unsigned source,
                    unsigned priority)
{
    if (context >= plic->contexts || source == 0 || source > plic->sources)
        return false;

    uint64_t enable = ENABLE(context, source / 32);
    uint32_t bit = 1u << source % 32;
    reg_write(plic, PRIORITY(source), priority);
    if (priority)
        reg_write(plic, enable, reg_read(plic, enable) | bit);
    else
        reg_write(plic, enable, reg_read(plic, enable) & ~bit);
    return true;
}

unsigned plic_hw_claim(const struct plic_hw *plic, unsigned context)
{
    unsigned source = reg_read(plic, CLAIM(context));
    mmio_fence(); /* the claim comes before whatever is done to the device */
    return source;
}

void plic_hw_complete(const struct plic_hw *plic, unsigned context, unsigned source)
{
    mmio_fence(); /* and that before the gateway opens again */
    reg_write(plic, CLAIM(context), source);
}
