/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole VM: four vCPUs whose guest code is the input (SBI calls, loads and stores to devices, CSR
 * instructions, waits, traps, with any registers), a disk, a network's port and an entropy device,
 * and another thread that writes the guest's memory all the while, mostly where rings and requests
 * lie: as other vCPUs would. The vCPUs take turns in one thread, so that an input does the same
 * again, but for what that other thread does.
 */
#include "tests/fuzz/guests.h"

#include <pthread.h>

#include "tests/unit/guests.h"

#include "appliance/virtio/virtio.h"
#include "caldarium/caldarium.h"
#include "caldarium/devices.h"

#define MIB 1
#define PC (GUEST_RAM + 0x1000)
#define HANDLER (GUEST_RAM + 0x2000)
#define DISK 8192U
#define KEEP 4096U
#define SIZE 8U /* of each ring */
#define DEVICES 3U
#define RINGS(device) (GUEST_RAM + 0x10000UL * (1 + (device)))
#define TABLE(device) (RINGS(device) + 0x3000)
#define DATA(device) (RINGS(device) + 0x4000)

/* ---- The other thread ------------------------------------------------------------------------ */

static uint8_t *ram;

static void *put_word(uint64_t gpa)
{
    return ram + (gpa - GUEST_RAM);
}

/* What a driver of devices may have there, and now and then may not: a device that finds that is
 * broken until it begins anew. It is no part of what the fuzzer sees as covered. */
__attribute__((no_sanitize("coverage"))) static void scribble(uint64_t random)
{
    unsigned device = (unsigned)(random >> 8) % DEVICES, n = (unsigned)(random >> 16) % SIZE;
    uint64_t rings = RINGS(device), word = random >> 32;
    bool wild = !(random >> 24 & 0x3f);
    switch (random & 15) {
    case 0:
        __atomic_store_n((uint32_t *)put_word(rings + 16 * n + 8),
                         wild ? (uint32_t)word : 16U << (word & 7), __ATOMIC_RELAXED);
        break;
    case 1:
        if (wild)
            __atomic_store_n((uint32_t *)put_word(rings + 16 * n + 12), (uint32_t)word & 0xf0007,
                             __ATOMIC_RELAXED);
        break;
    case 2:
        __atomic_store_n((uint64_t *)put_word(rings + 16 * n),
                         DATA(device) + (word & 3) * 4096 + (wild ? word : 0), __ATOMIC_RELAXED);
        break;
    case 3:
        if (wild)
            __atomic_store_n((uint16_t *)put_word(rings + 0x1002), (uint16_t)word,
                             __ATOMIC_RELAXED);
        break;
    default: /* a request's sector: one of the disk's, or far beyond */
        __atomic_store_n((uint64_t *)put_word(DATA(0) + (n & 3) * 4096 + 8),
                         word & 1 ? word >> 1 & 15 : word << 20, __ATOMIC_RELAXED);
        break;
    }
}

/* From the first input on. */
__attribute__((no_sanitize("coverage"))) static void *writer(void *argument)
{
    uint64_t random = 88172645463325252UL;
    (void)argument;
    for (;;) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        scribble(random);
    }
    return NULL;
}

/* ---- The guest ------------------------------------------------------------------------------- */

static const uint64_t extensions[] = {SBI_EXT_BASE, SBI_EXT_TIME, SBI_EXT_IPI,       SBI_EXT_RFENCE,
                                      SBI_EXT_HSM,  SBI_EXT_SRST, SBI_EXT_PMU,       SBI_EXT_DBCN,
                                      SBI_EXT_SUSP, SBI_EXT_STA,  SBI_EXT_CALDARIUM, 0};
static struct input *in;
static unsigned runs;
static struct {
    struct exit exit;
    uint64_t gpr[32];
} before;

static uint64_t value(void)
{
    unsigned what = (unsigned)input_number(in, 1);
    switch (what & 3) {
    case 0:
        return what >> 2;
    case 1:
        return GUEST_RAM + (input_number(in, 3) & 0x1fffff);
    case 2:
        return UINT64_MAX - (what >> 2);
    default:
        return input_number(in, 8);
    }
}

