/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest RAM, reached only through checks. */
#include <string.h>

#include "lib/vm/vm.h"
#include "host/host.h"

bool vm_add_ram(struct cald_vm *vm, uint64_t gpa, uint64_t size, uint8_t *host)
{
    if (vm->ram_chunks == VM_RAM_CHUNKS ||
        vm->eng.ops->map(&vm->eng, gpa, host_pa(host), size, ENGINE_MAP_RAM) < 0)
        return false;
    vm->ram[vm->ram_chunks++] = (struct ram_chunk){.gpa = gpa, .size = size, .host = host};
    return true;
}

/* The chunk that holds gpa, and how many bytes follow in it. */
static uint8_t *find(const struct cald_vm *vm, uint64_t gpa, uint64_t *run)
{
    for (unsigned n = 0; n < vm->ram_chunks; n++) {
        const struct ram_chunk *chunk = &vm->ram[n];
        uint64_t offset = gpa - chunk->gpa; /* wraps to something huge when gpa lies below */
        if (offset < chunk->size) {
            *run = chunk->size - offset;
            return chunk->host + offset;
        }
    }
    return NULL;
}

void *vm_ram(const struct cald_vm *vm, uint64_t gpa, uint64_t bytes)
{
    uint64_t run;
    uint8_t *host = find(vm, gpa, &run);
    return host && bytes <= run ? host : NULL;
}

bool vm_read(const struct cald_vm *vm, uint64_t gpa, void *to, uint64_t bytes)
{
    uint8_t *out = to;
    while (bytes) {
        uint64_t run;
        const uint8_t *host = find(vm, gpa, &run);
        if (!host)
            return false;
        uint64_t part = bytes < run ? bytes : run;
        memcpy(out, host, part);
        out += part;
        gpa += part;
        bytes -= part;
    }
    return true;
}

bool vm_write(struct cald_vm *vm, uint64_t gpa, const void *from, uint64_t bytes)
{
    const uint8_t *in = from;
    while (bytes) {
        uint64_t run;
        uint8_t *host = find(vm, gpa, &run);
        if (!host)
            return false;
        uint64_t part = bytes < run ? bytes : run;
        memcpy(host, in, part);
        in += part;
        gpa += part;
        bytes -= part;
    }
    return true;
}

bool vm_is_ram(const struct cald_vm *vm, uint64_t gpa, uint64_t bytes)
{
    while (bytes) {
        uint64_t run;
        if (!find(vm, gpa, &run))
            return false;
        uint64_t part = bytes < run ? bytes : run;
        gpa += part;
        bytes -= part;
    }
    return true;
}
