/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM into a saved image. Pages that are zero are left out. */
#include <stdio.h>
#include <string.h>

#include "appliance/saved/format.h"
#include "appliance/saved/saved.h"
#include "appliance/vm.h"
#include "caldarium/caldarium.h"
#include "host/host.h"

_Static_assert(SAVED_PAGE == HOST_PAGE_SIZE, "what is saved are the guest's pages");

const char *saved_hindrance(const struct vm *vm)
{
    if (vm->device_count)
        return "it has devices of the board, whose state can't be saved";
    return vm->virtio_count ? "it has virtio devices, whose state can't be saved yet" : NULL;
}

uint64_t saved_bytes(const struct vm *vm)
{
    return __atomic_load_n(&vm->saved.bytes, __ATOMIC_RELAXED);
}

bool saved_drop(struct vm *vm)
{
    struct saved *saved = &vm->saved;
    uint32_t nobody = 0;
    if (!atomic_compare_exchange_strong(&saved->users, &nobody, SAVED_WRITES))
        return false;
    if (saved->image)
        host_pages_free(saved->image, saved->room);
    saved->image = NULL;
    saved->room = saved->bytes = 0;
    atomic_store(&saved->users, 0);
    return true;
}

static bool is_zero(const uint8_t *page)
{
    const uint64_t *word = (const uint64_t *)page, *end = word + SAVED_PAGE / sizeof(*word);
    while (word < end && !*word)
        word++;
    return word == end;
}

/* Calls `each` for all of the VM's pages that are not zero, by address. */
static void each_page(const struct vm *vm, void (*each)(void *to, uint64_t gpa, const uint8_t *at),
                      void *to)
{
    for (unsigned n = 0; n < vm->config->memory_ranges; n++) {
        const struct config_range *range = &vm->config->memory[n];
        for (uint64_t at = 0; at < range->size; at += SAVED_PAGE) {
            const uint8_t *page = cald_vm_ram_to_read(vm->cald, range->base + at, SAVED_PAGE);
            if (page && !is_zero(page))
                each(to, range->base + at, page);
            if (at % HOST_YIELD_BYTES == 0)
                host_may_yield();
        }
    }
}

static void count_page(void *to, uint64_t gpa, const uint8_t *at)
{
    (void)gpa, (void)at;
    ++*(uint64_t *)to;
}

struct writer {
    uint64_t *places;
    uint8_t *pages;
};

static void write_page(void *to, uint64_t gpa, const uint8_t *at)
{
    struct writer *writer = to;
    *writer->places++ = gpa;
    memcpy(writer->pages, at, SAVED_PAGE);
    writer->pages += SAVED_PAGE;
}

static uint32_t count_items(const struct vm *vm)
{
    struct cald_vm *cald = vm->cald;
    uint32_t count = cald_vm_items(cald, NULL, 0);
    for (unsigned n = 0; n < vm_vcpu_count(vm); n++)
        count += cald_vcpu_items(cald_vm_vcpu(cald, n), NULL, 0);
    return count;
}

/* The list of numbers lies where the items do that are made of it, so that begins at the end. */
static struct saved_item *write_items(struct vm *vm, uint32_t vcpu, struct saved_item *out)
{
    struct cald_vm *cald = vm->cald;
    uint32_t *list = (uint32_t *)out;
    uint32_t count = vcpu == SAVED_OF_VM
                         ? cald_vm_items(cald, list, UINT32_MAX)
                         : cald_vcpu_items(cald_vm_vcpu(cald, vcpu), list, UINT32_MAX);
    for (uint32_t n = count; n-- > 0;) {
        uint32_t item = list[n];
        struct saved_item it = {vcpu, item, 0};
        if (vcpu == SAVED_OF_VM)
            cald_vm_get(cald, item, &it.value);
        else
            cald_vcpu_get(cald_vm_vcpu(cald, vcpu), item, &it.value);
        if (item == CALD_VM + CALD_VM_TIME && vcpu == SAVED_OF_VM && vm->stopped_at)
            it.value = cald_vm_time(cald, vm->stopped_at);
        out[n] = it;
    }
    return out + count;
}

