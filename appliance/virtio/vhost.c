/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/vhost.h"

#include <string.h>

#include "appliance/print.h"
#include "appliance/vm.h"
#include "host/host.h"

#define NONE UINT16_MAX

/* 2.7: a descriptor; what it is called in queue.c is for the other side. */
struct clean_descriptor {
    uint64_t gpa;
    uint32_t bytes;
    uint16_t flags, next;
};
#define NEXT 1U
#define WRITE 2U
#define NO_NOTIFY 1U

/* The device's own bits that are handed on: not the transport's and the rings' (6), nor what needs
 * more of the front end than there is: bits 11 and 12 of a disk, CONFIG_WCE and MQ. */
#define SERVED_FEATURES (0xfff0000000ffffffUL & ~(1UL << 11 | 1UL << 12))

static struct clean_descriptor *descriptors(const struct virtio_vhost *vhost)
{
    return (struct clean_descriptor *)vhost->ring;
}

/* Flags, index, entries. The driver VM may write there any time: each value is read once. */
static _Atomic uint16_t *available(const struct virtio_vhost *vhost)
{
    return (_Atomic uint16_t *)(vhost->ring + VHOST_AVAILABLE);
}

static _Atomic uint16_t *used(const struct virtio_vhost *vhost)
{
    return (_Atomic uint16_t *)(vhost->ring + VHOST_USED);
}

static struct virtio_queue *queue_of(struct virtio_vhost *vhost)
{
    return &vhost->device.queue[0];
}

/* The lock is held. */
static void set_serving(struct virtio_vhost *vhost, enum vhost_serving serving)
{
    vhost->serving = serving;
    bool quiet = serving == VHOST_THERE || (serving == VHOST_AWAY && !vhost->dirty);
    /* A reset is over once nothing is under way; while it runs there is none. */
    atomic_store(&vhost->ready, vhost->offered && (quiet || serving == VHOST_RUNNING));
}

static void ring_bell(struct virtio_vhost *vhost, unsigned what)
{
    if (vhost->bell)
        virtio_doorbell_ring(vhost->bell, vhost->number, what);
}

/* ---- Into the clean ring: the lock is held --------------------------------------------------- */

static void make_available(struct virtio_vhost *vhost, uint16_t head)
{
    atomic_store_explicit(&available(vhost)[2 + vhost->available % VHOST_RING_SIZE], head,
                          memory_order_relaxed);
    vhost->available++;
    atomic_store_explicit(&available(vhost)[1], vhost->available, memory_order_release);
}

/* What a back end would choke on is no request: a part that is nowhere. */
static bool parts_fit(struct virtio_vhost *vhost)
{
    const struct virtio_chain *chain = &vhost->chain;
    uint64_t bytes = 0;
    const char *wrong = NULL;
    for (unsigned n = 0; n < chain->parts && !wrong; n++) {
        const struct virtio_part *part = &chain->part[n];
        bytes += part->bytes;
        if (part->bytes && !cald_vm_is_ram(vhost->device.vm, part->gpa, part->bytes))
            wrong = "a buffer is not in the VM's memory";
    }
    if (!bytes)
        wrong = "a request has no bytes";
    if (wrong)
        virtio_device_broken(&vhost->device, queue_of(vhost), wrong);
    return !wrong;
}

/* How many descriptors the chain takes. */
static uint64_t needs(const struct virtio_vhost *vhost)
{
    uint64_t count = 0;
    for (unsigned n = 0; n < vhost->chain.parts; n++) {
        uint64_t bytes = vhost->chain.part[n].bytes;
        count += vhost->window ? (bytes + HOST_PAGE_SIZE - 1) / HOST_PAGE_SIZE : bytes != 0;
    }
    return count;
}

