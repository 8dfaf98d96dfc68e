/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver of one virtqueue, as a guest has it, for tests: the ring lies in the guest's memory. */
#ifndef TESTS_UNIT_VIRTIO_DRIVER_H
#define TESTS_UNIT_VIRTIO_DRIVER_H

#include "tests/unit/guests.h"

#include "appliance/virtio/device.h"

#define DRIVER_SIZE 8U
#define DRIVER_DESC GUEST_RAM
#define DRIVER_AVAIL (GUEST_RAM + 0x1000)
#define DRIVER_USED (GUEST_RAM + 0x2000)
#define DRIVER_TABLE (GUEST_RAM + 0x3000)
#define DRIVER_DATA (GUEST_RAM + 0x10000)
#define DRIVER_APART 0x4000UL /* from one queue's to the next one's */
#define D_NEXT 1u
#define D_WRITE 2u
#define D_INDIRECT 4u

struct driver_desc {
    uint64_t gpa;
    uint32_t bytes;
    uint16_t flags, next;
};

static inline void driver_poke(uint64_t gpa, uint64_t value, unsigned bytes)
{
    assert_int_equal(cald_vm_write(guest, gpa, &value, bytes), CALD_OK);
}

static inline uint64_t driver_peek(uint64_t gpa, unsigned bytes)
{
    uint64_t value = 0;
    assert_int_equal(cald_vm_read(guest, gpa, &value, bytes), CALD_OK);
    return value;
}

static inline void driver_desc_at(uint64_t table, unsigned n, uint64_t gpa, uint32_t bytes,
                                  unsigned flags, unsigned next)
{
    struct driver_desc desc = {gpa, bytes, (uint16_t)flags, (uint16_t)next};
    assert_int_equal(cald_vm_write(guest, table + 16 * n, &desc, sizeof(desc)), CALD_OK);
}

static inline void driver_desc(unsigned n, uint64_t gpa, uint32_t bytes, unsigned flags,
                               unsigned next)
{
    driver_desc_at(DRIVER_DESC, n, gpa, bytes, flags, next);
}

/* Makes the chain that begins with `head` available in a queue, as the driver's next one. */
static inline void driver_add_to(unsigned queue, unsigned head)
{
    uint64_t avail = DRIVER_AVAIL + queue * DRIVER_APART;
    uint64_t index = driver_peek(avail + 2, 2);
    driver_poke(avail + 4 + 2 * (index % DRIVER_SIZE), head, 2);
    driver_poke(avail + 2, index + 1, 2);
}

static inline void driver_add(unsigned head)
{
    driver_add_to(0, head);
}

static inline unsigned driver_used_index(void)
{
    return (unsigned)driver_peek(DRIVER_USED + 2, 2);
}

static inline struct virtio_ring driver_ring(void)
{
    return (struct virtio_ring){DRIVER_DESC, DRIVER_AVAIL, DRIVER_USED, DRIVER_SIZE};
}

/* The device becomes the guest's, at a place of its own. */
static inline void driver_attach(struct virtio_device *device, const char *name)
{
    device->vm = guest;
    device->vm_name = "web";
    device->name = name;
    device->base = 0x50000000;
    device->irq = 3;
    assert_int_equal(virtio_device_add(device), CALD_OK);
    virtio_device_attach(device);
}

/* ---- Through the registers ------------------------------------------------------------------- */

static inline uint32_t driver_read(const struct virtio_device *device, unsigned offset)
{
    uint64_t value;
    assert_int_equal(bus_read(&guest->bus, NULL, device->base + offset, 4, &value), CALD_OK);
    return (uint32_t)value;
}

static inline void driver_write(const struct virtio_device *device, unsigned offset, uint32_t value)
{
    assert_int_equal(bus_write(&guest->bus, NULL, device->base + offset, 4, value), CALD_OK);
}

static inline int driver_kick(const struct virtio_device *device, unsigned queue)
{
    return bus_write(&guest->bus, NULL, device->base + 0x50, 4, queue);
}

/* 3.1.1, with all features that are offered and in `mask`. Queue n lies DRIVER_APART * n behind. */
static inline void driver_begin(const struct virtio_device *device, uint64_t mask)
{
    driver_write(device, 0x70, 0);
    driver_write(device, 0x70, 1);
    driver_write(device, 0x70, 3);
    for (unsigned word = 0; word < 2; word++) {
        driver_write(device, 0x14, word);
        driver_write(device, 0x24, word);
        driver_write(device, 0x20, driver_read(device, 0x10) & (uint32_t)(mask >> 32 * word));
    }
    driver_write(device, 0x70, 11);
    assert_int_equal(driver_read(device, 0x70), 11);
    for (unsigned n = 0; n < device->kind->queues; n++) {
        uint64_t apart = n * DRIVER_APART;
        driver_write(device, 0x30, n);
        driver_write(device, 0x38, DRIVER_SIZE);
        driver_write(device, 0x80, (uint32_t)(DRIVER_DESC + apart));
        driver_write(device, 0x84, 0);
        driver_write(device, 0x90, (uint32_t)(DRIVER_AVAIL + apart));
        driver_write(device, 0x94, 0);
        driver_write(device, 0xa0, (uint32_t)(DRIVER_USED + apart));
        driver_write(device, 0xa4, 0);
        driver_write(device, 0x44, 1);
    }
    driver_write(device, 0x70, 15);
    assert_int_equal(driver_read(device, 0x70), 15);
}

#endif
