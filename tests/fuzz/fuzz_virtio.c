/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio disk and its driver: registers, rings, chains, kicks, in any order, and words of the
 * guest's memory changed at will. */
#include "tests/fuzz/fuzz.h"

#include "appliance/virtio/block.h"
#include "caldarium/host.h"
#include "lib/machine/machine.h"
#include "lib/vm/vm.h"

#define RAM 0x80000000UL
#define RAM_BYTES 0x20000UL
#define SLOT 0x10001000UL
#define IRQ 1U
#define SIZE 8U /* of the driver's ring, where the input has no other */
#define DESC RAM
#define AVAIL (RAM + 0x1000)
#define USED (RAM + 0x2000)
#define TABLE (RAM + 0x3000)
#define DATA (RAM + 0x8000)
#define DISK 40960U
#define KEEP 16384U
#define TURNS 1024U /* of one kick: 256 requests of the whole disk and their cost take fewer */

static int vm_init(struct engine_vm *vm)
{
    (void)vm;
    return 0;
}

static void vm_fini(struct engine_vm *vm)
{
    memory_empty(&vm->memory);
}

static void vector_room(struct engine_vcpu *v, void *room)
{
    (void)v, (void)room;
}

static void of_vcpu(struct engine_vcpu *v)
{
    (void)v;
}

static void reset(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    (void)v, (void)pc, (void)a0, (void)a1;
}

static const struct engine_ops ops = {.name = "none",
                                      .vm_init = vm_init,
                                      .vm_fini = vm_fini,
                                      .vector_room = vector_room,
                                      .vcpu_reset = reset,
                                      .forget = of_vcpu};

const struct engine_ops *engine_by(enum cald_engine engine)
{
    (void)engine;
    return &ops;
}

static struct cald_machine machine;
static struct cald_vm *vm;
static struct virtio_block block;
static struct virtio_device *const device = &block.device;
static uint8_t *ram, image[DISK];

static void make(void)
{
    struct cald_vm_params params = {.name = "fuzz",
                                    .vcpus = 1,
                                    .engine = CALD_ENGINE_H,
                                    .irqchip = CALD_IRQCHIP_PLIC,
                                    .plic_base = 0x0c000000,
                                    .aplic_base = CALD_NOWHERE,
                                    .imsic_base = CALD_NOWHERE,
                                    .uart_base = CALD_NOWHERE,
                                    .irq_sources = 31,
                                    .gpa_end = 1UL << 32};
    sim_reset();
    machine.told =
        (struct cald_machine_params){.harts = 1, .flags = CALD_MACHINE_H, .gstage_modes = 1 << 3};
    ram = host_pages_alloc(RAM_BYTES, HOST_PAGE_SIZE);
    for (unsigned n = 0; n < DISK; n++)
        image[n] = (uint8_t)(n / 512 * 7 + n);
    REQUIRE(!cald_vm_create(&machine, &params, &vm));
    REQUIRE(!cald_vm_slot(vm, 0, RAM, RAM_BYTES, ram, CALD_SLOT_PRIVATE));
    REQUIRE(virtio_block_make(&block, "disk", image, DISK, KEEP));
    device->vm = vm;
    device->vm_name = "fuzz";
    device->name = "disk";
    device->base = SLOT;
    device->irq = IRQ;
    REQUIRE(!virtio_device_add(device));
}

static void write_register(uint64_t offset, uint32_t value)
{
    bus_write(&vm->bus, NULL, SLOT + offset, 4, value);
}

/* As a driver does it, with the features that the input wants. */
static void begin(uint32_t features)
{
    static const struct {
        uint16_t offset;
        uint32_t value;
    } steps[] = {{0x70, 0},    {0x70, 3},
                 {0x24, 1},    {0x20, 1},
                 {0x24, 0},    {0x20, 0},
                 {0x70, 11},   {0x30, 0},
                 {0x38, SIZE}, {0x80, (uint32_t)DESC},
                 {0x84, 0},    {0x90, (uint32_t)AVAIL},
                 {0x94, 0},    {0xa0, (uint32_t)USED},
                 {0xa4, 0},    {0x44, 1},
                 {0x70, 15}};
    for (unsigned n = 0; n < sizeof(steps) / sizeof(*steps); n++)
        write_register(steps[n].offset, n == 5 ? features & 0x30000000 : steps[n].value);
}

/* A driver of version 1. */
static void begin_legacy(void)
{
    write_register(0x70, 0);
    write_register(0x70, 3);
    write_register(0x20, 0x30000000);
    write_register(0x38, SIZE);
    write_register(0x40, (uint32_t)(DESC / 4096));
    write_register(0x70, 7);
}

