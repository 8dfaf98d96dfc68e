/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that does all that a driver should not, on two harts at once: descriptors of any kind,
 * chains that loop, indices that jump, queues in registers and in memory of others, registers
 * written while the device is live; and requests that are right now and then, so that it gets far.
 * `seed=` makes it do the same again, as far as two harts do; a line after each EACH operations.
 */
#include "guests/virtio/driver.h"

#define HARTS 2
#define DEVICES 8U
#define EACH 20000U
#define ARENA_BYTES 0x20000U
#define FEATURES (1U << 28 | 1U << 29 | 1U << 15 | 1U << 5) /* indirect, event index, merged */
#define BROADCAST_BYTES 64U

void hostile_trap(void);
void second_start(void);
_Noreturn void second_main(uint64_t hart);

static struct queue queues[DEVICES][QUEUES];
static uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));
static uint8_t stack[8192] __attribute__((aligned(16)));
static struct driver devices[DEVICES];
static unsigned device_count;
static uint64_t seed;
static _Atomic uint64_t done;

static uint64_t any(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static uint64_t below(uint64_t *random, uint64_t n)
{
    return (any(random) >> 16) % n;
}

static uint64_t any_address(uint64_t *random)
{
    static const uint64_t bases[] = {0x0c000000,        0x10000000, 0x10001000,  0x10002000,
                                     0x80000000,        0x81000000, 0xb0000000,  0xb0010000,
                                     0x90000000,        0,          0x100000000, 0xfffffffffffff000,
                                     0x7fffffffffffffff};
    switch (below(random, 8)) {
    case 0:
        return any(random);
    case 1:
        return bases[below(random, sizeof(bases) / sizeof(*bases))] + below(random, 64) - 32;
    case 2:
        return (uint64_t)&queues[below(random, device_count)] + 16 * below(random, 512);
    case 3:
        return (uint64_t)arena + below(random, ARENA_BYTES);
    default:
        return (uint64_t)arena + 16 * below(random, ARENA_BYTES / 16);
    }
}

static uint32_t any_length(uint64_t *random)
{
    switch (below(random, 8)) {
    case 0:
        return (uint32_t)any(random);
    case 1:
        return (uint32_t)-below(random, 64);
    case 2:
        return 0;
    case 3:
        return 16 * (uint32_t)below(random, 64);
    case 4:
        return 512 * (uint32_t)below(random, 64);
    default:
        return (uint32_t)below(random, 2048);
    }
}

static void any_descriptor(uint64_t *random, struct queue *queue)
{
    struct descriptor *table = below(random, 4) ? queue->desc : (struct descriptor *)arena;
    struct descriptor *at = &table[below(random, SIZE)];
    at->address = any_address(random);
    at->bytes = any_length(random);
    at->flags = (uint16_t)(below(random, 16) ? below(random, 8) : any(random));
    at->next = (uint16_t)(below(random, 16) ? below(random, SIZE) : any(random));
}

/* What a good driver sends: a frame to everybody, or a block's request. */
static void right_request(uint64_t *random, const struct driver *driver, unsigned n)
{
    struct queue *queue = &driver->queue[n];
    uint32_t *header = (uint32_t *)(arena + 1024 * below(random, 64));
    unsigned head = (unsigned)below(random, SIZE - 3);
    struct descriptor *desc = &queue->desc[head];
    if (driver_read(driver, DEVICE_ID) == ID_BLOCK) {
        header[0] = (uint32_t)below(random, 2);
        header[2] = (uint32_t)below(random, 256);
        header[3] = 0;
        desc[0] = (struct descriptor){(uint64_t)header, 16, NEXT, (uint16_t)(head + 1)};
        desc[1] =
            (struct descriptor){any_address(random) & ~15UL, 512 * (uint32_t)below(random, 9),
                                (uint16_t)(NEXT | (header[0] ? 0 : WRITE)), (uint16_t)(head + 2)};
        desc[2] = (struct descriptor){(uint64_t)(header + 8), 1, WRITE, 0};
    } else if (n) {
        uint8_t *frame = (uint8_t *)header;
        for (unsigned b = 0; b < 6; b++) {
            frame[12 + b] = 0xff;
            frame[18 + b] = driver->base[CONFIG + b];
        }
        desc[0] = (struct descriptor){(uint64_t)frame, 12 + BROADCAST_BYTES, 0, 0};
    } else {
        desc[0] = (struct descriptor){any_address(random), 2048, WRITE, 0};
    }
    driver_add(queue, head);
}

static void any_register(uint64_t *random, const struct driver *driver)
{
    static const uint16_t at[] = {0x14, 0x20, 0x24, 0x28, 0x30, 0x38, 0x3c, 0x40, 0x44,  0x64,
                                  0x70, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, 0xfc, 0x100, 0x108};
    uint64_t address = any_address(random);
    unsigned offset = below(random, 8) ? at[below(random, sizeof(at) / sizeof(*at))]
                                       : 4 * (unsigned)below(random, 1024);
    uint32_t values[] = {(uint32_t)below(random, 4),
                         (uint32_t)address,
                         (uint32_t)(address >> 32),
                         (uint32_t)any(random),
                         15,
                         64};
    driver_write(driver, offset, values[below(random, sizeof(values) / sizeof(*values))]);
    (void)driver_read(driver, offset & ~3U);
}

static void any_operation(uint64_t *random)
{
    unsigned which = (unsigned)below(random, device_count), n = (unsigned)below(random, QUEUES);
    struct driver *driver = &devices[which];
    struct queue *queue = &driver->queue[n];
    switch (below(random, 16)) {
    case 0:
        if (!below(random, 8))
            driver_begin(driver, queues[which], QUEUES, FEATURES & (uint32_t)any(random));
        break;
    case 1:
        queue->driver.index =
            (uint16_t)(below(random, 8) ? queue->driver.index + below(random, 4) : any(random));
        break;
    case 2:
        queue->driver.ring[below(random, SIZE)] =
            (uint16_t)(below(random, 16) ? below(random, SIZE) : any(random));
        break;
    case 3:
        if (!below(random, 4))
            any_register(random, driver);
        break;
    case 4:
        arena[below(random, ARENA_BYTES)] = (uint8_t)any(random);
        break;
    case 5:
        queue->driver.event = (uint16_t)any(random);
        queue->driver.flags = (uint16_t)below(random, 2);
        break;
    case 6:
    case 7:
    case 8:
        driver_write(driver, QUEUE_NOTIFY, below(random, 32) ? n : (uint32_t)any(random));
        break;
    case 9:
    case 10:
    case 11:
        right_request(random, driver, n);
        driver_write(driver, QUEUE_NOTIFY, n);
        break;
    default:
        any_descriptor(random, queue);
        break;
    }
}

_Noreturn static void attack(uint64_t random)
{
    csr_write(CSR_STVEC, (uint64_t)hostile_trap);
    for (;;) {
        any_operation(&random);
        uint64_t count = ++done;
        if (count % EACH == 0)
            guest_print("hostile: %u operations\n", count);
    }
}

void second_main(uint64_t hart)
{
    attack(seed * 7919 + hart + 1);
}

void hostile(uint64_t tree)
{
    seed = guest_number(tree, "seed", 0);
    seed = seed ? seed : csr_read(CSR_TIME);
    guest_print("hostile: seed=%u\n", seed);
    while (device_count < DEVICES && driver_at(&devices[device_count], tree, device_count)) {
        driver_begin(&devices[device_count], queues[device_count], QUEUES, FEATURES);
        device_count++;
    }
    guest_sbi(SBI_EXT_HSM, 0, 1, (uint64_t)second_start, (uint64_t)(stack + sizeof(stack)), 0);
    attack(seed);
}