/* The next descriptor of the chain that is being handed on; one is free. */
static void add_piece(struct virtio_vhost *vhost, const struct vhost_piece *piece)
{
    struct vhost_open *open = &vhost->open;
    uint16_t n = vhost->free;
    vhost->free = vhost->entry[n].next;
    vhost->free_count--;
    vhost->piece[n] = *piece;
    descriptors(vhost)[n] =
        (struct clean_descriptor){.gpa = vhost->window ? n * HOST_PAGE_SIZE : piece->gpa,
                                  .bytes = piece->bytes,
                                  .flags = piece->write ? WRITE : 0};
    if (open->count) {
        vhost->entry[open->last].next = n;
        descriptors(vhost)[open->last].flags = NEXT | (vhost->piece[open->last].write ? WRITE : 0);
        descriptors(vhost)[open->last].next = n;
    } else {
        open->head = n;
    }
    open->last = n;
    open->count++;
    vhost->spent += VIRTIO_PART_COST;
    if (!vhost->window || piece->write)
        return;
    cald_vm_read(vhost->device.vm, piece->gpa, vhost->window + n * HOST_PAGE_SIZE,
                 piece->bytes); /* it is memory: parts_fit() */
    vhost->spent += piece->bytes;
}

/* False: the turn is over before all of the chain is handed on. */
static bool hand_on(struct virtio_vhost *vhost)
{
    const struct virtio_chain *chain = &vhost->chain;
    struct vhost_open *open = &vhost->open;
    while (open->part < chain->parts) {
        const struct virtio_part *part = &chain->part[open->part];
        uint32_t left = part->bytes - open->at;
        if (!left) {
            open->part++;
            open->at = 0;
            continue;
        }
        if (vhost->spent >= VIRTIO_TURN_BYTES)
            return false;
        struct vhost_piece piece = {.gpa = part->gpa + open->at,
                                    .bytes =
                                        vhost->window ? virtio_least(left, HOST_PAGE_SIZE) : left,
                                    .write = open->part >= chain->readable};
        add_piece(vhost, &piece);
        open->at += piece.bytes;
    }
    vhost->entry[open->head].parts = open->count;
    vhost->entry[open->head].head = chain->head;
    vhost->entry[open->head].room = virtio_least(chain->out_left, UINT32_MAX);
    vhost->outstanding++;
    make_available(vhost, open->head);
    *open = (struct vhost_open){0};
    return true;
}

/* The next chain that there is room for. */
static bool take(struct virtio_vhost *vhost)
{
    struct virtio_queue *queue = queue_of(vhost);
    if (virtio_take(queue, &vhost->chain) != VIRTIO_TAKEN || !parts_fit(vhost))
        return false;
    uint64_t count = needs(vhost);
    if (count > VHOST_RING_SIZE) {
        virtio_device_broken(&vhost->device, queue, "a request is longer than the window");
        return false;
    }
    if (count > vhost->free_count) {
        virtio_untake(queue, 1);
        return false;
    }
    vhost->open.open = true;
    return true;
}

/* Everything that there is room for. True: there is more than this turn has time for. */
static bool pump(struct virtio_vhost *vhost)
{
    uint16_t before = vhost->available;
    bool more = false;
    while (!more && (vhost->open.open || take(vhost)))
        more = !hand_on(vhost);
    if (before == vhost->available)
        return more;
    /* The back end sees what is there, or we see that it wants to be told. */
    atomic_thread_fence(memory_order_seq_cst);
    if (!(atomic_load_explicit(&used(vhost)[0], memory_order_relaxed) & NO_NOTIFY))
        ring_bell(vhost, 0);
    return more;
}

/* The ring from its beginning, with what is outstanding. */
static void begin_ring(struct virtio_vhost *vhost)
{
    for (unsigned n = 0; n < 2; n++) {
        atomic_store(&available(vhost)[n], 0);
        atomic_store(&used(vhost)[n], 0);
    }
    vhost->available = vhost->used = 0;
    vhost->answer = (struct vhost_answer){0};
    for (unsigned n = 0; n < VHOST_RING_SIZE; n++) {
        if (vhost->entry[n].parts)
            make_available(vhost, (uint16_t)n);
    }
}

static void forget_all(struct virtio_vhost *vhost)
{
    for (unsigned n = 0; n < VHOST_RING_SIZE; n++)
        vhost->entry[n] = (struct vhost_entry){.next = (uint16_t)(n + 1)};
    vhost->free = 0;
    vhost->free_count = VHOST_RING_SIZE;
    vhost->outstanding = 0;
    vhost->open = (struct vhost_open){0};
}

static void start(struct virtio_vhost *vhost)
{
    begin_ring(vhost);
    set_serving(vhost, VHOST_RUNNING);
    ring_bell(vhost, DOORBELL_STATE);
}