/* Where something is: a device's register, or nothing. */
static uint64_t device_address(void)
{
    static const uint64_t bases[] = {
        GUEST_SLOTS_BASE, GUEST_SLOTS_BASE + 0x1000, GUEST_SLOTS_BASE + 0x2000,
        GUEST_UART_BASE,  GUEST_PLIC_BASE,           GUEST_PLIC_BASE + 0x200000,
        GUEST_APLIC_BASE, GUEST_IMSIC_BASE,          GUEST_PCI_BASE,
        0x50000000};
    unsigned what = (unsigned)input_number(in, 1);
    uint64_t base = bases[what % (sizeof(bases) / sizeof(*bases))];
    return base + (what & 0x80 ? input_number(in, 2) : input_number(in, 1) * 4);
}

static void access_of(struct exit *exit, unsigned what)
{
    exit->reason = EXIT_MMIO;
    exit->gpa = device_address();
    exit->access = (struct riscv_access){.store = what & 1,
                                         .width = (uint8_t)(1 << (what >> 1 & 3)),
                                         .reg = (uint8_t)(what >> 3 & 31),
                                         .insn_bytes = what & 1 ? 2 : 4};
}

/* A kick of a queue. */
static void kick(struct exit *exit, unsigned what, uint64_t *gpr)
{
    exit->reason = EXIT_MMIO;
    exit->gpa = GUEST_SLOTS_BASE + 0x1000UL * (what % DEVICES) + 0x50;
    exit->access = (struct riscv_access){.store = true, .width = 4, .reg = 12, .insn_bytes = 4};
    gpr[12] = what >> 7;
}

/* The guest writes its own memory: a descriptor, a request's header, an entry of the ring. */
static void write_own(unsigned what)
{
    static const uint32_t sizes[] = {16, 1, 512, 513, 1024, 48, 4096, 12};
    unsigned device = what % DEVICES, how = (unsigned)input_number(in, 1), n = how & 7;
    uint64_t rings = RINGS(device) + (what & 0x80 ? 0x8000 : 0);
    uint16_t index;
    struct {
        uint64_t gpa;
        uint32_t bytes;
        uint16_t flags, next;
    } descriptor = {DATA(device) + (how >> 3 & 3) * 4096, sizes[how >> 5],
                    (uint16_t)(input_number(in, 1) & 7), (uint16_t)((n + 1) % SIZE)};
    if (descriptor.flags & 4)
        descriptor.gpa = TABLE(device);
    switch (what >> 2 & 3) {
    case 0:
        memcpy(put_word(rings + 16 * n), &descriptor, sizeof(descriptor));
        break;
    case 1:
        memcpy(put_word(TABLE(device) + 16 * n), &descriptor, sizeof(descriptor));
        break;
    case 2:
        memset(put_word(DATA(device) + (n & 3) * 4096), 0, 16);
        *(uint8_t *)put_word(DATA(device) + (n & 3) * 4096) = how >> 5 & 1;
        break;
    default:
        memcpy(&index, put_word(rings + 0x1002), 2);
        *(uint8_t *)put_word(rings + 0x1004 + 2UL * (index % SIZE)) = (uint8_t)n;
        index++;
        memcpy(put_word(rings + 0x1002), &index, 2);
        break;
    }
}

