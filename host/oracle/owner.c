/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has each page. A word for each, of kind and VM; the allocator's calls come through here. What
 * is taken on the stack of a VM's builder is that VM's; all else is Caldarium's own.
 */
#include "host/oracle/oracle.h"

#include <stdio.h>

#include "caldarium/caldarium.h"
#include "host/bare/board.h"
#include "host/bare/paging.h"
#include "host/host.h"

#define KIND_SHIFT 8
#define VM_BITS 0xffU

static _Atomic uint16_t *owners;
static uint64_t first, pages; /* the numbers of the pages that have a word */

void *__real_host_pages_alloc(uint64_t bytes, uint64_t align);
void *__real_host_pages_claim(uint64_t pa, uint64_t bytes);
void __real_host_pages_free(void *block, uint64_t bytes);
void *__wrap_host_pages_alloc(uint64_t bytes, uint64_t align);
void *__wrap_host_pages_claim(uint64_t pa, uint64_t bytes);
void __wrap_host_pages_free(void *block, uint64_t bytes);

void owner_begin(void)
{
    uint64_t end = 0;
    first = UINT64_MAX;
    for (unsigned n = 0; n < board_tree.ram_count; n++) {
        const struct ram_range *ram = &board_tree.ram[n];
        if (ram->base / HOST_PAGE_SIZE < first)
            first = ram->base / HOST_PAGE_SIZE;
        if ((ram->base + ram->size) / HOST_PAGE_SIZE > end)
            end = (ram->base + ram->size) / HOST_PAGE_SIZE;
    }
    pages = end - first;
    owners = __real_host_pages_alloc(pages * sizeof(*owners), HOST_PAGE_SIZE);
    if (!owners)
        panic("oracle: no memory for the owners of %lu pages", pages);
    host_print("oracle   an owner for each of %lu pages", pages);
}

static _Atomic uint16_t *word_of(uint64_t pa)
{
    uint64_t page = pa / HOST_PAGE_SIZE;
    return owners && page - first < pages ? &owners[page - first] : NULL;
}

static struct owner read_word(const _Atomic uint16_t *word)
{
    uint16_t value = atomic_load(word);
    return (struct owner){value >> KIND_SHIFT, value & VM_BITS};
}

static bool is_ram(uint64_t pa)
{
    for (unsigned n = 0; n < board_tree.ram_count; n++) {
        if (pa - board_tree.ram[n].base < board_tree.ram[n].size)
            return true;
    }
    return false;
}

bool owner_of(uint64_t pa, struct owner *owner)
{
    const _Atomic uint16_t *word = is_ram(pa) ? word_of(pa) : NULL;
    if (word)
        *owner = read_word(word);
    return word;
}

const char *owner_name(const struct owner *owner)
{
    static const char *const kinds[] = {"nobody's", "free", "taken by", "RAM of",
                                        "shared memory of"};
    static char text[80];
    if (owner->kind <= OWNER_FREE)
        return kinds[owner->kind];
    snprintf(text, sizeof(text), "%s %s", kinds[owner->kind],
             owner->vm ? vms[owner->vm - 1].config->name : "Caldarium");
    return text;
}

static void set(uint64_t pa, uint64_t bytes, struct owner owner)
{
    for (uint64_t at = pa; at < pa + bytes; at += HOST_PAGE_SIZE) {
        _Atomic uint16_t *word = word_of(at);
        if (word)
            atomic_store(word, (uint16_t)((unsigned)owner.kind << KIND_SHIFT | owner.vm));
    }
}

/* For whom this stack works. */
static unsigned caller(void)
{
    uint64_t n = paging_stack_index(__builtin_frame_address(0)) - BOARD_HARTS;
    return n < VM_MAX ? (unsigned)n + 1 : 0;
}

/* Nobody has it, and nothing is left in it of who had it. */
static void given_out(void *block, uint64_t bytes)
{
    if (!owners || !block)
        return;
    uint64_t pa = host_pa(block);
    for (uint64_t at = 0; at < bytes; at += HOST_PAGE_SIZE) {
        struct owner owner;
        const uint64_t *word = (const uint64_t *)((uint8_t *)block + at);
        if (!owner_of(pa + at, &owner) || owner.kind > OWNER_FREE)
            panic("oracle: page %#lx is given out, and is %s", pa + at, owner_name(&owner));
        for (unsigned n = 0; n < HOST_PAGE_SIZE / sizeof(*word); n++) {
            if (word[n])
                panic("oracle: page %#lx is given out, and has %#lx at byte %zu: it is not zeroed",
                      pa + at, word[n], n * sizeof(*word));
        }
        if (!((at + HOST_PAGE_SIZE) % HOST_YIELD_BYTES))
            host_may_yield(); /* as the allocator itself does */
    }
    set(pa, bytes, (struct owner){OWNER_OWN, caller()});
}

