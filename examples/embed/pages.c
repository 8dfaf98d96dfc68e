/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator: runs of free pages in the order of their addresses, each of which holds in
 * its first page where the next one is. First fit; what is given back grows together with its
 * neighbours, so that memory that was given back whole is one run again.
 */
#include "embed.h"

#include <string.h>

struct run {
    struct run *next;
    uint64_t bytes;
};
static struct run *runs;
static uint64_t free_bytes;
static struct spinlock lock;

static uint64_t whole(uint64_t bytes)
{
    return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* The library writes a doubleword at a time; so does this, where the C library's is a byte's. */
static void zero(uint64_t *at, uint64_t bytes)
{
    for (uint64_t *end = at + bytes / 8; at < end; at += 4)
        at[0] = at[1] = at[2] = at[3] = 0;
}

/* Takes [at, at+bytes) out of the run that *link points to. */
static void *carve(struct run **link, uint64_t at, uint64_t bytes)
{
    struct run *run = *link;
    uint64_t begin = (uint64_t)run, end = begin + run->bytes;
    if (at + bytes < end) {
        struct run *rest = (struct run *)(at + bytes);
        *rest = (struct run){.next = run->next, .bytes = end - at - bytes};
        run->next = rest;
    }
    if (at > begin)
        run->bytes = at - begin;
    else
        *link = run->next;
    free_bytes -= bytes;
    return (void *)at;
}

void *pages_take(uint64_t bytes, uint64_t align)
{
    void *found = NULL;
    uint64_t size = whole(bytes), irq = spin_lock(&lock);
    for (struct run **link = &runs; *link && !found && size >= bytes; link = &(*link)->next) {
        uint64_t begin = (uint64_t)*link, at = (begin + align - 1) & -align;
        if (at - begin < (*link)->bytes && size <= (*link)->bytes - (at - begin)) {
            found = carve(link, at, size);
            break;
        }
    }
    spin_unlock(&lock, irq);
    if (found)
        zero(found, size);
    return found;
}

static bool touch(const struct run *first, const struct run *second)
{
    return first && (uint64_t)first + first->bytes == (uint64_t)second;
}

void pages_give(void *pages, uint64_t bytes)
{
    struct run *run = pages, *before = NULL;
    if (!pages)
        return;
    uint64_t irq = spin_lock(&lock);
    struct run *after = runs;
    while (after && after < run)
        before = after, after = after->next;
    *run = (struct run){.next = after, .bytes = whole(bytes)};
    free_bytes += run->bytes;
    if (touch(run, after))
        run->bytes += after->bytes, run->next = after->next;
    if (touch(before, run))
        before->bytes += run->bytes, before->next = run->next;
    else if (before)
        before->next = run;
    else
        runs = run;
    spin_unlock(&lock, irq);
}

uint64_t pages_free(void)
{
    uint64_t irq = spin_lock(&lock), bytes = free_bytes;
    spin_unlock(&lock, irq);
    return bytes / PAGE;
}