/* In the place of a hart: what the guest's next instruction is. */
static void instruction(struct cald_vcpu *vcpu)
{
    static const enum exit_reason others[] = {EXIT_ILLEGAL, EXIT_FETCH_FAULT, EXIT_UNDECODED,
                                              EXIT_BREAKPOINT};
    struct exit *exit = &guest_exit;
    uint64_t *gpr = vcpu->eng.gpr;
    unsigned what = (unsigned)input_number(in, 1), more = (unsigned)input_number(in, 1);
    REQUIRE(atomic_load(&vcpu->hsm) == SBI_HSM_STARTED && vcpu->eng.loaded);
    runs++;
    *exit = (struct exit){.reason = EXIT_INTERRUPT};
    vcpu->eng.pc = PC;
    for (unsigned n = what >> 6; n; n--)
        gpr[input_number(in, 1) & 31] = value();
    gpr[0] = 0;
    switch (what & 7) {
    case 0:
        gpr[17] = extensions[more % (sizeof(extensions) / sizeof(*extensions))];
        gpr[17] = gpr[17] ? gpr[17] : more >> 4;
        gpr[16] = more >> 4;
        for (unsigned n = 10; n < 13; n++)
            gpr[n] = value();
        exit->reason = EXIT_SBI;
        break;
    case 1:
        access_of(exit, more);
        break;
    case 2:
        kick(exit, more, gpr);
        break;
    case 3:
        exit->reason = EXIT_CSR;
        exit->insn = 0x73U | ((more & 3) + 1) << 12 | (more >> 2 & 31) << 7 |
                     (uint32_t)input_number(in, 2) << 16;
        break;
    case 4:
        exit->reason = EXIT_WFI;
        exit->insn = more & 1 ? INSN_WFI : 0x00d00073;
        break;
    case 5:
        exit->reason = others[more % 4];
        exit->cause = more & 8 ? CAUSE_LOAD_GUEST_PAGE : CAUSE_INSN_ACCESS;
        exit->gva = value();
        break;
    default:
        write_own(more);
        break;
    }
    before.exit = *exit;
    memcpy(before.gpr, gpr, sizeof(before.gpr));
}

/* What the exit may have changed of the vCPU that ran. */
static bool may_change(unsigned n)
{
    const struct exit *exit = &before.exit;
    switch (exit->reason) {
    case EXIT_SBI:
        return n == 10 || n == 11;
    case EXIT_MMIO:
        return !exit->access.store && n == exit->access.reg;
    case EXIT_CSR:
        return n == (exit->insn >> 7 & 31);
    default:
        return false;
    }
}

static void registers_hold(const struct cald_vcpu *vcpu)
{
    uint64_t pc = vcpu->eng.pc;
    for (unsigned n = 0; n < 32; n++)
        REQUIRE(vcpu->eng.gpr[n] == before.gpr[n] || (n && may_change(n)));
    REQUIRE(pc == PC || pc == PC + 4 || pc == HANDLER ||
            (before.exit.reason == EXIT_MMIO && pc == PC + before.exit.access.insn_bytes));
}

/* ---- The VM ---------------------------------------------------------------------------------- */

static uint8_t image[DISK];

static bool is_free(const struct lock *lock)
{
    return lock->next == lock->serving;
}

static void vm_holds(void)
{
    for (unsigned d = 0; d < guest_vm.virtio_count; d++) {
        const struct virtio_device *device = guest_vm.virtio[d];
        REQUIRE(is_free(&device->lock) && is_free(&device->line));
        for (unsigned q = 0; q < VIRTIO_QUEUES; q++)
            REQUIRE(is_free(&device->queue[q].lock));
    }
    for (unsigned n = 0; n < GUEST_VCPUS; n++)
        REQUIRE(atomic_load(&guest_vcpus[n].hsm) <= HSM_START_CLAIMED);
    REQUIRE(guest->uart.lock.next == guest->uart.lock.serving);
}

static void drive(const struct virtio_device *device, uint64_t offset, uint64_t number)
{
    bus_write(&guest->bus, NULL, device->base + offset, 4, (uint32_t)number);
}

/* As its driver does it (VIRTIO 1.2, 3.1.1). */
static void begin_device(unsigned d)
{
    const struct virtio_device *device = guest_vm.virtio[d];
    drive(device, 0x70, 0);
    drive(device, 0x70, 3);
    drive(device, 0x24, 1);
    drive(device, 0x20, 1);
    drive(device, 0x24, 0);
    drive(device, 0x20, device->features & UINT32_MAX);
    drive(device, 0x70, 11);
    for (unsigned q = 0; q < device->kind->queues; q++) {
        uint64_t rings = RINGS(d) + 0x8000UL * q;
        drive(device, 0x30, q);
        drive(device, 0x38, SIZE);
        drive(device, 0x80, rings);
        drive(device, 0x90, rings + 0x1000);
        drive(device, 0xa0, rings + 0x2000);
        drive(device, 0x44, 1);
    }
    drive(device, 0x70, 15);
}

