/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/queue.h"

#include "caldarium/host.h"

/* 2.7.5: a descriptor, and its flags. */
struct descriptor {
    uint64_t gpa;
    uint32_t bytes;
    uint16_t flags, next;
};
#define NEXT 1U
#define WRITE 2U
#define INDIRECT 4U

/* 2.7.6 and 2.7.8: both rings begin with 16 bits of flags and a 16-bit index; entries follow, then
 * the index at which the other side wants to be told. */
#define INDEX 2UL
#define ENTRIES 4UL
#define AVAILABLE_ENTRY 2UL
#define USED_ENTRY 8UL
#define AVAILABLE_NO_INTERRUPT 1U
#define USED_NO_NOTIFY 1U

#define CHAIN_BYTES_MAX (1UL << 32) /* 2.7.5: a chain has no more */

const char *virtio_ring_check(const struct cald_vm *vm, const struct virtio_ring *ring)
{
    uint64_t size = ring->size;
    if (!size || size > VIRTIO_QUEUE_SIZE || size & (size - 1))
        return "its size is no power of two up to 256";
    if (ring->descriptors % 16 || ring->available % 2 || ring->used % 4)
        return "its parts are not aligned to 16, 2 and 4 bytes";
    if (!cald_vm_is_ram(vm, ring->descriptors, sizeof(struct descriptor) * size) ||
        !cald_vm_is_ram(vm, ring->available, ENTRIES + AVAILABLE_ENTRY * size + 2) ||
        !cald_vm_is_ram(vm, ring->used, ENTRIES + USED_ENTRY * size + 2))
        return "a part of it is not in the VM's memory";
    return NULL;
}

void virtio_queue_begin(struct virtio_queue *queue, const struct virtio_ring *ring, bool indirect,
                        bool events)
{
    lock_take(&queue->lock);
    queue->ring = *ring;
    queue->indirect = indirect;
    queue->events = events;
    queue->quiet = false;
    queue->taken = queue->given = queue->published = 0;
    queue->wrong = NULL;
    queue->live = true;
    lock_release(&queue->lock);
}

void virtio_queue_end(struct virtio_queue *queue)
{
    lock_take(&queue->lock);
    queue->live = false;
    queue->wrong = NULL;
    lock_release(&queue->lock);
}

static enum virtio_took broken(struct virtio_queue *queue, const char *why)
{
    queue->wrong = why;
    queue->live = false;
    return VIRTIO_WRONG;
}

static const char not_memory[] = "a part of it is not in the VM's memory";

static bool load16(struct virtio_queue *queue, uint64_t gpa, uint16_t *value)
{
    uint64_t wide;
    if (cald_vm_load(queue->vm, gpa, 2, &wide)) {
        broken(queue, not_memory);
        return false;
    }
    *value = (uint16_t)wide;
    return true;
}

static bool store16(struct virtio_queue *queue, uint64_t gpa, uint16_t value)
{
    if (!cald_vm_store(queue->vm, gpa, 2, value))
        return true;
    broken(queue, not_memory);
    return false;
}

/* ---- Out of the available ring ---------------------------------------------------------------
 */

static bool add_part(struct virtio_chain *chain, const struct descriptor *from)
{
    bool write = from->flags & WRITE;
    const char *wrong = NULL;
    if (!write && chain->parts != chain->readable)
        wrong = "a descriptor to be read comes behind one to be written";
    else if (from->gpa + from->bytes < from->gpa)
        wrong = "a descriptor's address wraps around";
    else if (chain->in_left + chain->out_left + from->bytes > CHAIN_BYTES_MAX)
        wrong = "a chain has more than 4 GiB";
    if (wrong) {
        broken(chain->queue, wrong);
        return false;
    }
    chain->part[chain->parts++] = (struct virtio_part){from->gpa, from->bytes};
    chain->readable += !write;
    *(write ? &chain->out_left : &chain->in_left) += from->bytes;
    return true;
}

/* A table of descriptors: the queue's own, or one that a descriptor leads to. */
struct table {
    uint64_t gpa;
    uint32_t size;
    bool indirect;
};

