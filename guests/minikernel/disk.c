/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtio 1.2, 4.2 (MMIO, modern and legacy) and 5.2 (block device): one request at a time. */
#include "guests/common/virtio.h"
#include "guests/minikernel/mini.h"

#define VIRTIO_MAGIC 0x74726976
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8
#define DESC_NEXT 1
#define DESC_WRITE 2
#define QUEUE 8

/* The layout that a legacy device wants: descriptors and available ring, used ring on the next
 * page. */
static struct {
    struct {
        uint64_t address;
        uint32_t bytes;
        uint16_t flags, next;
    } desc[QUEUE];
    struct {
        uint16_t flags, index, ring[QUEUE], event;
    } driver;
    uint8_t fill[4096 - QUEUE * 16 - 6 - QUEUE * 2];
    volatile struct {
        uint16_t flags, index;
        struct {
            uint32_t id, bytes;
        } ring[QUEUE];
    } device;
} queue __attribute__((aligned(4096)));

static struct {
    uint32_t type, reserved;
    uint64_t sector;
} request;
static volatile uint8_t status;

uint32_t disk_irq;
static volatile uint8_t *base;

static volatile uint32_t *reg(unsigned offset)
{
    return (volatile uint32_t *)(base + offset);
}

static void set_address(unsigned at, const volatile void *address)
{
    *reg(at) = (uint32_t)(uint64_t)address;
    *reg(at + 4) = (uint32_t)((uint64_t)address >> 32);
}

static void start(bool legacy)
{
    *reg(STATUS) = 0;
    *reg(STATUS) = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    *reg(DRIVER_FEATURES_SEL) = 0;
    *reg(DRIVER_FEATURES) = 0;
    if (!legacy) {
        *reg(DRIVER_FEATURES_SEL) = 1;
        *reg(DRIVER_FEATURES) = 1; /* VIRTIO_F_VERSION_1 */
        *reg(STATUS) |= STATUS_FEATURES_OK;
    }
    *reg(QUEUE_SEL) = 0;
    *reg(QUEUE_NUM) = QUEUE;
    if (legacy) {
        *reg(GUEST_PAGE_SIZE) = 4096;
        *reg(QUEUE_ALIGN) = 4096;
        *reg(QUEUE_PFN) = (uint32_t)((uint64_t)&queue >> 12);
    } else {
        set_address(QUEUE_DESC, queue.desc);
        set_address(QUEUE_DRIVER, &queue.driver);
        set_address(QUEUE_DEVICE, &queue.device);
        *reg(QUEUE_READY) = 1;
    }
    *reg(STATUS) |= STATUS_DRIVER_OK;
}

bool disk_init(uint64_t tree)
{
    struct guest_node node;
    for (unsigned n = 0; guest_tree_find(tree, "virtio,mmio", n, &node); n++) {
        base = (volatile uint8_t *)node.base;
        if (*reg(MAGIC) != VIRTIO_MAGIC || *reg(DEVICE_ID) != 2)
            continue;
        start(*reg(VERSION) == 1);
        disk_irq = node.interrupt;
        plic_enable(disk_irq);
        return true;
    }
    base = 0;
    return false;
}

uint64_t disk_sectors(void)
{
    return base ? *reg(CONFIG) | (uint64_t)*reg(CONFIG + 4) << 32 : 0;
}

void disk_interrupt(void)
{
    *reg(INTERRUPT_ACK) = *reg(INTERRUPT_STATUS);
}

static void describe(unsigned n, const volatile void *data, uint32_t bytes, uint16_t flags)
{
    queue.desc[n].address = (uint64_t)data;
    queue.desc[n].bytes = bytes;
    queue.desc[n].flags = flags;
    queue.desc[n].next = (uint16_t)(n + 1);
}

/* Waits for the interrupt, not only for the ring: both have to work. */
bool disk_transfer(uint64_t sector, void *data, bool write)
{
    if (sector >= disk_sectors())
        return false;
    uint16_t before = queue.device.index;
    request.type = write;
    request.sector = sector;
    status = 0xff;
    describe(0, &request, sizeof(request), DESC_NEXT);
    describe(1, data, 512, (uint16_t)(DESC_NEXT | (write ? 0 : DESC_WRITE)));
    describe(2, &status, 1, DESC_WRITE);
    queue.driver.ring[queue.driver.index % QUEUE] = 0;
    __sync_synchronize();
    queue.driver.index++;
    __sync_synchronize();
    *reg(QUEUE_NOTIFY) = 0;
    while (queue.device.index == before) {
        wait_for_interrupt();
        trap_serve();
    }
    __sync_synchronize();
    return status == 0;
}
