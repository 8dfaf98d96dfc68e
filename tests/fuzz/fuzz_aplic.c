/* SPDX-License-Identifier: BSD-2-Clause */
/* The APLIC, in both ways of delivery: accesses, wires, forwarded sources and state items. */
#include "tests/fuzz/fuzz.h"

#include "lib/irq/aplic.h"

#define HARTS 3
#define SOURCES 70

static struct aplic aplic;

static void changed(struct aplic *which, unsigned hart)
{
    REQUIRE(which == &aplic && hart < HARTS);
}

static void message(struct aplic *which, unsigned hart, uint32_t id)
{
    REQUIRE(which == &aplic && hart < HARTS && id <= 0x7ff && aplic.msi);
}

static void completed(struct aplic *which, unsigned source)
{
    REQUIRE(which == &aplic && source && source <= SOURCES);
}

/* Half of them lead to a register that is there. */
static uint32_t offset(struct input *in)
{
    uint32_t any = (uint32_t)input_number(in, 2);
    switch (any & 7) {
    case 0:
    case 1:
        return (any >> 3) % (SOURCES + 3) * 4; /* domaincfg, sourcecfg */
    case 2:
        return 0x3000 + (any >> 3) % (SOURCES + 2) * 4;
    case 3:
        return 0x4000 + (any >> 3) % (HARTS + 1) * 32 + (any >> 8) % 8 * 4;
    case 4: {
        static const uint16_t by_number[] = {0x1cdc, 0x1ddc, 0x1edc, 0x1fdc, 0x2000, 0x2004};
        return by_number[(any >> 3) % 6];
    }
    case 5:
        return 0x1c00 + (any >> 3) % 4 * 0x100 + (any >> 8) % 4 * 4;
    default:
        return any;
    }
}

static void step(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1), width = what & 0xc0 ? 4 : 1U << (what >> 3 & 3);
    unsigned source = 0;
    uint64_t value = 0;
    if ((what & 7) >= 4 && (what & 7) < 7)
        source = (unsigned)input_number(in, 1) % SOURCES + 1;
    switch (what & 7) {
    case 0:
        aplic_read(&aplic, offset(in), width, &value);
        break;
    case 1:
    case 2:
    case 3: {
        uint32_t to = offset(in);
        aplic_write(&aplic, to, width, input_number(in, 4));
        break;
    }
    case 4:
        if (!(aplic.forwarded[source / 32] >> source % 32 & 1))
            aplic_set_wire(&aplic, source, what & 0x80);
        break;
    case 5:
        aplic_forward(&aplic, source, what & 0x80);
        break;
    case 6:
        if (aplic.forwarded[source / 32] >> source % 32 & 1)
            aplic_fired(&aplic, source);
        break;
    case 7: {
        uint32_t index = (uint32_t)input_number(in, what & 0x80 ? 4 : 2);
        if (!aplic_get(&aplic, index, &value) && what & 0x40)
            aplic_set(&aplic, index, value);
        else
            aplic_set(&aplic, index, input_number(in, 8));
        break;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    void *room = malloc(aplic_room_bytes(SOURCES)); /* to the byte */
    memset(&aplic, 0, sizeof(aplic));
    aplic_size(&aplic, SOURCES, room);
    aplic.changed = changed;
    aplic.message = message;
    aplic.completed = completed;
    aplic_init(&aplic, HARTS, input_number(&in, 1) & 1);
    while (in.left) {
        step(&in);
        REQUIRE(aplic.lock.next == aplic.lock.serving);
        REQUIRE(!(aplic.pending[0] & 1) && !(aplic.enable[0] & 1));
        for (unsigned hart = 0; hart < HARTS; hart++)
            REQUIRE(!aplic_line(&aplic, hart) || (!aplic.msi && aplic.enabled));
    }
    free(room);
    return 0;
}
