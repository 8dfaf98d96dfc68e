/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM out of a saved image. The image may come from anywhere: nothing in it is believed. What the
 * VM has to be like is looked at before anything is changed.
 */
#include <stdio.h>
#include <string.h>

#include "appliance/saved/format.h"
#include "appliance/saved/saved.h"
#include "appliance/vm.h"
#include "caldarium/caldarium.h"
#include "appliance/bulk.h"
#include "host/host.h"

/* An image, and for messages what the VM calls it. It may lie at any address, as in a bundle: its
 * parts are copied out before they are looked at. */
struct source {
    const uint8_t *at;
    uint64_t bytes;
    struct saved_header header;
    struct saved_parts parts;
};

static enum saved_result refuse(struct vm *vm, enum saved_result result, const char *text)
{
    snprintf(vm->saved.said, sizeof(vm->saved.said), "%s: %s",
             result == SAVED_BROKEN ? "can't go on from what was saved" : "not restored", text);
    return result;
}

/* ---- Is it an image, and of such a VM? ---------------------------------------------------------
 */

static const char *read_header(struct source *source)
{
    struct saved_header *header = &source->header;
    if (source->bytes < sizeof(*header))
        return "it is too short for a saved VM";
    memcpy(header, source->at, sizeof(*header));
    if (memcmp(header->magic, SAVED_MAGIC, sizeof(header->magic)))
        return "it is no saved VM";
    if (header->version != SAVED_VERSION || header->header_bytes != sizeof(*header))
        return "it has another version than 1";
    if (header->bytes > source->bytes)
        return "it is cut short";
    return saved_parts(header, &source->parts) ? NULL : "its header is damaged";
}

static const char *check_sum(const struct source *source)
{
    uint64_t sum = 0;
    for (uint64_t at = SAVED_SUMMED_FROM; at < source->parts.end;) {
        uint64_t left = source->parts.end - at;
        uint64_t part = left < HOST_YIELD_BYTES ? left : HOST_YIELD_BYTES;
        sum = saved_sum(sum, source->at + at, part);
        at += part;
        host_may_yield();
    }
    return sum == source->header.sum ? NULL : "its checksum is wrong";
}

static uint64_t place(const struct source *source, uint64_t n)
{
    uint64_t gpa;
    memcpy(&gpa, source->at + source->parts.places + n * sizeof(gpa), sizeof(gpa));
    return gpa;
}

static struct saved_item item_of(const struct source *source, uint32_t n)
{
    struct saved_item item;
    memcpy(&item, source->at + source->parts.items + n * sizeof(item), sizeof(item));
    return item;
}

/* How many pages from the n-th on lie in the range, in ascending order. */
static uint64_t pages_in(const struct vm *vm, const struct source *source, uint64_t n,
                         const struct config_range *range)
{
    uint64_t count = 0, next = range->base;
    for (; n + count < source->header.pages; count++) {
        uint64_t gpa = place(source, n + count);
        if (gpa < next || gpa - range->base >= range->size || gpa % SAVED_PAGE ||
            !cald_vm_ram(vm->cald, gpa, SAVED_PAGE))
            break;
        next = gpa + SAVED_PAGE;
    }
    return count;
}

/* Each page is one of the VM's, and they come range by range. */
static const char *check_memory(const struct vm *vm, const struct source *source)
{
    const struct vm_config *config = vm->config;
    uint64_t n = 0;
    if (source->header.ranges != config->memory_ranges ||
        memcmp(source->at + source->parts.ranges, config->memory,
               config->memory_ranges * sizeof(struct saved_range)))
        return "memory: other ranges were saved than the VM has";
    for (unsigned r = 0; r < config->memory_ranges; r++)
        n += pages_in(vm, source, n, &config->memory[r]);
    return n == source->header.pages ? NULL : "a page lies where the VM has no memory, or twice";
}

static enum saved_result wrong_item(struct vm *vm, enum saved_result result,
                                    const struct saved_item *item, int error)
{
    char name[48], whose[24] = "";
    cald_item_name(item->item, name, sizeof(name));
    if (item->vcpu != SAVED_OF_VM)
        snprintf(whose, sizeof(whose), "vCPU %u: ", item->vcpu);
    snprintf(vm->saved.said, sizeof(vm->saved.said), "%s: %s%s: %s %#lx",
             result == SAVED_BROKEN ? "can't go on from what was saved" : "not restored", whose,
             name,
             error == CALD_ENOENT  ? "this VM has no such thing to hold"
             : error == CALD_EBUSY ? "a hart has it; it should hold"
                                   : "this VM's can't be",
             item->value);
    return result;
}

/* What a VM is, it says; these are compared and change nothing. */
static bool is_identity(const struct saved_item *item)
{
    return item->vcpu == SAVED_OF_VM && item->item >= CALD_VM && item->item < CALD_PLIC &&
           item->item != CALD_VM + CALD_VM_TIME;
}

