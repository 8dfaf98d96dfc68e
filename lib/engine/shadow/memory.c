/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's memory as a walk of its tables, and a fetch of its instructions, reach it. */
#include "lib/engine/shadow/shadow.h"
#include "caldarium/host.h"

uint64_t s_ram_bytes(const struct engine_vm *vm)
{
    uint64_t ram = 0;
    for (unsigned n = 0; n < vm->memory.slots; n++) {
        const struct slot *slot = &vm->memory.slot[n];
        ram += slot->va || slot_flags(slot) & SLOT_BY_PAGE ? slot_size(slot) : 0;
    }
    return ram;
}

static __attribute__((noinline)) uint8_t *single(struct engine_vm *vm, uint64_t gpa,
                                                 enum memory_how how)
{
    uint8_t *va;
    uint64_t run;
    return memory_reach(&vm->memory, gpa, how, &va, &run) == MEMORY_HERE ? va : NULL;
}

uint8_t *s_ram(struct engine_vm *vm, uint64_t gpa)
{
    const struct slot *slot = memory_slot(&vm->memory, gpa);
    if (slot && slot->va)
        return slot->va + (gpa - slot->gpa);
    return slot ? single(vm, gpa, MEMORY_READ) : NULL;
}

_Atomic uint64_t *s_word_to_write(struct engine_vm *vm, uint64_t gpa)
{
    _Atomic uint64_t *word = (_Atomic uint64_t *)single(vm, gpa, MEMORY_WRITE);
    if (word)
        memory_wrote(&vm->memory, gpa, sizeof(*word));
    return word;
}

bool s_absent(struct engine_vcpu *v, uint64_t gpa, bool write)
{
    uint8_t *va;
    uint64_t run;
    enum memory_how how = write ? MEMORY_WRITE : MEMORY_READ;
    if (memory_reach(&v->vm->memory, gpa, how, &va, &run) == MEMORY_NOTHING)
        return false;
    engine_absent(v, gpa, write); /* or it has come meanwhile: then the host has nothing to do */
    return true;
}
