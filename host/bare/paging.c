/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables for Caldarium itself: W^X, RAM without the image, stacks with guards. */
#include "host/bare/paging.h"

#include "host/bare/board.h"
#include "host/bare/firmware.h"
#include "host/bare/layout.h"
#include "host/bare/pages.h"
#include "host/host.h"
#include "riscv/asm.h"
#include "riscv/thead.h"

extern char image_start[], text_end[], rodata_end[], image_end[];
extern const uint32_t relocations[],
    relocations_end[]; /* of the image's pointers, from its start */

#define GIB (1UL << 30)
#define TREE_ROOM (BUNDLE_VA - TREE_VA)
#define BUNDLE_ROOM (DEVICE_VA - BUNDLE_VA)

/* Not PTE_G: a guest's shadow root has other things at these addresses. */
#define RO (PTE_V | PTE_R | PTE_A)
#define RX (RO | PTE_X)
#define RW (RO | PTE_W | PTE_D)

typedef uint64_t table[512] __attribute__((aligned(4096)));

#define ROOT 2 /* the level of Sv39's root */
#define LEVELS_MAX 5
static table early_root, early_image, early_pages, early_above[LEVELS_MAX - ROOT - 1];
static uint64_t *root; /* what Sv39 would have as its root: nothing of ours is outside it */
static uint64_t satp;  /* of the final tables */
static unsigned levels;
static uint64_t lower; /* bytes that everything lies lower than layout.h says */
static uint64_t load_pa;
static uint64_t device_next = DEVICE_VA; /* less `lower` */
static struct ram_window windows[BOARD_RANGES];
static unsigned window_count;
static const uint8_t *bundle;
static struct page_attributes attributes; /* of every leaf, with its permissions */

static uint64_t pointer(uint64_t pa)
{
    return pa >> 12 << PTE_PPN_SHIFT | PTE_V;
}

static unsigned shift_of(unsigned level)
{
    return 12 + 9 * level;
}

/* What the image's page at this offset may be used for. */
static uint64_t image_flags(uint64_t offset)
{
    if (offset < (uint64_t)(text_end - image_start))
        return RX;
    return offset < (uint64_t)(rodata_end - image_start) ? RO : RW;
}

/* What early tables map is whatever firmware's a1 points to, and all RAM: in 1 GiB pages, for as
 * long as it takes to read the tree and build the real tables. */
static void map_early(const struct ram_window *window)
{
    for (uint64_t offset = 0; offset < window->size; offset += GIB)
        early_root[(window->va + offset) >> 30 & 511] =
            (window->pa + offset) >> 12 << PTE_PPN_SHIFT | RW | attributes.memory;
}

/* The first tables need them already: on harts that have page attributes, leaves without any are
 * not cacheable, and atomics there fail. Only T-Head's harts are asked for a register of theirs. */
static void find_attributes(void)
{
    struct sbi_ret vendor = firmware_call(SBI_EXT_BASE, SBI_BASE_GET_MVENDORID, 0, 0, 0);
    if (vendor.error || vendor.value != THEAD_VENDOR_ID)
        return;
    bool ok;
    uint64_t status = csr_try_read(CSR_TH_SXSTATUS, ok);
    attributes = thead_page_attributes((uint64_t)vendor.value, ok ? status : 0);
}

uint64_t host_page_attributes(bool device)
{
    return device ? attributes.device : attributes.memory;
}

static uint64_t satp_of(uint64_t top_pa)
{
    return (SATP_MODE_SV39 + levels - 3) << SATP_MODE_SHIFT | top_pa >> 12;
}

/*
 * A write of a mode that the hart doesn't have has no effect at all (privileged manual, "satp");
 * one that it has is in force at once, so a page as large as the root has leads this code's
 * addresses, which are physical, to themselves.
 */
static void find_levels(uint64_t pa)
{
    uint64_t top = (uint64_t)early_above[0];
    for (levels = LEVELS_MAX; levels > 3; levels--) {
        unsigned shift = shift_of(levels - 1);
        if (pa >> (shift + 8)) /* in no lower half */
            continue;
        uint64_t *entry = &early_above[0][pa >> shift];
        *entry = pa >> shift << (shift - 12 + PTE_PPN_SHIFT) | RW | PTE_X | attributes.memory;
        sfence_vma_all();
        csr_write(CSR_SATP, satp_of(top));
        bool taken = csr_read(CSR_SATP) == satp_of(top);
        csr_write(CSR_SATP, 0);
        sfence_vma_all();
        *entry = 0;
        if (taken)
            break;
    }
    lower = levels > 3 ? 1UL << shift_of(levels - 1) : 0;
}

/* Where all of it is in a table above Sv39's root. */
static unsigned index_above(unsigned level)
{
    return (DIRECT_VA - lower) >> shift_of(level) & 511;
}

