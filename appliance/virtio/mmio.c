/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers of a device: VIRTIO 1.2, 4.2.2, and the initialization of 3.1; version 1: 4.2.4. */
#include <string.h>

#include "appliance/print.h"
#include "appliance/virtio/device.h"

#define MAGIC 0x74726976U  /* "virt" */
#define VENDOR 0x444c4143U /* "CALD" */

enum {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SEL = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SEL = 0x024,
    GUEST_PAGE_SIZE = 0x028, /* version 1 */
    QUEUE_SEL = 0x030,
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE = 0x038,
    QUEUE_ALIGN = 0x03c, /* version 1 */
    QUEUE_PFN = 0x040,   /* version 1 */
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC = 0x080, /* low and high half; so the next two */
    QUEUE_DRIVER = 0x090,
    QUEUE_DEVICE = 0x0a0,
    SHM_LEN_LOW = 0x0b0, /* to SHM_BASE_HIGH: all ones, there is no shared memory */
    SHM_BASE_HIGH = 0x0bc,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = 0x100
};

#define INTERRUPT_USED 1U
#define INTERRUPT_CONFIG 2U
#define OURS (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)
#define LEGACY_ALIGN 4096U /* until the driver says otherwise */
#define FROM_DRIVER                                                                                \
    (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK |                  \
     VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_FAILED)

/* ---- Interrupts ------------------------------------------------------------------------------ */

/* The line follows InterruptStatus, which others may be changing: whoever comes last sets it so. */
static void set_line(struct virtio_device *device)
{
    lock_take(&device->line);
    if (device->line_open)
        cald_vm_irq(device->vm, device->irq, atomic_load(&device->isr));
    lock_release(&device->line);
}

/* Who finds the bits set need do no more: the driver clears them before it looks. */
static void interrupt(struct virtio_device *device, uint32_t bits)
{
    if ((atomic_fetch_or(&device->isr, bits) & bits) != bits)
        set_line(device);
}

void virtio_interrupt(struct virtio_device *device)
{
    interrupt(device, INTERRUPT_USED);
}

void virtio_config_changed(struct virtio_device *device)
{
    atomic_fetch_add(&device->generation, 1);
    if (atomic_load(&device->status) & VIRTIO_STATUS_DRIVER_OK)
        interrupt(device, INTERRUPT_CONFIG);
}

/* 2.1.2: the driver hears of it only if it has set DRIVER_OK. */
static void needs_reset(struct virtio_device *device, unsigned queue, const char *why)
{
    if (!atomic_exchange(&device->said, 1))
        vm_error(device->vm_name, "device %s: queue %u: %s; it waits for a reset", device->name,
                 queue, why);
    uint32_t before = atomic_fetch_or(&device->status, VIRTIO_STATUS_NEEDS_RESET);
    if (before & VIRTIO_STATUS_DRIVER_OK)
        interrupt(device, INTERRUPT_CONFIG);
}

void virtio_device_broken(struct virtio_device *device, struct virtio_queue *queue, const char *why)
{
    queue->live = false;
    queue->wrong = why;
    needs_reset(device, (unsigned)(queue - device->queue), why);
}

void virtio_settle(struct virtio_device *device, struct virtio_queue *queue)
{
    if (queue->wrong && !(atomic_load(&device->status) & VIRTIO_STATUS_NEEDS_RESET))
        needs_reset(device, (unsigned)(queue - device->queue), queue->wrong);
}

/* ---- Reset, features, queues ----------------------------------------------------------------- */

static void reset(struct virtio_device *device)
{
    for (unsigned n = 0; n < device->kind->queues; n++) {
        virtio_queue_end(&device->queue[n]);
        device->ready[n] = false;
        device->setting[n] = (struct virtio_ring){.size = VIRTIO_QUEUE_SIZE};
        device->align[n] = LEGACY_ALIGN;
        device->pfn[n] = 0;
    }
    if (device->kind->reset)
        device->kind->reset(device);
    device->offered_word = device->accepted_word = device->selected = 0;
    device->accepted = 0;
    device->page_size = LEGACY_ALIGN;
    atomic_store(&device->status, 0);
    atomic_store(&device->isr, 0);
    set_line(device);
}

static void begin_queue(struct virtio_device *device, unsigned n)
{
    const struct virtio_ring *ring = &device->setting[n];
    const char *wrong = virtio_ring_check(device->vm, ring);
    if (wrong)
        needs_reset(device, n, wrong);
    else
        virtio_queue_begin(&device->queue[n], ring, device->accepted & VIRTIO_F_INDIRECT_DESC,
                           device->accepted & VIRTIO_F_EVENT_IDX);
}