static uint64_t whole(uint64_t bytes)
{
    return (bytes + HOST_PAGE_SIZE - 1) & ~(HOST_PAGE_SIZE - 1);
}

void *__wrap_host_pages_alloc(uint64_t bytes, uint64_t align)
{
    void *block = __real_host_pages_alloc(bytes, align);
    given_out(block, whole(bytes));
    return block;
}

void *__wrap_host_pages_claim(uint64_t pa, uint64_t bytes)
{
    void *block = __real_host_pages_claim(pa, bytes);
    given_out(block, whole(bytes));
    return block;
}

/* RAM goes when its VM ends, with no device that reaches it. */
static void comes_back(uint64_t pa, const struct owner *owner)
{
    if (owner->kind == OWNER_FREE)
        panic("oracle: page %#lx is given back, and is free", pa);
    if (owner->kind == OWNER_RAM && !walk_is_changing(owner->vm - 1))
        panic("oracle: page %#lx is given back, and is RAM of VM %s, which runs", pa,
              vms[owner->vm - 1].config->name);
}

void __wrap_host_pages_free(void *block, uint64_t bytes)
{
    struct owner owner = {OWNER_UNKNOWN, 0};
    uint64_t pa = owners ? host_pa(block) : 0;
    for (uint64_t at = 0; owners && at < whole(bytes); at += HOST_PAGE_SIZE) {
        if (owner_of(pa + at, &owner))
            comes_back(pa + at, &owner);
    }
    if (owner.kind == OWNER_RAM)
        walk_no_device(&vms[owner.vm - 1]);
    set(pa, owners ? whole(bytes) : 0, (struct owner){OWNER_FREE, 0});
    bool dirty = plant_is("dirty") && owner.kind == OWNER_RAM;
    __real_host_pages_free(block, bytes);
    if (dirty) /* behind what the allocator notes there */
        ((volatile uint64_t *)block)[256] = 0x5ec7e7;
}

/* Whose RAM it is to be, and one: the VM's own, or one's that it serves devices to; 0: nobody's. */
static unsigned whose_ram(const struct vm *vm, uint64_t pa)
{
    for (unsigned n = 0; n <= (vm->driver ? vm->driver->windows : 0); n++) {
        const struct vm *whose = n ? vm->driver->window[n - 1].client : vm;
        if (n && vm->driver->window[n - 1].device)
            continue; /* a window that is Caldarium's: has_shared() */
        for (unsigned c = 0; c < whose->ram_chunks; c++) {
            if (pa - host_pa(whose->ram[c].host) < whose->ram[c].size)
                return whose->index + 1;
        }
    }
    return 0;
}

/* Taken at boot, by Caldarium, and its for good. */
static bool is_kept(unsigned vm)
{
    return vms[vm - 1].config->direct_map || vms[vm - 1].config->served;
}

void owner_enters(const struct vm *vm, uint64_t pa, uint64_t bytes, uint32_t flags)
{
    for (uint64_t at = pa; at < pa + bytes; at += HOST_PAGE_SIZE) {
        struct owner owner;
        unsigned ram = flags & CALD_SLOT_DEVICE ? 0 : whose_ram(vm, at);
        bool known = owner_of(at, &owner), right;
        if (flags & CALD_SLOT_DEVICE)
            right = !known;
        else if (ram)
            right = known && (owner.kind == OWNER_OWN || owner.kind == OWNER_RAM) &&
                    (owner.vm == ram || (!owner.vm && is_kept(ram)));
        else
            right = known && !owner.vm && owner.kind >= OWNER_OWN && owner.kind != OWNER_RAM;
        if (!right)
            panic("oracle: VM %s is to have page %#lx, which is %s", vm->config->name, at,
                  known ? owner_name(&owner) : "no RAM");
        if (known)
            set(at, HOST_PAGE_SIZE,
                ram ? (struct owner){OWNER_RAM, ram} : (struct owner){OWNER_SHARED, 0});
    }
}