static bool kicked(struct virtio_device *device, unsigned n)
{
    struct virtio_vhost *vhost = (struct virtio_vhost *)device;
    (void)n;
    vhost->spent = 0;
    if (vhost->serving == VHOST_THERE)
        start(vhost);
    return vhost->serving == VHOST_RUNNING && pump(vhost);
}

/* ---- Out of the clean ring: the lock is held ------------------------------------------------- */

static void free_chain(struct virtio_vhost *vhost, uint16_t head)
{
    uint16_t last = head, parts = vhost->entry[head].parts;
    for (unsigned n = 1; n < parts; n++)
        last = vhost->entry[last].next;
    vhost->entry[head].parts = 0;
    vhost->entry[last].next = vhost->free;
    vhost->free = head;
    vhost->free_count = (uint16_t)(vhost->free_count + parts);
    vhost->outstanding--;
}

/* The next entry of the used ring. False: there is no such request. */
static bool begin_answer(struct virtio_vhost *vhost)
{
    const _Atomic uint32_t *place = (const _Atomic uint32_t *)(vhost->ring + VHOST_USED + 4) +
                                    vhost->used % VHOST_RING_SIZE * 2;
    uint32_t head = atomic_load_explicit(place, memory_order_relaxed);
    uint32_t bytes = atomic_load_explicit(place + 1, memory_order_relaxed);
    if (head >= VHOST_RING_SIZE || !vhost->entry[head].parts)
        return false;
    const struct vhost_entry *entry = &vhost->entry[head];
    vhost->answer = (struct vhost_answer){.head = (uint16_t)head,
                                          .at = (uint16_t)head,
                                          .left = vhost->window ? entry->parts : 0,
                                          .bytes = bytes < entry->room ? bytes : entry->room,
                                          .open = true};
    return true;
}

/* Out of the window, whatever of it the back end says it has written. False: the turn is over. */
static bool copy_out(struct virtio_vhost *vhost)
{
    struct vhost_answer *answer = &vhost->answer;
    for (; answer->left; answer->left--, answer->at = vhost->entry[answer->at].next) {
        const struct vhost_piece *piece = &vhost->piece[answer->at];
        if (!piece->write)
            continue;
        if (vhost->spent >= VIRTIO_TURN_BYTES)
            return false;
        cald_vm_write(vhost->device.vm, piece->gpa, vhost->window + answer->at * HOST_PAGE_SIZE,
                      piece->bytes); /* it is memory: parts_fit() */
        vhost->spent += piece->bytes + VIRTIO_PART_COST;
    }
    return true;
}

static void end_answer(struct virtio_vhost *vhost)
{
    vhost->reply.queue = queue_of(vhost);
    vhost->reply.head = vhost->entry[vhost->answer.head].head;
    vhost->reply.written = vhost->answer.bytes;
    virtio_give(&vhost->reply);
    free_chain(vhost, vhost->answer.head);
    vhost->answer.open = false;
    vhost->used++;
}

/* True: there is more than this turn has time for. */
static bool answers(struct virtio_vhost *vhost)
{
    uint16_t index = atomic_load_explicit(&used(vhost)[1], memory_order_acquire);
    uint16_t ahead = (uint16_t)(index - vhost->used);
    bool good = ahead <= vhost->outstanding;
    while (good && vhost->used != index) {
        if (!vhost->answer.open && !(good = begin_answer(vhost)))
            break;
        if (!copy_out(vhost))
            return true;
        end_answer(vhost);
    }
    if (good)
        return false;
    vm_error(vhost->bell->device.vm_name,
             "device %s of VM %s: its back end answers what it was not asked; it is left alone "
             "until it begins anew",
             vhost->device.name, vhost->device.vm_name);
    vhost->dirty = true;
    set_serving(vhost, VHOST_AWAY);
    return false;
}

bool virtio_vhost_call(struct virtio_vhost *vhost)
{
    bool more = false;
    struct virtio_device *device = &vhost->device;
    struct virtio_queue *queue = queue_of(vhost);
    lock_take(&queue->lock);
    if (vhost->serving == VHOST_RUNNING) {
        vhost->spent = 0;
        more = answers(vhost);
        if (virtio_publish(queue))
            virtio_interrupt(device);
        if (!more && vhost->serving == VHOST_RUNNING)
            more = pump(vhost);
        virtio_settle(device, queue);
    }
    lock_release(&queue->lock);
    return more;
}

