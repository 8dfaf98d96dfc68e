/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/virtio/driver.h"

#include "guests/common/tree.h"

#define PLIC 0x0c000000UL /* this guest has one hart, whose S-mode is context 1 */
#define PLIC_PRIORITY(irq) (PLIC + 4UL * (irq))
#define PLIC_ENABLE(irq) (PLIC + 0x2080 + (irq) / 32 * 4)
#define PLIC_THRESHOLD (PLIC + 0x201000)
#define PLIC_CLAIM (PLIC + 0x201004)
#define SEIE (1UL << 9)

static volatile uint32_t *word(uint64_t at)
{
    return (volatile uint32_t *)at;
}

bool driver_at(struct driver *driver, uint64_t tree, unsigned n)
{
    struct guest_node node;
    bool found = guest_tree_find(tree, "virtio,mmio", n, &node);
    driver->base = found ? (volatile uint8_t *)node.base : 0;
    driver->irq = found ? node.interrupt : 0;
    return found;
}

bool driver_find(struct driver *driver, uint64_t tree, uint32_t id)
{
    unsigned n = 0;
    while (driver_at(driver, tree, n) && driver_read(driver, DEVICE_ID) != id)
        n++;
    return driver->base;
}

static void set_address(const struct driver *driver, unsigned at, const volatile void *address)
{
    driver_write(driver, at, (uint32_t)(uint64_t)address);
    driver_write(driver, at + 4, (uint32_t)((uint64_t)address >> 32));
}

void driver_begin(struct driver *driver, struct queue *queues, unsigned count, uint32_t features)
{
    driver->queue = queues;
    driver_write(driver, STATUS, 0);
    driver_write(driver, STATUS, 3);
    driver_write(driver, DRIVER_FEATURES_SEL, 0);
    driver_write(driver, DRIVER_FEATURES, features);
    driver_write(driver, DRIVER_FEATURES_SEL, 1);
    driver_write(driver, DRIVER_FEATURES, 1); /* VIRTIO_F_VERSION_1 */
    driver_write(driver, STATUS, 11);
    for (unsigned n = 0; n < count; n++) {
        struct queue *queue = &queues[n];
        queue->driver.flags = queue->driver.index = queue->device.flags = queue->device.index = 0;
        queue->seen = 0;
        driver_write(driver, QUEUE_SEL, n);
        driver_write(driver, QUEUE_NUM, SIZE);
        set_address(driver, QUEUE_DESC, queue->desc);
        set_address(driver, QUEUE_DRIVER, &queue->driver);
        set_address(driver, QUEUE_DEVICE, &queue->device);
        driver_write(driver, QUEUE_READY, 1);
    }
    driver_write(driver, STATUS, 15);
    *word(PLIC_PRIORITY(driver->irq)) = 1;
    *word(PLIC_ENABLE(driver->irq)) |= 1U << driver->irq % 32;
    *word(PLIC_THRESHOLD) = 0;
    csr_write(CSR_SSTATUS, 0);
    csr_set(CSR_SIE, SEIE);
}

void driver_add(struct queue *queue, unsigned head)
{
    queue->driver.ring[queue->driver.index % SIZE] = (uint16_t)head;
    __sync_synchronize();
    queue->driver.index++;
}

void driver_kick(const struct driver *driver, unsigned queue)
{
    __sync_synchronize();
    if (!(driver->queue[queue].device.flags & 1))
        driver_write(driver, QUEUE_NOTIFY, queue);
}

unsigned driver_used(struct queue *queue)
{
    if (queue->device.index == queue->seen)
        return SIZE;
    __sync_synchronize();
    return queue->device.ring[queue->seen++ % SIZE].id % SIZE;
}

/* As with interrupts taken: claimed, acknowledged at the device, completed. */
static void serve(const struct driver *driver)
{
    uint32_t irq = *word(PLIC_CLAIM);
    if (!irq)
        return;
    driver_write(driver, INTERRUPT_ACK, driver_read(driver, INTERRUPT_STATUS));
    *word(PLIC_CLAIM) = irq;
}

bool driver_wait(const struct driver *driver, const struct queue *queue, uint64_t until)
{
    while (queue->device.index == queue->seen && csr_read(CSR_TIME) < until) {
        wait_for_interrupt(); /* ends on one that is pending and enabled, though not taken */
        serve(driver);
    }
    return queue->device.index != queue->seen;
}