/* 2.7.5.3.1: a table lies in one descriptor, in none of another table's, and ends the chain. */
static bool enter_table(struct virtio_queue *queue, const struct descriptor *from,
                        struct table *table)
{
    const char *wrong = NULL;
    if (!queue->indirect)
        wrong = "a descriptor is indirect, which was not negotiated";
    else if (table->indirect)
        wrong = "an indirect descriptor is in an indirect table";
    else if (from->flags & NEXT)
        wrong = "an indirect descriptor has a next one";
    else if (!from->bytes || from->bytes % sizeof(struct descriptor))
        wrong = "an indirect table's length is no number of descriptors";
    if (wrong) {
        broken(queue, wrong);
        return false;
    }
    *table = (struct table){from->gpa, from->bytes / (uint32_t)sizeof(struct descriptor), true};
    return true;
}

static bool follow(struct virtio_queue *queue, struct virtio_chain *chain)
{
    struct table table = {queue->ring.descriptors, queue->ring.size, false};
    struct descriptor at = {.next = chain->head, .flags = NEXT};
    while (at.flags & NEXT) {
        if (at.next >= table.size) {
            broken(queue, "a descriptor's number is beyond the table's end");
            return false;
        }
        if (chain->parts == queue->ring.size) { /* 2.7.5.3.1; it may be a loop */
            broken(queue, "a chain is longer than the queue's size");
            return false;
        }
        if (cald_vm_read(queue->vm, table.gpa + at.next * sizeof(at), &at, sizeof(at))) {
            broken(queue, "an indirect table is not in the VM's memory");
            return false;
        }
        if (at.flags & INDIRECT) {
            if (!enter_table(queue, &at, &table))
                return false;
            at = (struct descriptor){.next = 0, .flags = NEXT};
        } else if (!add_part(chain, &at)) {
            return false;
        }
    }
    return true;
}

/* Something is available; false: nothing, or it is broken. */
static bool any_available(struct virtio_queue *queue)
{
    uint16_t index;
    if (!load16(queue, queue->ring.available + INDEX, &index))
        return false;
    uint16_t ahead = (uint16_t)(index - queue->taken);
    if (ahead > queue->ring.size) {
        broken(queue, "the available index is further ahead than the queue's size");
        return false;
    }
    return ahead;
}

/* 2.7.7.2, 2.7.10: the driver kicks when it adds the next buffer. */
static void ask_for_kick(struct virtio_queue *queue)
{
    if (queue->events)
        store16(queue, queue->ring.used + ENTRIES + USED_ENTRY * queue->ring.size, queue->taken);
    /* Either the driver sees what is asked for, or we see what it adds meanwhile. */
    atomic_thread_fence(memory_order_seq_cst);
}

enum virtio_took virtio_take(struct virtio_queue *queue, struct virtio_chain *chain)
{
    if (!queue->live)
        return VIRTIO_NONE;
    if (!any_available(queue)) {
        if (queue->live && !queue->quiet)
            ask_for_kick(queue);
        if (!queue->live || queue->quiet || !any_available(queue))
            return queue->wrong ? VIRTIO_WRONG : VIRTIO_NONE;
    }
    uint16_t head;
    uint64_t entry = queue->taken % queue->ring.size;
    if (!load16(queue, queue->ring.available + ENTRIES + AVAILABLE_ENTRY * entry, &head))
        return VIRTIO_WRONG;
    chain->queue = queue;
    chain->head = head;
    chain->parts = chain->readable = 0;
    chain->in = 0;
    chain->in_at = chain->out_at = chain->written = 0;
    chain->in_left = chain->out_left = 0;
    if (!follow(queue, chain))
        return VIRTIO_WRONG;
    chain->out = chain->readable;
    queue->taken++;
    return VIRTIO_TAKEN;
}

void virtio_untake(struct virtio_queue *queue, unsigned chains)
{
    queue->taken = (uint16_t)(queue->taken - chains);
}

/* ---- Copies ---------------------------------------------------------------------------------- */

struct place {
    uint64_t gpa;
    uint32_t bytes; /* in this part, so many or fewer */
};

/* There is something left. */
static struct place in_place(struct virtio_chain *chain)
{
    while (chain->in_at == chain->part[chain->in].bytes)
        chain->in++, chain->in_at = 0;
    const struct virtio_part *part = &chain->part[chain->in];
    return (struct place){part->gpa + chain->in_at, part->bytes - chain->in_at};
}

static struct place out_place(struct virtio_chain *chain)
{
    while (chain->out_at == chain->part[chain->out].bytes)
        chain->out++, chain->out_at = 0;
    const struct virtio_part *part = &chain->part[chain->out];
    return (struct place){part->gpa + chain->out_at, part->bytes - chain->out_at};
}

static void in_moves(struct virtio_chain *chain, uint32_t bytes)
{
    chain->in_at += bytes;
    chain->in_left -= bytes;
}