static enum saved_result check_identity(struct vm *vm, const struct source *source)
{
    struct cald_vm *cald = vm->cald;
    for (uint32_t n = 0; n < source->header.items; n++) {
        struct saved_item item = item_of(source, n);
        uint64_t now;
        if (item.vcpu != SAVED_OF_VM && item.vcpu >= vm_vcpu_count(vm))
            return refuse(vm, SAVED_REFUSED, "it has more vCPUs than this VM");
        int error = is_identity(&item) ? cald_vm_set(cald, item.item, item.value) : CALD_OK;
        if (error)
            return wrong_item(vm, SAVED_REFUSED, &item, error);
        if (item.vcpu != SAVED_OF_VM || item.item != CALD_VM + CALD_VM_TIME)
            continue;
        /* Where its time can't be set, at least it doesn't go back. */
        if (!cald_vm_time_can_stand(cald) && !cald_vm_get(cald, item.item, &now) &&
            now < item.value)
            return refuse(vm, SAVED_REFUSED,
                          "time: it would go back, and firmware answers this engine's reads of it");
    }
    return SAVED_DONE;
}

static enum saved_result check(struct vm *vm, struct source *source, bool trusted)
{
    const char *wrong = read_header(source);
    if (!wrong && !trusted)
        wrong = check_sum(source);
    if (!wrong)
        wrong = check_memory(vm, source);
    if (!wrong && vm->device_count)
        wrong = "this VM has devices of the board";
    return wrong ? refuse(vm, SAVED_REFUSED, wrong) : check_identity(vm, source);
}

/* ---- Doing it ----------------------------------------------------------------------------------
 */

/* All pages from `gpa` to `end` that are in a range of it are zero. */
static void zero_pages(struct cald_vm *cald, uint64_t gpa, uint64_t end)
{
    for (; gpa < end; gpa += SAVED_PAGE) {
        bulk_zero(cald_vm_ram(cald, gpa, SAVED_PAGE), SAVED_PAGE);
        if (gpa % HOST_YIELD_BYTES == 0)
            host_may_yield();
    }
}

static void write_memory(struct vm *vm, const struct source *source)
{
    uint64_t n = 0;
    for (unsigned r = 0; r < vm->config->memory_ranges; r++) {
        const struct config_range *range = &vm->config->memory[r];
        uint64_t next = range->base, end = range->base + range->size;
        for (; n < source->header.pages && place(source, n) - range->base < range->size; n++) {
            uint64_t gpa = place(source, n);
            zero_pages(vm->cald, next, gpa);
            memcpy(cald_vm_ram(vm->cald, gpa, SAVED_PAGE),
                   source->at + source->parts.pages + n * SAVED_PAGE, SAVED_PAGE);
            next = gpa + SAVED_PAGE;
            if (gpa % HOST_YIELD_BYTES == 0)
                host_may_yield();
        }
        zero_pages(vm->cald, next, end);
    }
}

/* What this VM lacks, and was not used, is not missed. Time that can't be set runs on: see above.
 */
static bool passed_over(const struct saved_item *item, int error)
{
    bool time = item->vcpu == SAVED_OF_VM && item->item == CALD_VM + CALD_VM_TIME;
    return (error == CALD_ENOENT && !item->value) || (error == CALD_ENOTSUP && time);
}

static enum saved_result write_items(struct vm *vm, const struct source *source)
{
    struct cald_vm *cald = vm->cald;
    for (uint32_t n = 0; n < source->header.items; n++) {
        struct saved_item item = item_of(source, n);
        int error = item.vcpu == SAVED_OF_VM
                        ? cald_vm_set(cald, item.item, item.value)
                        : cald_vcpu_set(cald_vm_vcpu(cald, item.vcpu), item.item, item.value);
        if (error && !passed_over(&item, error))
            return wrong_item(vm, SAVED_BROKEN, &item, error);
    }
    return SAVED_DONE;
}

static enum saved_result put(struct vm *vm, struct source *source, bool trusted)
{
    enum saved_result result = check(vm, source, trusted);
    if (result != SAVED_DONE)
        return result;
    vm->lives++; /* messages that are still under way are those of another life */
    atomic_store(&vm->faulted, 0);
    write_memory(vm, source);
    cald_vm_freeze(vm->cald, true);
    cald_vm_reset(vm->cald);
    result = write_items(vm, source);
    if (vm->stopped_at) /* it is paused: its time stands where it was set to */
        vm->stopped_at = host_time();
    cald_vm_freeze(vm->cald, false);
    return result;
}

enum saved_result saved_restore(struct vm *vm, struct vm *from)
{
    struct saved *saved = &from->saved;
    uint32_t users = atomic_load(&saved->users);
    do {
        if (users == SAVED_WRITES)
            return refuse(vm, SAVED_REFUSED, "it is being saved just now");
    } while (!atomic_compare_exchange_weak(&saved->users, &users, users + 1));
    enum saved_result result;
    struct source source = {.at = saved->image, .bytes = saved->bytes};
    if (!saved->bytes)
        result = refuse(vm, SAVED_REFUSED, "nothing is saved");
    else
        result = put(vm, &source, true);
    atomic_fetch_sub(&saved->users, 1);
    if (result == SAVED_DONE)
        snprintf(vm->saved.said, sizeof(vm->saved.said), "restored%s%s", from == vm ? "" : " from ",
                 from == vm ? "" : from->config->name);
    return result;
}

enum saved_result saved_load(struct vm *vm)
{
    const struct config_image *image = &vm->config->state;
    struct source source = {.at = image->data, .bytes = image->size};
    enum saved_result result = put(vm, &source, false);
    if (result == SAVED_DONE)
        snprintf(vm->saved.said, sizeof(vm->saved.said), "goes on from image %.40s", image->name);
    return result;
}
