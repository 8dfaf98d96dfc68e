/* SPDX-License-Identifier: BSD-2-Clause */
#include "appliance/virtio/block.h"

#include <string.h>

#include "appliance/print.h"
#include "host/host.h"

#define F_SEG_MAX (1UL << 2)
#define F_READ_ONLY (1UL << 5)
#define F_BLOCK_SIZE (1UL << 6)
#define F_FLUSH (1UL << 9)

/* 5.2.6: requests, and how they end. */
#define T_IN 0U
#define T_OUT 1U
#define T_FLUSH 4U
#define T_GET_ID 8U
#define S_OK 0U
#define S_IOERR 1U
#define S_UNSUPPORTED 2U

struct header {
    uint32_t type, reserved;
    uint64_t sector;
};

#define REQUEST_COST 512U /* what a request takes of a turn beside its bytes */

const char *virtio_block_check(uint64_t bytes)
{
    if (!bytes || bytes % BLOCK_SECTOR)
        return "a multiple of 512 bytes is expected";
    return bytes / BLOCK_PAGE >= UINT32_MAX ? "less than 16 TiB are expected" : NULL;
}

static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + BLOCK_PAGE - 1) / BLOCK_PAGE;
}

/* ---- What is on the disk --------------------------------------------------------------------- */

static const uint8_t *where(const struct virtio_block *block, uint64_t at)
{
    uint32_t place = block->place ? block->place[at / BLOCK_PAGE] : 0;
    return place ? block->kept + (uint64_t)(place - 1) * BLOCK_PAGE + at % BLOCK_PAGE
                 : block->image + at;
}

