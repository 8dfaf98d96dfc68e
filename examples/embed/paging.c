/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our own page tables: RAM in one piece from LINEAR_VA on, the image by pages, each with the
 * permissions of what is in it. They are made as Sv39's; Sv48 and Sv57 put a table or two above,
 * for all addresses are in the upper 256 GiB, which these have at the same place.
 */
#include "embed.h"

#include <string.h>

#define GIB (1UL << 30)
#define BLOCK (2 * MIB)
#define PTE_V 1UL
#define RO 0x43UL /* V, R, A */
#define RX 0x4bUL
#define RW 0xc7UL /* and D */

typedef uint64_t table[512] __attribute__((aligned(4096)));
static table root, upper[2], linear[LINEAR_GIB], image_middle, image_last, device_middle;
static uint64_t load_base, device_next = DEVICE_VA;
static unsigned levels_now = 3;
uint64_t memory_base;

extern char text_end[], rodata_end[];

static uint64_t pointer(uint64_t pa)
{
    return pa >> 12 << 10 | PTE_V;
}

static uint64_t image_size(void)
{
    return (uint64_t)(image_end - image_start);
}

static uint64_t index_of(uint64_t va, unsigned level)
{
    return va >> (12 + 9 * level) & 511;
}

static uint64_t permissions(uint64_t offset)
{
    if (offset < (uint64_t)(text_end - image_start))
        return RX;
    return offset < (uint64_t)(rodata_end - image_start) ? RO : RW;
}

/* Before the MMU is on: each address here is a physical one. */
uint64_t paging_early(uint64_t load_pa)
{
    load_base = load_pa;
    memory_base = load_pa & ~(GIB - 1); /* the kernel is where RAM begins, or near */
    for (uint64_t at = 0; at < image_size(); at += PAGE)
        image_last[at / PAGE] = pointer(load_pa + at) | permissions(at);
    image_middle[index_of(IMAGE_VA, 1)] = pointer((uint64_t)image_last);
    root[index_of(IMAGE_VA, 2)] = pointer((uint64_t)image_middle);
    root[index_of(DEVICE_VA, 2)] = pointer((uint64_t)device_middle);
    for (unsigned n = 0; n < LINEAR_GIB; n++)
        root[index_of(LINEAR_VA, 2) + n] = pointer((uint64_t)linear[n]);
    return 8UL << 60 | (uint64_t)root >> 12;
}

void paging_map_ram(uint64_t pa, uint64_t bytes)
{
    for (uint64_t at = pa & ~(BLOCK - 1); at < pa + bytes; at += BLOCK) {
        uint64_t offset = at - memory_base;
        if (offset < LINEAR_GIB * GIB)
            linear[offset / GIB][offset / BLOCK % 512] = pointer(at) | RW;
    }
    __asm__ volatile("sfence.vma" ::: "memory");
}

volatile uint8_t *paging_map_device(uint64_t pa)
{
    uint64_t va = device_next;
    device_middle[index_of(va, 1)] = pointer(pa & ~(BLOCK - 1)) | RW;
    device_next += BLOCK;
    __asm__ volatile("sfence.vma" ::: "memory");
    return (volatile uint8_t *)(va + (pa & (BLOCK - 1)));
}

/* satp keeps its value if the hart has no such mode (privileged manual, "satp"). */
unsigned paging_levels(unsigned levels)
{
    uint64_t at = pa_of(root);
    for (unsigned n = 0; n + 3 < levels && n < 2; n++) {
        upper[n][511] = pointer(at);
        at = pa_of(upper[n]);
    }
    csr_write(satp, (levels + 5UL) << 60 | at >> 12);
    __asm__ volatile("sfence.vma" ::: "memory");
    levels_now = (unsigned)(csr_read(satp) >> 60) - 5;
    return levels_now;
}

uint64_t pa_of(const void *va)
{
    uint64_t at = (uint64_t)va;
    return at >= IMAGE_VA ? at - IMAGE_VA + load_base : at - LINEAR_VA + memory_base;
}

void *va_of(uint64_t pa)
{
    return pa - memory_base < LINEAR_GIB * GIB ? (void *)(pa - memory_base + LINEAR_VA) : NULL;
}

static uint64_t *table_at(uint64_t pa)
{
    uint64_t inside = pa - load_base;
    return inside < image_size() ? (uint64_t *)(IMAGE_VA + inside) : va_of(pa);
}

static bool is_empty(const uint64_t *at)
{
    for (unsigned n = 0; n < 512; n++) {
        if (at[n])
            return false;
    }
    return true;
}

/* Tables on the way are made where they are not there, and go with their last entry. */
static bool share(uint64_t *at, unsigned level, uint64_t va, uint64_t entry)
{
    uint64_t *to = &at[index_of(va, level)];
    if (level == 1) {
        *to = entry;
        return true;
    }
    if (!*to) {
        void *page = entry ? pages_take(PAGE, PAGE) : NULL;
        if (!page)
            return !entry;
        *to = pointer(pa_of(page));
    }
    uint64_t *below = table_at(*to >> 10 << 12);
    bool good = share(below, level - 1, va, entry);
    if (is_empty(below)) {
        *to = 0;
        pages_give(below, PAGE);
    }
    return good;
}

/* A table of 512 pages at `va`, which the library wants where nothing of ours is; NULL: no more.
 * All harts use these tables. */
bool paging_share(uint64_t va, const uint64_t *last_level)
{
    uint64_t *top = levels_now > 3 ? upper[levels_now - 4] : root;
    bool good = share(top, levels_now - 1, va, last_level ? pointer(pa_of(last_level)) : 0);
    harts_flush();
    return good;
}