static uint64_t offered(const struct virtio_device *device)
{
    uint64_t all = device->features | OURS;
    return device->legacy ? (uint32_t)all : all;
}

/* 3.1.1, steps 5 and 6: FEATURES_OK stays only if they are a part of what is offered, and the
 * driver knows this version. */
static bool features_fit(const struct virtio_device *device)
{
    return device->accepted & VIRTIO_F_VERSION_1 && !(device->accepted & ~offered(device));
}

static void write_status(struct virtio_device *device, uint32_t value)
{
    if (!value) {
        reset(device);
        return;
    }
    uint32_t before = atomic_load(&device->status);
    uint32_t more = value & FROM_DRIVER & ~before;
    if (more & VIRTIO_STATUS_FEATURES_OK && (device->legacy || !features_fit(device)))
        more &= ~VIRTIO_STATUS_FEATURES_OK;
    if (!device->legacy && !((before | more) & VIRTIO_STATUS_FEATURES_OK))
        more &= ~VIRTIO_STATUS_DRIVER_OK;
    atomic_fetch_or(&device->status, more);
    if (device->legacy)
        return;
    for (unsigned n = 0; more & VIRTIO_STATUS_DRIVER_OK && n < device->kind->queues; n++) {
        if (device->ready[n])
            begin_queue(device, n);
    }
}

/* 4.2.2.1: once it is ready it stays so, until a reset. */
static void write_ready(struct virtio_device *device, uint32_t value)
{
    unsigned n = device->selected;
    if (device->legacy || n >= device->kind->queues || !(value & 1) || device->ready[n])
        return;
    device->ready[n] = true;
    if (atomic_load(&device->status) & VIRTIO_STATUS_DRIVER_OK)
        begin_queue(device, n);
}

static void write_features(struct virtio_device *device, uint32_t value)
{
    unsigned shift = device->accepted_word * 32;
    if (device->accepted_word > 1 || atomic_load(&device->status) & VIRTIO_STATUS_FEATURES_OK)
        return; /* 2.2.1: they don't change any more */
    device->accepted = (device->accepted & ~(0xffffffffUL << shift)) | (uint64_t)value << shift;
}

/*
 * 4.2.4 and 2.7.2: the page that a queue begins at, and everything else follows. Its driver may use
 * it before it sets DRIVER_OK (3.1.2). 0 takes it back.
 */
static void write_pfn(struct virtio_device *device, uint32_t value)
{
    unsigned n = device->selected;
    if (!device->legacy || n >= device->kind->queues)
        return;
    struct virtio_ring *ring = &device->setting[n];
    uint64_t align = device->align[n];
    virtio_queue_end(&device->queue[n]);
    device->ready[n] = value;
    device->pfn[n] = value;
    if (!value)
        return;
    device->accepted &= offered(device);
    ring->descriptors = (uint64_t)value * device->page_size;
    ring->available = ring->descriptors + 16UL * ring->size;
    ring->used = (ring->available + 6 + 2UL * ring->size + align - 1) & ~(align - 1);
    if (!align || align & (align - 1))
        needs_reset(device, n, "its alignment is no power of two");
    else
        begin_queue(device, n);
}

/* ---- Registers ------------------------------------------------------------------------------- */

/* The half of an address that a register of the selected queue is, or NULL: it is ready, and what
 * is written now has no effect. */
static uint64_t *address_at(struct virtio_device *device, uint64_t offset)
{
    unsigned n = device->selected;
    if (n >= device->kind->queues || device->ready[n] || device->legacy)
        return NULL;
    struct virtio_ring *ring = &device->setting[n];
    switch (offset & ~4UL) {
    case QUEUE_DESC:
        return &ring->descriptors;
    case QUEUE_DRIVER:
        return &ring->available;
    case QUEUE_DEVICE:
        return &ring->used;
    default:
        return NULL;
    }
}

static void write_half(uint64_t *address, bool high, uint32_t value)
{
    if (high)
        *address = (uint32_t)*address | (uint64_t)value << 32;
    else
        *address = (*address & ~0xffffffffUL) | value;
}