static void relocate(void)
{
    for (const uint32_t *at = relocations; at < relocations_end; at++)
        *(uint64_t *)(image_start + *at) -= lower;
}

/*
 * Runs before the MMU is on, so every address here is physical, and nothing may be used that holds
 * a link-time pointer. Maps the image where it belongs, and the board's tree, which may lie
 * anywhere: the GiB where it begins and the next one.
 */
struct early early_tables(uint64_t pa, uint64_t tree)
{
    load_pa = pa;
    find_attributes();
    find_levels(pa);
    relocate();
    device_next -= lower;
    for (uint64_t offset = 0; offset < (uint64_t)(image_end - image_start); offset += 4096)
        early_pages[offset >> 12] =
            (pa + offset) >> 12 << PTE_PPN_SHIFT | image_flags(offset) | attributes.memory;
    early_image[IMAGE_VA >> 21 & 511] = pointer((uint64_t)early_pages);
    early_root[IMAGE_VA >> 30 & 511] = pointer((uint64_t)early_image);
    if (tree < RAM_LIMIT - TREE_ROOM) {
        windows[0] = (struct ram_window){tree & ~(GIB - 1), TREE_VA - lower, TREE_ROOM};
        window_count = 1;
        map_early(&windows[0]);
    }
    uint64_t top = (uint64_t)early_root;
    for (unsigned level = ROOT + 1; level < levels; level++) {
        uint64_t *next = early_above[level - ROOT - 1];
        next[index_above(level)] = pointer(top);
        top = (uint64_t)next;
    }
    return (struct early){satp_of(top), IMAGE_VA - lower};
}

uint64_t image_pa(void)
{
    return load_pa;
}

uint64_t image_size(void)
{
    return (uint64_t)(image_end - image_start);
}

uint64_t image_object_pa(const void *object)
{
    return (uint64_t)object - (uint64_t)image_start + load_pa;
}

/* A board has one window, or few. */
uint64_t host_pa(const void *va)
{
    const struct ram_window *window = windows;
    while ((uint64_t)va - window->va >= window->size) {
        if (++window == windows + window_count)
            panic("%p is not in memory that has a physical address", va);
    }
    return (uint64_t)va - window->va + window->pa;
}

void *host_va(uint64_t pa)
{
    for (const struct ram_window *window = windows; window < windows + window_count; window++) {
        if (pa - window->pa < window->size)
            return (void *)(pa - window->pa + window->va);
    }
    return NULL;
}

void paging_reach(struct ram_range *ram, unsigned *count)
{
    uint64_t before = 0, after = 0;
    for (unsigned n = 0; n < *count; n++)
        before += ram[n].size;
    window_count = ram_windows(ram, count, DIRECT_VA - lower, DIRECT_BYTES, windows);
    for (unsigned n = 0; n < *count; n++)
        after += ram[n].size;
    for (unsigned n = 0; n < window_count; n++)
        map_early(&windows[n]);
    sfence_vma_all();
    if (after < before)
        host_error("%lu MiB of memory above %#lx are not used: %lu GiB of addresses is what "
                   "Caldarium maps",
                   (before - after) >> 20, ram[*count - 1].base + ram[*count - 1].size,
                   DIRECT_BYTES >> 30);
}

static bool map_page(uint64_t va, uint64_t pa, unsigned level, uint64_t flags)
{
    uint64_t *at = root;
    for (unsigned now = ROOT; now > level; now--) {
        uint64_t *entry = &at[va >> shift_of(now) & 511];
        if (!*entry) {
            void *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
            if (!page)
                return false;
            *entry = pointer(host_pa(page));
        }
        at = host_va(*entry >> PTE_PPN_SHIFT << 12);
    }
    at[va >> shift_of(level) & 511] = pa >> 12 << PTE_PPN_SHIFT | flags;
    return true;
}

/* Whole pages. */
static bool map(uint64_t va, uint64_t pa, uint64_t size, uint64_t flags)
{
    while (size >= 4096) {
        unsigned level = 2;
        while (level && ((va | pa) & ((4096UL << 9 * level) - 1) || size < 4096UL << 9 * level))
            level--;
        if (!map_page(va, pa, level, flags))
            return false;
        uint64_t step = 4096UL << 9 * level;
        va += step;
        pa += step;
        size -= step;
    }
    return true;
}

/* RAM that is free, less the image, which has its own mapping. What is firmware's or reserved has
 * none, so nothing reaches it, not even ahead of time. */
static bool map_ram(const struct paging_map *what, const struct ram_range *range)
{
    struct ram_range image = {load_pa, image_size()}, run, part;
    uint64_t at = range->base, end = range->base + range->size;
    while (ram_next_free(what->used, what->used_count, &at, end, &run)) {
        uint64_t inside = run.base;
        while (ram_next_free(&image, 1, &inside, run.base + run.size, &part)) {
            if (!map((uint64_t)host_va(part.base), part.base, part.size, RW | attributes.memory))
                return false;
        }
    }
    return true;
}

