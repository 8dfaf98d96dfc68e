/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM: taken in runs as long as the host has them. */
#include "appliance/bulk.h"
#include "appliance/bundle/property.h"
#include "appliance/memory.h"
#include "appliance/print.h"
#include "host/host.h"

#define MIB (1UL << 20)
#define GIB (1UL << 30)

void memory_put_back(struct vm *vm)
{
    while (vm->ram_chunks) {
        struct ram_chunk *chunk = &vm->ram[--vm->ram_chunks];
        host_pages_free(chunk->host, chunk->size);
    }
}

static bool kept(const struct vm_config *config)
{
    return config->direct_map || config->served;
}

/*
 * Its place in the machine is fixed, so it is taken once and never given to anybody else; what ran
 * in it is zeroed when the VM ends, as always.
 */
static bool claim(struct vm *vm, struct vm_config *config)
{
    for (unsigned n = 0; n < config->memory_ranges; n++) {
        const struct config_range *range = &config->memory[n];
        uint8_t *host = host_pages_claim(range->base, range->size);
        if (!host) {
            property_refuse(config,
                            "property direct-map: the machine's RAM from %#lx to %#lx is not "
                            "free",
                            range->base, range->base + range->size - 1);
            memory_put_back(vm);
            return false;
        }
        vm->ram[vm->ram_chunks++] =
            (struct ram_chunk){.gpa = range->base, .size = range->size, .host = host};
    }
    return true;
}

static int map(struct vm *vm)
{
    for (unsigned n = 0; n < vm->ram_chunks; n++) {
        const struct ram_chunk *chunk = &vm->ram[n];
        if (cald_vm_slot(vm->cald, SLOT_OF_RAM(n), chunk->gpa, chunk->size, chunk->host,
                         vm->config->served ? 0 : CALD_SLOT_PRIVATE)) {
            vm_error(vm->config->name, "property memory: no memory is left for its page tables");
            return -1;
        }
    }
    return 0;
}

/* Takes one run for [gpa, gpa+size) or a part of it, as long and as well aligned as there is.
 * Returns the bytes it got; 0: no memory is left at all. */
static uint64_t take_run(struct vm *vm, uint64_t gpa, uint64_t size)
{
    if (vm->ram_chunks == VM_RAM_CHUNKS)
        return 0;
    for (uint64_t bytes = size; bytes >= HOST_PAGE_SIZE;
         bytes = bytes / 2 & ~(HOST_PAGE_SIZE - 1)) {
        /* Alike alignment lets the engine map with pages of that size. */
        uint64_t align = bytes >= GIB && !(gpa & (GIB - 1)) ? GIB : HOST_PAGE_SIZE;
        if (align < GIB && bytes >= 2 * MIB && !(gpa & (2 * MIB - 1)))
            align = 2 * MIB;
        uint8_t *host = NULL;
        for (; !host && align >= HOST_PAGE_SIZE; align = align == GIB ? 2 * MIB : align / 512)
            host = host_pages_alloc(bytes, align);
        if (!host)
            continue;
        vm->ram[vm->ram_chunks++] = (struct ram_chunk){.gpa = gpa, .size = bytes, .host = host};
        return bytes;
    }
    return 0;
}

static int take_all(struct vm *vm)
{
    const struct vm_config *config = vm->config;
    uint64_t wanted = 0;
    for (unsigned n = 0; n < config->memory_ranges; n++)
        wanted += config->memory[n].size;
    if (wanted > host_pages_available()) {
        vm_error(config->name, "property memory: %lu MiB wanted, %lu MiB are free", wanted / MIB,
                 host_pages_available() / MIB);
        return -1;
    }
    for (unsigned n = 0; n < config->memory_ranges; n++) {
        uint64_t gpa = config->memory[n].base, left = config->memory[n].size;
        while (left) {
            uint64_t got = take_run(vm, gpa, left);
            if (!got) {
                vm_error(config->name,
                         "property memory: free memory is in too many pieces (limit: %u)",
                         VM_RAM_CHUNKS);
                return -1;
            }
            gpa += got;
            left -= got;
        }
    }
    return 0;
}

int memory_take(struct vm *vm)
{
    if (!kept(vm->config) && take_all(vm))
        return -1;
    return map(vm);
}

bool memory_set_aside(struct vm *vm, struct vm_config *config)
{
    if (config->direct_map)
        return claim(vm, config);
    if (!config->served || !take_all(vm))
        return true;
    memory_put_back(vm);
    property_refuse(config, "property memory: what another VM serves is taken at boot, and is not "
                            "there");
    return false;
}

static void zero_in_place(const struct ram_chunk *chunk)
{
    for (uint64_t at = 0; at < chunk->size; at += HOST_YIELD_BYTES) {
        uint64_t left = chunk->size - at;
        bulk_zero(chunk->host + at, left < HOST_YIELD_BYTES ? left : HOST_YIELD_BYTES);
        host_may_yield();
    }
}

void memory_give_back(struct vm *vm)
{
    for (unsigned n = 0; n < vm->ram_chunks && kept(vm->config); n++)
        zero_in_place(&vm->ram[n]);
    if (!kept(vm->config))
        memory_put_back(vm);
}