static void write_register(struct virtio_device *device, uint64_t offset, uint32_t value)
{
    unsigned n = device->selected;
    uint64_t *address = address_at(device, offset);
    switch (offset) {
    case DEVICE_FEATURES_SEL:
        device->offered_word = value;
        break;
    case DRIVER_FEATURES:
        write_features(device, value);
        break;
    case DRIVER_FEATURES_SEL:
        device->accepted_word = value;
        break;
    case QUEUE_SEL:
        device->selected = value;
        break;
    case QUEUE_SIZE:
        if (n < device->kind->queues && !device->ready[n])
            device->setting[n].size = value;
        break;
    case GUEST_PAGE_SIZE:
        device->page_size = value;
        break;
    case QUEUE_ALIGN:
        if (n < device->kind->queues)
            device->align[n] = value;
        break;
    case QUEUE_PFN:
        write_pfn(device, value);
        break;
    case QUEUE_READY:
        write_ready(device, value);
        break;
    case INTERRUPT_ACK:
        atomic_fetch_and(&device->isr, ~value);
        set_line(device);
        break;
    case STATUS:
        write_status(device, value);
        break;
    default:
        if (address)
            write_half(address, offset & 4, value);
        break;
    }
}

static uint32_t read_register(const struct virtio_device *device, uint64_t offset)
{
    unsigned n = device->selected;
    switch (offset) {
    case MAGIC_VALUE:
        return MAGIC;
    case VERSION:
        return device->legacy ? 1 : 2;
    case DEVICE_ID:
        return device->kind->id;
    case VENDOR_ID:
        return VENDOR;
    case DEVICE_FEATURES:
        return device->offered_word > 1 ? 0
                                        : (uint32_t)(offered(device) >> 32 * device->offered_word);
    case QUEUE_SIZE_MAX:
        return n < device->kind->queues ? VIRTIO_QUEUE_SIZE : 0;
    case QUEUE_READY:
        return !device->legacy && n < device->kind->queues && device->ready[n];
    case QUEUE_PFN:
        return n < device->kind->queues ? device->pfn[n] : 0;
    case INTERRUPT_STATUS:
        return atomic_load(&device->isr);
    case STATUS:
        return atomic_load(&device->status);
    case CONFIG_GENERATION:
        return atomic_load(&device->generation);
    default:
        return offset >= SHM_LEN_LOW && offset <= SHM_BASE_HIGH ? UINT32_MAX : 0;
    }
}

/* 4.2.2.2: registers by 32 bits; the configuration space by any width, and behind its end are
 * zeros. */
static int mmio_read(void *of, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                     uint64_t *value)
{
    struct virtio_device *device = of;
    (void)vcpu;
    *value = 0;
    if (offset >= CONFIG) {
        if (offset - CONFIG + width <= device->config_bytes)
            memcpy(value, (const uint8_t *)device->config + offset - CONFIG, width);
        return CALD_OK;
    }
    if (width != 4 || offset & 3)
        return CALD_EFAULT;
    lock_take(&device->lock);
    *value = read_register(device, offset);
    lock_release(&device->lock);
    return CALD_OK;
}

static int kick(struct virtio_device *device, uint32_t n)
{
    if (n >= device->kind->queues)
        return CALD_OK;
    struct virtio_queue *queue = &device->queue[n];
    lock_take(&queue->lock);
    bool more = queue->live && device->kind->kicked(device, n), wrong = queue->wrong;
    virtio_settle(device, queue);
    lock_release(&queue->lock);
    return more && !wrong ? CALD_EBUSY : CALD_OK;
}

static int mmio_write(void *of, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                      uint64_t value)
{
    struct virtio_device *device = of;
    (void)vcpu;
    if (offset >= CONFIG)
        return CALD_OK; /* it has nothing for the driver to write */
    if (width != 4 || offset & 3)
        return CALD_EFAULT;
    if (offset == QUEUE_NOTIFY)
        return kick(device, (uint32_t)value);
    lock_take(&device->lock);
    write_register(device, offset, (uint32_t)value);
    lock_release(&device->lock);
    if (offset == STATUS && !(uint32_t)value && device->kind->ready && !device->kind->ready(device))
        return CALD_EBUSY; /* a reset does no harm twice */
    return CALD_OK;
}

/* ---- A VM's lives ---------------------------------------------------------------------------- */

static const struct cald_region_ops ops = {mmio_read, mmio_write};

int virtio_device_add(struct virtio_device *device)
{
    for (unsigned n = 0; n < device->kind->queues; n++)
        device->queue[n].vm = device->vm;
    return cald_vm_region(device->vm, device->name, device->base, VIRTIO_MMIO_SIZE, &ops, device);
}

static void set_open(struct virtio_device *device, bool open)
{
    lock_take(&device->line);
    device->line_open = open;
    lock_release(&device->line);
}

void virtio_device_attach(struct virtio_device *device)
{
    set_open(device, true);
    lock_take(&device->lock);
    reset(device);
    lock_release(&device->lock);
    atomic_store(&device->generation, 0);
    atomic_store(&device->said, 0);
}

void virtio_device_detach(struct virtio_device *device)
{
    set_open(device, false);
    lock_take(&device->lock);
    reset(device);
    lock_release(&device->lock);
}