static void begin_vm(void)
{
    cald_vm_reset(guest);
    for (unsigned d = 0; d < guest_vm.virtio_count; d++) {
        virtio_device_detach(guest_vm.virtio[d]);
        virtio_device_attach(guest_vm.virtio[d]);
        begin_device(d);
    }
    REQUIRE(!cald_vm_start(guest, PC, 0));
}

/* Its paging is off. */
static bool peek(struct engine_vcpu *v, uint64_t gva, uint8_t *byte)
{
    (void)v;
    return vm_read(guest, gva, byte, 1);
}

static void make(void)
{
    static struct engine_ops engine;
    static const struct config_virtio devices[DEVICES] = {
        {.name = "disk",
         .kind = CONFIG_VIRTIO_BLOCK,
         .image = {"disk", image, DISK},
         .copy_on_write = KEEP},
        {.name = "net", .kind = CONFIG_VIRTIO_NET, .network = "lan", .mtu = 1500},
        {.name = "seeds", .kind = CONFIG_VIRTIO_ENTROPY}};
    pthread_t thread;
    engine = fake_engine;
    engine.peek = peek;
    guest_engine = &engine;
    guest_configure(MIB);
    guest_config.console = CONSOLE_UART;
    memcpy(guest_config.virtio, devices, sizeof(devices));
    guest_config.virtio_count = DEVICES;
    /* Between runs nobody waits for a vCPU. */
    guest_machine.told.flags &= ~CALD_MACHINE_KICKS_ARE_OURS;
    virtio_resolve(&guest_vm, &guest_config);
    REQUIRE(guest_vm.virtio_count == DEVICES);
    guest_make();
    REQUIRE(!memory_take(&guest_vm));
    ram = cald_vm_ram(guest, GUEST_RAM, MIB * GUEST_MIB);
    REQUIRE(ram);
    guest_handler = HANDLER;
    guest_in = instruction;
    REQUIRE(!pthread_create(&thread, NULL, writer, NULL));
}

/* One run of one vCPU, and what its host does then. */
static void step(void)
{
    unsigned what = (unsigned)input_number(in, 1), ran = runs;
    struct cald_vcpu *vcpu = &guest_vcpus[what & 3];
    struct cald_exit exit = {0};
    sim_time += what >> 4;
    if (what & 4)
        cald_vm_irq(guest, 1 + (what >> 3), what & 8);
    if ((what & 0xc8) == 0xc8)
        cald_vcpu_request(vcpu);
    enum cald_why why = CALD_AGAIN;
    for (unsigned n = 0; n < 8 && why == CALD_AGAIN && runs == ran; n++) /* its start, its mail */
        why = cald_vcpu_run(vcpu, what & 3, &exit);
    if (runs != ran)
        registers_hold(vcpu);
    switch (why) {
    case CALD_MMIO:
    case CALD_SBI:
    case CALD_CSR_ACCESS:
        cald_vcpu_complete(vcpu, what & 0x80 ? 0 : CALD_ENOENT, what);
        break;
    case CALD_FAULT:
        REQUIRE(exit.text && *exit.text);
        begin_vm();
        break;
    case CALD_RESET:
    case CALD_OFF:
        begin_vm();
        break;
    case CALD_YIELD: /* a queue with more to do, or the console's line is full: again */
        sim_console_bytes = 0;
        break;
    default:
        break;
    }
    if (what & 0x10)
        cald_vcpu_put(vcpu);
    vm_holds();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct input input = {data, bytes};
    in = &input;
    if (!ram)
        make();
    memset(ram, 0, RINGS(DEVICES) - GUEST_RAM);
    sim_message_bytes = sim_console_bytes = 0;
    begin_vm();
    while (input.left)
        step();
    for (unsigned n = 0; n < GUEST_VCPUS; n++)
        cald_vcpu_put(&guest_vcpus[n]);
    for (unsigned n = 0; n < DISK; n++)
        REQUIRE(!image[n]);
    return 0;
}