/* What is only read: at the same distance from a GiB as in the machine, so that large pages fit. */
static const uint8_t *map_data(uint64_t room_va, uint64_t room, const struct ram_range *data)
{
    uint64_t first = data->base & ~(HOST_PAGE_SIZE - 1), inside = data->base & (GIB - 1);
    if (inside + data->size > room ||
        !map(room_va + (first & (GIB - 1)), first,
             (data->base + data->size - first + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1),
             RO | attributes.memory))
        return NULL;
    return (const uint8_t *)(room_va + inside);
}

const void *paging_bundle(void)
{
    return bundle;
}

uint64_t host_image_pa(const void *object)
{
    return image_object_pa(object);
}

bool host_table_share(uint64_t va, const uint64_t *shared)
{
    uint64_t *entry = &root[va >> 30 & 511];
    if (!shared && !*entry)
        return true;
    if (!*entry) {
        void *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!page)
            return false;
        *entry = pointer(host_pa(page));
    }
    uint64_t *middle = host_va(*entry >> PTE_PPN_SHIFT << 12);
    middle[va >> 21 & 511] = shared ? pointer(host_pa(shared)) : 0;
    sfence_vma_all();
    return true;
}

/* Of the tables above Sv39's root there is one entry each. */
static bool make_satp(void)
{
    uint64_t *top = root;
    for (unsigned level = ROOT + 1; level < levels; level++) {
        uint64_t *next = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!next)
            return false;
        next[index_above(level)] = pointer(host_pa(top));
        top = next;
    }
    satp = satp_of(host_pa(top));
    return true;
}

/* start.S: copies the image and goes on in the copy, by the tables of that satp. */
void image_move(void *to, const void *from, uint64_t bytes, uint64_t satp);

/*
 * The image goes to the top of RAM. Where the board's loader puts it is where kernels are linked
 * to run, and a guest with direct-map has to be at just those addresses.
 */
void paging_init(const struct paging_map *what)
{
    uint8_t *home = pages_take_top(image_size());
    if (home)
        load_pa = host_pa(home);
    root = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    bool ok = root != NULL;
    for (uint64_t offset = 0; ok && offset < image_size(); offset += HOST_PAGE_SIZE)
        ok = map_page((uint64_t)image_start + offset, load_pa + offset, 0,
                      image_flags(offset) | attributes.memory);
    for (unsigned n = 0; ok && n < what->ram_count; n++)
        ok = map_ram(what, &what->ram[n]);
    ok = ok && map_data(TREE_VA - lower, TREE_ROOM, &what->tree) && make_satp();
    if (!ok)
        panic("no memory for Caldarium's own page tables");
    if (what->bundle.size) {
        bundle = map_data(BUNDLE_VA - lower, BUNDLE_ROOM, &what->bundle);
        if (!bundle)
            host_error("the bundle at %#lx can't be mapped: %lu MiB are more than %lu GiB, or no "
                       "memory is left",
                       what->bundle.base, what->bundle.size >> 20, (BUNDLE_ROOM >> 30) - 1);
    }
    if (home) {
        image_move(home, image_start, image_size(), paging_satp());
        return;
    }
    csr_write(CSR_SATP, paging_satp());
    sfence_vma_all();
}

uint64_t paging_linked(uint64_t va)
{
    return va - (uint64_t)image_start + IMAGE_VA;
}

bool paging_apart(void)
{
    return levels > 3;
}

uint64_t paging_satp(void)
{
    return satp;
}

volatile void *paging_map_device(uint64_t pa, uint64_t bytes)
{
    uint64_t first = pa & ~(HOST_PAGE_SIZE - 1);
    uint64_t size = (pa + bytes - first + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
    uint64_t va = device_next;
    if (size > STACK_VA - lower - va || !map(va, first, size, RW | attributes.device))
        return NULL;
    device_next = va + size;
    sfence_vma_all();
    return (volatile void *)(va + (pa - first));
}

uint64_t paging_stack_index(const void *inside)
{
    return ((uint64_t)inside - (STACK_VA - lower)) / STACK_STRIDE;
}

void *paging_map_stack(unsigned index)
{
    uint64_t top = STACK_VA - lower + (uint64_t)(index + 1) * STACK_STRIDE;
    void *pages = host_pages_alloc(STACK_BYTES, HOST_PAGE_SIZE);
    if (!pages)
        return NULL;
    /* What can fail is the table for it, of which a stride is a part: no leaf is left then. */
    if (!map(top - STACK_BYTES, host_pa(pages), STACK_BYTES, RW | attributes.memory)) {
        host_pages_free(pages, STACK_BYTES);
        return NULL;
    }
    sfence_vma_all();
    return (void *)top;
}