/* Memory for so many bytes: what is there already, or new, and the old one is given back. */
static bool make_room(struct saved *saved, uint64_t bytes)
{
    if (bytes <= saved->room)
        return true;
    uint8_t *image = host_pages_alloc(bytes, HOST_PAGE_SIZE);
    if (!image)
        return false;
    if (saved->image)
        host_pages_free(saved->image, saved->room);
    saved->image = image;
    saved->room = bytes;
    return true;
}

static uint64_t sum_all(const uint8_t *image, uint64_t bytes)
{
    uint64_t sum = 0;
    for (uint64_t at = SAVED_SUMMED_FROM; at < bytes;) {
        uint64_t part = bytes - at < HOST_YIELD_BYTES ? bytes - at : HOST_YIELD_BYTES;
        sum = saved_sum(sum, image + at, part);
        at += part;
        host_may_yield();
    }
    return sum;
}

static void write_image(struct vm *vm, struct saved_header *header, const struct saved_parts *parts,
                        uint8_t *image)
{
    struct writer writer = {(uint64_t *)(image + parts->places), image + parts->pages};
    memset(image, 0, parts->pages); /* what was saved there before */
    memcpy(image + parts->ranges, vm->config->memory, header->ranges * sizeof(struct saved_range));
    struct saved_item *item = (struct saved_item *)(image + parts->items);
    item = write_items(vm, SAVED_OF_VM, item);
    for (unsigned n = 0; n < header->vcpus; n++)
        item = write_items(vm, n, item);
    each_page(vm, write_page, &writer);
    memcpy(image, header, sizeof(*header));
    header->sum = sum_all(image, header->bytes);
    memcpy(image, header, sizeof(*header));
}

static enum saved_result take(struct vm *vm)
{
    struct saved *saved = &vm->saved;
    struct saved_header header = {.version = SAVED_VERSION,
                                  .header_bytes = sizeof(header),
                                  .vcpus = vm_vcpu_count(vm),
                                  .ranges = vm->config->memory_ranges,
                                  .items = count_items(vm)};
    struct saved_parts parts;
    memcpy(header.magic, SAVED_MAGIC, sizeof(header.magic));
    memcpy(header.name, vm->config->name, sizeof(header.name));
    each_page(vm, count_page, &header.pages);
    header.bytes = UINT64_MAX; /* any number of pages fits */
    saved_parts(&header, &parts);
    header.bytes = parts.end;
    if (!make_room(saved, header.bytes)) {
        snprintf(saved->said, sizeof(saved->said),
                 "not saved: %lu KiB in one piece are wanted, %lu KiB are free; what was saved "
                 "before stays",
                 header.bytes >> 10, host_pages_available() >> 10);
        return SAVED_REFUSED;
    }
    saved->bytes = 0;
    write_image(vm, &header, &parts, saved->image);
    __atomic_store_n(&saved->bytes, header.bytes, __ATOMIC_RELAXED);
    snprintf(saved->said, sizeof(saved->said), "saved: %lu bytes at %#lx, of them %lu pages",
             header.bytes, host_pa(saved->image), header.pages);
    return SAVED_DONE;
}

enum saved_result saved_take(struct vm *vm)
{
    struct saved *saved = &vm->saved;
    uint32_t nobody = 0;
    if (!atomic_compare_exchange_strong(&saved->users, &nobody, SAVED_WRITES)) {
        snprintf(saved->said, sizeof(saved->said),
                 "not saved: another VM is being restored from what was saved before");
        return SAVED_REFUSED;
    }
    bool runs = !vm->stopped_at;
    vm_time_stop(vm);
    cald_vm_freeze(vm->cald, true);
    enum saved_result result = take(vm);
    cald_vm_freeze(vm->cald, false);
    if (runs)
        vm_time_go(vm);
    atomic_store(&saved->users, 0);
    return result;
}