/* ---- Coming and going ------------------------------------------------------------------------ */

static void offer(struct virtio_vhost *vhost)
{
    struct virtio_device *device = &vhost->device;
    uint64_t features = vhost->features & SERVED_FEATURES;
    bool changed = memcmp(vhost->config, vhost->next_config, sizeof(vhost->config));
    bool less = device->accepted & SERVED_FEATURES & ~features;
    device->features = features;
    memcpy(vhost->config, vhost->next_config, sizeof(vhost->config));
    if (vhost->offered && changed)
        virtio_config_changed(device);
    vhost->offered = true;
    if (less && atomic_load(&device->status) & VIRTIO_STATUS_DRIVER_OK)
        virtio_device_broken(device, queue_of(vhost),
                             "another back end came, which lacks a feature that is in use");
}

uint64_t virtio_vhost_accepted(struct virtio_vhost *vhost)
{
    lock_take(&vhost->device.lock);
    uint64_t features = vhost->device.accepted & SERVED_FEATURES;
    lock_release(&vhost->device.lock);
    return features;
}

/* Its VM's leader, which may wait to begin a life (host/bare/vms.c). */
static void wake(const struct virtio_vhost *vhost)
{
    if (atomic_load(&vhost->vm->state) == VM_RUNNING)
        host_wake(cald_vm_vcpu(vhost->vm->cald, 0));
}

void virtio_vhost_there(struct virtio_vhost *vhost)
{
    struct virtio_queue *queue = queue_of(vhost);
    lock_take(&vhost->device.lock);
    lock_take(&queue->lock);
    vhost->dirty = false;
    offer(vhost);
    set_serving(vhost, VHOST_THERE);
    if (queue->live)
        start(vhost);
    lock_release(&queue->lock);
    lock_release(&vhost->device.lock);
    wake(vhost);
}

void virtio_vhost_away(struct virtio_vhost *vhost, bool ended)
{
    struct virtio_queue *queue = queue_of(vhost);
    lock_take(&queue->lock);
    vhost->dirty = !ended && (vhost->dirty || vhost->serving >= VHOST_RUNNING);
    set_serving(vhost, VHOST_AWAY);
    lock_release(&queue->lock);
    wake(vhost);
}

static void reset(struct virtio_device *device)
{
    struct virtio_vhost *vhost = (struct virtio_vhost *)device;
    struct virtio_queue *queue = queue_of(vhost);
    lock_take(&queue->lock);
    forget_all(vhost);
    bool was = vhost->serving == VHOST_RUNNING;
    if (was)
        set_serving(vhost, VHOST_ENDING);
    lock_release(&queue->lock);
    if (was)
        ring_bell(vhost, DOORBELL_STATE);
}

static bool ready(const struct virtio_device *device)
{
    return atomic_load(&((const struct virtio_vhost *)device)->ready);
}

static const struct virtio_kind kind = {
    .name = "block",
    .id = 2,
    .queues = 1,
    .kicked = kicked,
    .reset = reset,
    .ready = ready,
};

bool virtio_vhost_make(struct virtio_vhost *vhost, const struct vm *vm, bool window)
{
    vhost->ring = host_pages_alloc(VHOST_RING_BYTES, HOST_PAGE_SIZE);
    if (!vhost->ring)
        return false;
    vhost->window = window ? host_pages_alloc(VHOST_WINDOW_BYTES, HOST_PAGE_SIZE) : NULL;
    if (window && !vhost->window) {
        host_pages_free(vhost->ring, VHOST_RING_BYTES);
        return false;
    }
    vhost->vm = vm;
    vhost->device.kind = &kind;
    vhost->device.config = vhost->config;
    vhost->device.config_bytes = VHOST_CONFIG_BYTES;
    forget_all(vhost);
    return true;
}

struct virtio_vhost *virtio_vhost_of(struct virtio_device *device)
{
    return device->kind == &kind ? (struct virtio_vhost *)device : NULL;
}