static void put(uint64_t gpa, uint64_t value, unsigned bytes)
{
    memcpy(ram + (gpa - RAM) % (RAM_BYTES - 8), &value, bytes);
}

static void descriptor(struct input *in, uint64_t table)
{
    unsigned which = (unsigned)input_number(in, 1), how = (unsigned)input_number(in, 1);
    static const uint32_t sizes[] = {16, 1, 512, 4096, 48, 24, 40960, 0};
    uint64_t at = table + 16 * (which % SIZE);
    uint64_t gpa = how & 0x40 ? TABLE : DATA + (how >> 4 & 3) * 4096;
    uint32_t bytes = sizes[how & 7];
    if (how & 0x80) {
        gpa = input_number(in, 8);
        bytes = (uint32_t)input_number(in, 4);
    }
    put(at, gpa, 8);
    put(at + 8, bytes, 4);
    put(at + 12, which >> 6 | (how & 8) >> 1, 2);
    put(at + 14, which >> 3 & 7, 2);
}

/* A request's header where descriptors lead. */
static void header(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    static const uint32_t types[] = {0, 1, 4, 8};
    put(DATA + (what >> 2 & 3) * 4096, types[what & 3], 8);
    put(DATA + (what >> 2 & 3) * 4096 + 8, what >> 4 ? (what >> 4) * 8U : input_number(in, 8), 8);
}

static void add(unsigned head)
{
    uint16_t index;
    memcpy(&index, ram + (AVAIL - RAM) + 2, 2);
    put(AVAIL + 4 + 2 * (index % SIZE), head % SIZE, 2);
    put(AVAIL + 2, index + 1U, 2);
}

static void kick(uint32_t queue)
{
    unsigned turns = 0;
    while (bus_write(&vm->bus, NULL, SLOT + 0x50, 4, queue) == CALD_EBUSY)
        REQUIRE(++turns < TURNS);
}

static void step(struct input *in)
{
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t value;
    switch (what % 12) {
    case 0:
        device->legacy = what & 0x40;
        if (device->legacy)
            begin_legacy();
        else
            begin(what & 0x80 ? 0 : 0x30000000);
        break;
    case 1:
        write_register(input_number(in, 1), (uint32_t)input_number(in, 4));
        break;
    case 2:
        bus_read(&vm->bus, NULL, SLOT + input_number(in, 2) % 0x1000, 1U << (what >> 6), &value);
        break;
    case 3:
        bus_write(&vm->bus, NULL, SLOT + input_number(in, 2) % 0x1000, 1U << (what >> 6), what);
        break;
    case 4:
        put(RAM + input_number(in, 3), input_number(in, 8), 1U << (what >> 6));
        break;
    case 5:
    case 6:
        descriptor(in, DESC);
        break;
    case 7:
        descriptor(in, TABLE);
        break;
    case 8:
        header(in);
        break;
    case 9:
        add(what / 12);
        kick(0);
        break;
    case 10:
        add(what / 12);
        break;
    case 11:
        kick(what & 0x80 ? (uint32_t)input_number(in, 4) : 0);
        break;
    }
}

static bool is_free(const struct lock *lock)
{
    return lock->next == lock->serving;
}

static void look(void)
{
    const struct virtio_queue *queue = &device->queue[0];
    uint64_t line = 0;
    REQUIRE(is_free(&device->lock) && is_free(&device->line) && is_free(&queue->lock));
    REQUIRE(!cald_vm_get(vm, CALD_PLIC + CALD_PLIC_LEVEL, &line));
    REQUIRE((line >> IRQ & 1) == (device->isr != 0));
    REQUIRE(!(queue->live && queue->wrong));
    REQUIRE(!queue->live || (uint16_t)(queue->taken - queue->given) <= 1);
    REQUIRE(block.spent < 2 * VIRTIO_TURN_BYTES + 2 * BLOCK_PAGE);
    REQUIRE(block.kept_pages <= block.room && block.room == KEEP / BLOCK_PAGE);
    REQUIRE(block.chain.parts <= VIRTIO_QUEUE_SIZE && block.chain.readable <= block.chain.parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input in = {data, bytes};
    if (!vm)
        make();
    memset(ram, 0, RAM_BYTES);
    memset(block.place, 0, DISK / BLOCK_PAGE * sizeof(*block.place));
    block.kept_pages = 0;
    device->legacy = false;
    virtio_device_attach(device);
    begin(0x30000000);
    while (in.left) {
        step(&in);
        look();
    }
    virtio_device_detach(device);
    for (unsigned n = 0; n < DISK; n++)
        REQUIRE(image[n] == (uint8_t)(n / 512 * 7 + n));
    return 0;
}
