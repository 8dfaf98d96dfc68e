/* SPDX-License-Identifier: BSD-2-Clause */
/* The PLIC: accesses, wires, edges and state items; each claim beside a walk over all sources. */
#include "tests/fuzz/fuzz.h"

#include "lib/irq/plic.h"

#define CONTEXTS 3
#define SOURCES 70
#define CLAIM(context) (0x201004u + 0x2000u * (context))

static struct plic plic;
static unsigned completions;

static void changed(struct plic *which, unsigned context)
{
    REQUIRE(which == &plic && context < CONTEXTS);
}

static void completed(struct plic *which, unsigned source)
{
    REQUIRE(which == &plic && source && source <= SOURCES);
    completions++;
}

static bool has(const _Atomic uint32_t *words, unsigned source)
{
    return words[source / 32] >> source % 32 & 1;
}

/* Specification, "Interrupt Claim Process": the highest priority, the lowest id among equals. */
static unsigned expected(unsigned context, unsigned floor)
{
    unsigned best = 0, priority = floor;
    for (unsigned source = 1; source <= SOURCES; source++) {
        if (has(plic.pending, source) && !has(plic.claimed, source) &&
            has(plic.enable[2 * context + 1], source) && plic.priority[source] > priority) {
            best = source;
            priority = plic.priority[source];
        }
    }
    return best;
}

static void claim(unsigned context)
{
    unsigned want = expected(context, 0);
    uint64_t got = UINT64_MAX;
    REQUIRE(plic_read(&plic, CLAIM(context), 4, &got) && got == want);
    if (want)
        REQUIRE(has(plic.claimed, want) && !has(plic.pending, want));
}

/* Half of them lead to a register that is there. */
static uint32_t offset(struct input *in)
{
    uint32_t any = (uint32_t)input_number(in, 3);
    switch (any & 7) {
    case 0:
        return (any >> 3) % (SOURCES + 2) * 4;
    case 1:
        return 0x1000 + (any >> 3) % 4 * 4;
    case 2:
        return 0x2000 + (any >> 3) % 8 * 0x80 + (any >> 8) % 4 * 4;
    case 3:
        return 0x200000 + (any >> 3) % 8 * 0x1000 + (any >> 8) % 3 * 4;
    default:
        return any << 1;
    }
}

static void step(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1), width = 1U << (what >> 4 & 3);
    uint64_t value = 0;
    switch (what % 10) {
    case 0:
    case 1:
        plic_read(&plic, offset(in), width, &value);
        break;
    case 2:
    case 3:
    case 4: {
        uint32_t to = offset(in);
        plic_write(&plic, to, width, input_number(in, width));
        break;
    }
    case 5:
        plic_set_level(&plic, (unsigned)input_number(in, 1) % SOURCES + 1, what & 0x80);
        break;
    case 6:
        plic_pulse(&plic, (unsigned)input_number(in, 1) % SOURCES + 1);
        break;
    case 7:
        plic_take_back(&plic, (unsigned)input_number(in, 1) % SOURCES + 1);
        break;
    case 8:
        claim(what / 10 % CONTEXTS);
        break;
    case 9: {
        uint32_t index = (uint32_t)input_number(in, 4);
        if (what & 0x80 && !plic_get(&plic, index, &value))
            plic_set(&plic, index, value);
        else
            plic_set(&plic, index, input_number(in, 8));
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    void *room = aligned_alloc(4096, (plic_room_bytes(CONTEXTS, SOURCES) + 4095) & ~4095UL);
    memset(&plic, 0, sizeof(plic));
    plic.changed = changed;
    plic.completed = completed;
    plic_size(&plic, CONTEXTS, SOURCES, room);
    plic_init(&plic);
    while (in.left) {
        step(&in);
        for (unsigned context = 0; context < CONTEXTS; context++)
            REQUIRE(plic_line(&plic, context) == !!expected(context, plic.threshold[context]));
    }
    free(room);
    return 0;
}