/* The page of the disk that has `at`, to be written; NULL: the room for what is written is full. */
static uint8_t *page_to_write(struct virtio_block *block, uint64_t at)
{
    uint64_t n = at / BLOCK_PAGE, begin = n * BLOCK_PAGE;
    if (!block->place[n]) {
        if (block->kept_pages == block->room) {
            if (!block->full_said)
                vm_error(block->device.vm_name,
                         "device %s: all %lu KiB for what is written are in use: writes fail",
                         block->device.name, (uint64_t)block->room * BLOCK_PAGE >> 10);
            block->full_said = true;
            return NULL;
        }
        uint64_t rest = block->bytes - begin;
        memcpy(block->kept + (uint64_t)block->kept_pages * BLOCK_PAGE, block->image + begin,
               rest < BLOCK_PAGE ? rest : BLOCK_PAGE);
        block->place[n] = ++block->kept_pages;
        block->spent += BLOCK_PAGE;
    }
    return block->kept + (uint64_t)(block->place[n] - 1) * BLOCK_PAGE;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static uint8_t begin_transfer(struct virtio_block *block, const struct header *header)
{
    struct block_request *request = &block->request;
    bool out = header->type == T_OUT;
    uint64_t bytes = out ? block->chain.in_left : block->chain.out_left - 1;
    uint64_t sectors = block->bytes / BLOCK_SECTOR;
    if (bytes % BLOCK_SECTOR || header->sector > sectors ||
        bytes / BLOCK_SECTOR > sectors - header->sector || (out && !block->place))
        return S_IOERR;
    request->at = header->sector * BLOCK_SECTOR;
    request->left = bytes;
    return S_OK;
}

static uint8_t get_id(struct virtio_block *block)
{
    struct virtio_chain *chain = &block->chain;
    uint64_t room = chain->out_left - 1;
    virtio_put(chain, block->id, virtio_least(room, sizeof(block->id)));
    return S_OK;
}

/* False: it is none, and the queue is broken. */
static bool begin(struct virtio_block *block)
{
    struct virtio_chain *chain = &block->chain;
    struct header header;
    block->request = (struct block_request){.open = true};
    if (chain->in_left < sizeof(header) || !chain->out_left) {
        virtio_device_broken(&block->device, chain->queue,
                             "a request has no room for its header or its status");
        return false;
    }
    if (!virtio_get(chain, &header, sizeof(header)))
        return false;
    block->request.type = header.type;
    if (header.type == T_IN || header.type == T_OUT)
        block->request.status = begin_transfer(block, &header);
    else if (header.type == T_GET_ID)
        block->request.status = get_id(block);
    else if (header.type != T_FLUSH) /* all is in RAM already */
        block->request.status = S_UNSUPPORTED;
    return chain->queue->live;
}

/* The next bytes, up to the end of the turn or of a page. */
static void move(struct virtio_block *block)
{
    struct block_request *request = &block->request;
    uint32_t bytes = BLOCK_PAGE - (uint32_t)(request->at % BLOCK_PAGE);
    uint32_t most = VIRTIO_TURN_BYTES - block->spent;
    bytes = virtio_least(virtio_least(bytes, most), request->left);
    bool done;
    if (request->type == T_IN) {
        done = virtio_put(&block->chain, where(block, request->at), bytes);
    } else {
        uint8_t *page = page_to_write(block, request->at);
        if (!page)
            request->status = S_IOERR;
        done = page && virtio_get(&block->chain, page + request->at % BLOCK_PAGE, bytes);
    }
    request->at += bytes;
    request->left = done ? request->left - bytes : 0;
    block->spent += bytes;
}

/* The status is the last byte of what is written, 5.2.6. */
static void end(struct virtio_block *block)
{
    struct virtio_chain *chain = &block->chain;
    block->request.open = false;
    virtio_skip(chain, chain->out_left - 1);
    if (virtio_put(chain, &block->request.status, 1))
        virtio_give(chain);
}

static bool kicked(struct virtio_device *device, unsigned n)
{
    struct virtio_block *block = (struct virtio_block *)device;
    struct virtio_queue *queue = &device->queue[n];
    block->spent = 0;
    while (queue->live && block->spent < VIRTIO_TURN_BYTES) {
        if (!block->request.open) {
            if (virtio_take(queue, &block->chain) != VIRTIO_TAKEN || !begin(block))
                break;
            block->spent += REQUEST_COST + block->chain.parts * VIRTIO_PART_COST;
        }
        while (block->request.left && block->spent < VIRTIO_TURN_BYTES)
            move(block);
        if (!block->request.left && queue->live)
            end(block);
    }
    if (virtio_publish(queue))
        virtio_interrupt(device);
    return queue->live && block->spent >= VIRTIO_TURN_BYTES;
}

static void reset(struct virtio_device *device)
{
    ((struct virtio_block *)device)->request.open = false;
}

/* ---- Made once ------------------------------------------------------------------------------- */

static bool make_room(struct virtio_block *block, uint64_t keep)
{
    uint64_t pages = pages_of(block->bytes), room = keep / BLOCK_PAGE;
    room = room < pages ? room : pages;
    block->place = host_pages_alloc(pages * sizeof(*block->place), HOST_PAGE_SIZE);
    block->kept = block->place ? host_pages_alloc(room * BLOCK_PAGE, HOST_PAGE_SIZE) : NULL;
    block->room = (uint32_t)room;
    if (block->place && !block->kept)
        host_pages_free(block->place, pages * sizeof(*block->place));
    return block->kept;
}

static void unmake(struct virtio_device *device)
{
    struct virtio_block *block = (struct virtio_block *)device;
    if (block->place) {
        host_pages_free(block->kept, (uint64_t)block->room * BLOCK_PAGE);
        host_pages_free(block->place, pages_of(block->bytes) * sizeof(*block->place));
    }
    host_pages_free(block, sizeof(*block));
}

static const struct virtio_kind kind = {
    .name = "block",
    .id = 2,
    .queues = 1,
    .kicked = kicked,
    .reset = reset,
    .unmake = unmake,
};

bool virtio_block_make(struct virtio_block *block, const char *name, const uint8_t *image,
                       uint64_t bytes, uint64_t keep)
{
    struct virtio_device *device = &block->device;
    block->image = image;
    block->bytes = bytes;
    if (keep && !make_room(block, keep))
        return false;
    for (unsigned n = 0; n < sizeof(block->id) && name[n]; n++)
        block->id[n] = name[n];
    block->config = (struct block_config){.capacity = bytes / BLOCK_SECTOR,
                                          .seg_max = VIRTIO_QUEUE_SIZE - 2,
                                          .block_size = BLOCK_SECTOR};
    device->kind = &kind;
    device->features = F_SEG_MAX | F_BLOCK_SIZE | F_FLUSH | (keep ? 0 : F_READ_ONLY);
    device->config = &block->config;
    device->config_bytes = sizeof(block->config);
    return true;
}