static void out_moves(struct virtio_chain *chain, uint32_t bytes)
{
    chain->out_at += bytes;
    chain->out_left -= bytes;
    chain->written += bytes;
}

bool virtio_get(struct virtio_chain *chain, void *to, uint32_t bytes)
{
    uint8_t *at = to;
    if (bytes > chain->in_left)
        return false;
    while (bytes) {
        struct place place = in_place(chain);
        uint32_t part = virtio_least(bytes, place.bytes);
        if (cald_vm_read(chain->queue->vm, place.gpa, at, part))
            return broken(chain->queue, "a buffer is not in the VM's memory"), false;
        in_moves(chain, part);
        at += part;
        bytes -= part;
    }
    return true;
}

bool virtio_put(struct virtio_chain *chain, const void *from, uint32_t bytes)
{
    const uint8_t *at = from;
    if (bytes > chain->out_left)
        return false;
    while (bytes) {
        struct place place = out_place(chain);
        uint32_t part = virtio_least(bytes, place.bytes);
        if (cald_vm_write(chain->queue->vm, place.gpa, at, part))
            return broken(chain->queue, "a buffer is not in the VM's memory"), false;
        out_moves(chain, part);
        at += part;
        bytes -= part;
    }
    return true;
}

void virtio_skip(struct virtio_chain *chain, uint64_t bytes)
{
    while (bytes && chain->out_left) {
        struct place place = out_place(chain);
        uint32_t part = virtio_least(bytes, place.bytes);
        out_moves(chain, part);
        bytes -= part;
    }
}

/* Where it is one run of the host's memory: no more than a page can be in two. */
static const void *one_run(struct cald_vm *vm, uint64_t gpa, uint32_t *bytes)
{
    const void *run = cald_vm_ram_to_read(vm, gpa, *bytes);
    if (!run) {
        *bytes = virtio_least(*bytes, (uint32_t)(HOST_PAGE_SIZE - gpa % HOST_PAGE_SIZE));
        run = cald_vm_ram_to_read(vm, gpa, *bytes);
    }
    return run;
}

bool virtio_copy(struct virtio_chain *from, struct virtio_chain *to, uint32_t bytes)
{
    if (bytes > from->in_left || bytes > to->out_left)
        return false;
    while (bytes) {
        struct place place = in_place(from);
        uint32_t part = virtio_least(bytes, place.bytes);
        const void *run = one_run(from->queue->vm, place.gpa, &part);
        if (!run)
            return broken(from->queue, "a buffer is not in the VM's memory"), false;
        if (!virtio_put(to, run, part))
            return false;
        in_moves(from, part);
        bytes -= part;
    }
    return true;
}

/* ---- Into the used ring ---------------------------------------------------------------------- */

void virtio_give(struct virtio_chain *chain)
{
    struct virtio_queue *queue = chain->queue;
    const uint32_t entry[2] = {chain->head, chain->written}; /* 2.7.8: id and len */
    uint64_t gpa = queue->ring.used + ENTRIES + USED_ENTRY * (queue->given % queue->ring.size);
    if (!queue->live)
        return;
    if (cald_vm_write(queue->vm, gpa, entry, sizeof(entry)))
        broken(queue, not_memory);
    else
        queue->given++;
}

void virtio_ungive(struct virtio_queue *queue, unsigned chains)
{
    queue->given = (uint16_t)(queue->given - chains);
}

/* 2.7.10: the driver has asked for one of those between the two. */
static bool passed(uint16_t event, uint16_t before, uint16_t now)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

bool virtio_publish(struct virtio_queue *queue)
{
    uint16_t before = queue->published, word;
    if (!queue->live || before == queue->given ||
        !store16(queue, queue->ring.used + INDEX, queue->given))
        return false;
    queue->published = queue->given;
    /* The driver sees what it is given, or we see that it wants to be told. */
    atomic_thread_fence(memory_order_seq_cst);
    if (queue->events)
        return load16(queue, queue->ring.available + ENTRIES + AVAILABLE_ENTRY * queue->ring.size,
                      &word) &&
               passed(word, before, queue->published);
    return load16(queue, queue->ring.available, &word) && !(word & AVAILABLE_NO_INTERRUPT);
}

void virtio_want_kicks(struct virtio_queue *queue, bool want)
{
    if (!queue->live)
        return;
    queue->quiet = !want;
    if (!queue->events)
        store16(queue, queue->ring.used, want ? 0 : USED_NO_NOTIFY);
    if (want)
        ask_for_kick(queue);
}
