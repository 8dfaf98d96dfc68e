/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Free memory as a list of runs, in address order, each run described in its own first bytes. There
 * are few takers (VMs being made) and few runs, so the first run that fits is good enough, and any
 * number of runs can be had. Large blocks come from the low end, single pages and what Caldarium
 * takes for itself from the high end, so that they neither cut up what VMs need whole nor lie where
 * a VM with direct-map has to be.
 *
 * Memory given back is zeroed at once and known to be zero, so that no guest's data outlives it and
 * nothing is zeroed twice.
 */
#include <stdbool.h>
#include <string.h>

#include "appliance/bulk.h"
#include "riscv/lock.h"
#include "host/bare/pages.h"
#include "host/host.h"

struct run {
    struct run *next;
    uint64_t bytes;
    bool zeroed; /* all of it, but for this header */
};

static struct lock lock;
static struct run *runs;
static uint64_t free_bytes, total_bytes;
static bool sealed;

/* No lock is held; of small blocks the caller may hold one. */
static void zero(uint8_t *at, uint64_t bytes)
{
    for (; bytes > HOST_YIELD_BYTES; bytes -= HOST_YIELD_BYTES, at += HOST_YIELD_BYTES) {
        bulk_zero(at, HOST_YIELD_BYTES);
        host_may_yield();
    }
    bulk_zero(at, bytes);
}

static void insert(uint8_t *start, uint64_t bytes, bool zeroed)
{
    struct run **at = &runs, *before = NULL;
    while (*at && (uint8_t *)*at < start) {
        before = *at;
        at = &before->next;
    }
    struct run *run = (struct run *)start;
    *run = (struct run){.next = *at, .bytes = bytes, .zeroed = zeroed};
    *at = run;
    struct run *after = run->next;
    if (after && start + bytes == (uint8_t *)after && after->zeroed == zeroed) {
        run->bytes += after->bytes;
        run->next = after->next;
        *after = (struct run){0};
    }
    if (before && (uint8_t *)before + before->bytes == start && before->zeroed == zeroed) {
        before->bytes += run->bytes;
        before->next = run->next;
        *run = (struct run){0};
    }
}

void pages_add(uint64_t pa, uint64_t bytes)
{
    insert(host_va(pa), bytes, false);
    free_bytes += bytes;
    total_bytes += bytes;
}

void pages_seal(void)
{
    total_bytes = free_bytes;
    sealed = true;
}

static uint8_t *place(const struct run *run, uint64_t bytes, uint64_t align, bool high)
{
    uint64_t from = (uint64_t)run, to = from + run->bytes;
    if (run->bytes < bytes)
        return NULL;
    uint64_t at = high ? (to - bytes) & ~(align - 1) : (from + align - 1) & ~(align - 1);
    return at >= from && at <= to - bytes ? (uint8_t *)at : NULL;
}

void *host_pages_alloc(uint64_t bytes, uint64_t align)
{
    bytes = (bytes + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
    uint8_t *block = NULL;
    struct run **at = NULL;
    bool zeroed = false, high = bytes <= 4 * HOST_PAGE_SIZE;
    lock_take(&lock);
    high |= !sealed;
    for (struct run **next = &runs; *next && bytes && (high || !at); next = &(*next)->next) {
        uint8_t *found = place(*next, bytes, align, high);
        if (found)
            block = found, at = next;
    }
    if (block) {
        struct run *run = *at;
        uint8_t *start = (uint8_t *)run, *end = start + run->bytes;
        zeroed = run->zeroed;
        *at = run->next;
        *run = (struct run){0};
        if (block > start)
            insert(start, (uint64_t)(block - start), zeroed);
        if (block + bytes < end)
            insert(block + bytes, (uint64_t)(end - block) - bytes, zeroed);
        free_bytes -= bytes;
    }
    lock_release(&lock);
    if (block && !zeroed)
        zero(block, bytes);
    return block;
}

void *pages_take_top(uint64_t bytes)
{
    struct run *last = NULL;
    for (struct run *run = runs; run; run = run->next) {
        if (run->bytes > bytes) /* what is left begins with its header */
            last = run;
    }
    if (!last)
        return NULL;
    last->bytes -= bytes;
    free_bytes -= bytes;
    return (uint8_t *)last + last->bytes;
}

void *host_pages_claim(uint64_t pa, uint64_t bytes)
{
    uint8_t *block = host_va(pa), *end = block + bytes;
    lock_take(&lock);
    struct run **at = &runs;
    while (*at && (uint8_t *)*at + (*at)->bytes < end)
        at = &(*at)->next;
    struct run *run = *at;
    if (!block || !run || (uint8_t *)run > block || !bytes || end < block) {
        lock_release(&lock);
        return NULL;
    }
    uint8_t *start = (uint8_t *)run, *stop = start + run->bytes;
    bool zeroed = run->zeroed;
    *at = run->next;
    *run = (struct run){0};
    if (block > start)
        insert(start, (uint64_t)(block - start), zeroed);
    if (end < stop)
        insert(end, (uint64_t)(stop - end), zeroed);
    free_bytes -= bytes;
    lock_release(&lock);
    if (!zeroed)
        zero(block, bytes);
    return block;
}

void host_pages_free(void *pages, uint64_t bytes)
{
    bytes = (bytes + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
    zero(pages, bytes);
    lock_take(&lock);
    insert(pages, bytes, true);
    free_bytes += bytes;
    lock_release(&lock);
}

uint64_t host_pages_available(void)
{
    lock_take(&lock);
    uint64_t bytes = free_bytes;
    lock_release(&lock);
    return bytes;
}

uint64_t host_pages_total(void)
{
    return total_bytes;
}
