/* SPDX-License-Identifier: BSD-2-Clause */
/* Sv39 tables for Caldarium itself: W^X, RAM without the image, stacks with guards. */
#include "host/bare/paging.h"

#include "host/bare/layout.h"
#include "host/bare/pages.h"
#include "host/host.h"
#include "riscv/asm.h"

extern char image_start[], text_end[], rodata_end[], image_end[];

/* Not PTE_G: a guest's shadow root has other things at these addresses. */
#define RO (PTE_V | PTE_R | PTE_A)
#define RX (RO | PTE_X)
#define RW (RO | PTE_W | PTE_D)

typedef uint64_t table[512] __attribute__((aligned(4096)));

static table early_root, early_image, early_pages;
static uint64_t *root;
static uint64_t load_pa;
static uint64_t device_next = DEVICE_VA;

static uint64_t pointer(uint64_t pa)
{
    return pa >> 12 << PTE_PPN_SHIFT | PTE_V;
}

/* What the image's page at this offset may be used for. */
static uint64_t image_flags(uint64_t offset)
{
    if (offset < (uint64_t)(text_end - image_start))
        return RX;
    return offset < (uint64_t)(rodata_end - image_start) ? RO : RW;
}

/*
 * Runs before the MMU is on, so every address here is physical, and nothing may be used that holds
 * a link-time pointer. Maps the image where it belongs, and all that DIRECT_VA reaches in 1 GiB
 * pages, for as long as it takes to read the tree and build the real tables.
 */
uint64_t early_tables(uint64_t pa)
{
    load_pa = pa;
    for (uint64_t offset = 0; offset < (uint64_t)(image_end - image_start); offset += 4096)
        early_pages[offset >> 12] = (pa + offset) >> 12 << PTE_PPN_SHIFT | image_flags(offset);
    early_image[IMAGE_VA >> 21 & 511] = pointer((uint64_t)early_pages);
    early_root[IMAGE_VA >> 30 & 511] = pointer((uint64_t)early_image);
    for (uint64_t gib = 0; gib < DIRECT_BYTES >> 30; gib++)
        early_root[(DIRECT_VA >> 30 & 511) + gib] = gib << 30 >> 12 << PTE_PPN_SHIFT | RW;
    return SATP_MODE_SV39 << SATP_MODE_SHIFT | (uint64_t)early_root >> 12;
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
    return (uint64_t)object - IMAGE_VA + load_pa;
}

uint64_t host_pa(const void *va)
{
    return (uint64_t)va - DIRECT_VA;
}

void *host_va(uint64_t pa)
{
    return (void *)(pa + DIRECT_VA);
}

static bool map_page(uint64_t va, uint64_t pa, unsigned level, uint64_t flags)
{
    uint64_t *at = root;
    for (unsigned now = 2; now > level; now--) {
        uint64_t *entry = &at[va >> (12 + 9 * now) & 511];
        if (!*entry) {
            void *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
            if (!page)
                return false;
            *entry = pointer(host_pa(page));
        }
        at = host_va(*entry >> PTE_PPN_SHIFT << 12);
    }
    at[va >> (12 + 9 * level) & 511] = pa >> 12 << PTE_PPN_SHIFT | flags;
    return true;
}

static bool map(uint64_t va, uint64_t pa, uint64_t size, uint64_t flags)
{
    while (size) {
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

/* One run of RAM at its direct-map address, less the image, which has its own mapping. */
static bool map_ram(uint64_t base, uint64_t end)
{
    uint64_t image_from = load_pa, image_to = load_pa + image_size();
    if (end <= image_from || base >= image_to)
        return map(DIRECT_VA + base, base, end - base, RW);
    bool ok = true;
    if (base < image_from)
        ok = map(DIRECT_VA + base, base, image_from - base, RW);
    if (ok && image_to < end)
        ok = map(DIRECT_VA + image_to, image_to, end - image_to, RW);
    return ok;
}

uint64_t host_image_pa(const void *object)
{
    return image_object_pa(object);
}

bool host_table_share(uint64_t va, const uint64_t *table)
{
    uint64_t *entry = &root[va >> 30 & 511];
    if (!*entry) {
        void *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!page)
            return false;
        *entry = pointer(host_pa(page));
    }
    uint64_t *middle = host_va(*entry >> PTE_PPN_SHIFT << 12);
    middle[va >> 21 & 511] = pointer(host_pa(table));
    sfence_vma_all();
    return true;
}

/* start.S: copies the image and goes on in the copy, by the tables of that satp. */
void image_move(void *to, const void *from, uint64_t bytes, uint64_t satp);

/*
 * The image goes to the top of RAM. Where the board's loader puts it is where kernels are linked
 * to run, and a guest with direct-map has to be at just those addresses.
 */
void paging_init(const struct ram_range *ram, unsigned ranges)
{
    uint8_t *home = pages_take_top(image_size());
    if (home)
        load_pa = host_pa(home);
    root = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    bool ok = root != NULL;
    for (uint64_t offset = 0; ok && offset < image_size(); offset += HOST_PAGE_SIZE)
        ok = map_page(IMAGE_VA + offset, load_pa + offset, 0, image_flags(offset));
    for (unsigned n = 0; ok && n < ranges; n++)
        ok = map_ram(ram[n].base, ram[n].base + ram[n].size);
    if (!ok)
        host_panic("no memory for Caldarium's own page tables");
    if (home) {
        image_move(home, image_start, image_size(), paging_satp());
        return;
    }
    csr_write(CSR_SATP, paging_satp());
    sfence_vma_all();
}

uint64_t paging_satp(void)
{
    return SATP_MODE_SV39 << SATP_MODE_SHIFT | host_pa(root) >> 12;
}

volatile void *paging_map_device(uint64_t pa, uint64_t bytes)
{
    uint64_t first = pa & ~(HOST_PAGE_SIZE - 1);
    uint64_t size = (pa + bytes - first + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
    uint64_t va = device_next;
    if (size > STACK_VA - va || !map(va, first, size, RW))
        return NULL;
    device_next = va + size;
    sfence_vma_all();
    return (volatile void *)(va + (pa - first));
}

void *paging_map_stack(unsigned index)
{
    uint64_t top = STACK_VA + (uint64_t)(index + 1) * STACK_STRIDE;
    void *pages = host_pages_alloc(STACK_BYTES, HOST_PAGE_SIZE);
    if (!pages || !map(top - STACK_BYTES, host_pa(pages), STACK_BYTES, RW))
        return NULL;
    sfence_vma_all();
    return (void *)top;
}
