/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's memory as its host gives it and takes it away, and the library's own accesses to it.
 *
 * vCPUs run meanwhile. What they hold of guest memory (leaves of tables, pointers, a slot that they
 * are at reading) they hold no longer than until they look at their mail; so whoever takes
 * something away first takes it from where vCPUs find it, then sends each of them MAIL_FORGET, and
 * waits until each has answered since, or is where it runs no guest code and looks at its mail
 * before it does. settle() is that, and has seq_cst semantics: what was written before it is seen
 * by each vCPU after it.
 */
#include <string.h>

#include "caldarium/caldarium.h"
#include "lib/vm/vm.h"
#include "host/host.h"

#define PAGE_MASK (HOST_PAGE_SIZE - 1)
#define BATCH (512 * HOST_PAGE_SIZE) /* taken away with the lock held */
#define PUBLIC_FLAGS                                                                               \
    (CALD_SLOT_READ_ONLY | CALD_SLOT_LOG_DIRTY | CALD_SLOT_DEVICE | CALD_SLOT_PRIVATE)
_Static_assert((int)CALD_SLOT_READ_ONLY == (int)SLOT_READ_ONLY &&
                   (int)CALD_SLOT_LOG_DIRTY == (int)SLOT_LOG_DIRTY &&
                   (int)CALD_SLOT_DEVICE == (int)SLOT_DEVICE &&
                   (int)CALD_SLOT_PRIVATE == (int)SLOT_PRIVATE,
               "one set of numbers");

/* Until every vCPU that could run guest code has answered mail of that number, or a later one. */
static void wait_for(struct cald_vm *vm, uint64_t number)
{
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct cald_vcpu *vcpu = &vm->vcpus[n];
        while (atomic_load(&vcpu->forgets_seen) < number && vcpu_may_run(vcpu)) {
        }
    }
}

static void settle(struct cald_vm *vm)
{
    struct memory *memory = &vm->eng.memory;
    uint64_t number = atomic_fetch_add(&memory->forgets, 1) + 1;
    host_kicks_begin();
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        vcpu_mail(&vm->vcpus[n], MAIL_FORGET);
    host_kicks_end(); /* before anybody is waited for */
    wait_for(vm, number);
    uint64_t before = atomic_load(&memory->settled);
    while (before < number && !atomic_compare_exchange_weak(&memory->settled, &before, number)) {
    }
}

static struct slot *slot_of(struct cald_vm *vm, uint32_t number)
{
    struct memory *memory = &vm->eng.memory;
    for (unsigned n = 0; n < memory->slots; n++) {
        if (slot_size(&memory->slot[n]) && memory->slot[n].number == number)
            return &memory->slot[n];
    }
    return NULL;
}

/* Registers of one device may be in two slots that lead to the same place. */
static bool overlaps(const struct memory *memory, uint64_t gpa, uint64_t size, uint64_t pa,
                     uint32_t flags)
{
    for (unsigned n = 0; n < memory->slots; n++) {
        const struct slot *slot = &memory->slot[n];
        bool same = flags & slot_flags(slot) & SLOT_DEVICE && pa - gpa == slot->pa - slot->gpa;
        if (!same && gpa - slot->gpa < slot_size(slot))
            return true;
        if (!same && slot_size(slot) && slot->gpa - gpa < size)
            return true;
    }
    return false;
}

/* With the slot's size 0, or its flags changed: its leaves in tables of the VM's go, or lose W. */
static void drop_leaves(struct cald_vm *vm, uint64_t gpa, uint64_t size,
                        void (*change)(struct engine_vm *, uint64_t, uint64_t))
{
    struct memory *memory = &vm->eng.memory;
    for (uint64_t at = 0; at < size; at += BATCH) {
        lock_take(&memory->lock);
        atomic_fetch_add(&memory->forgets, 1);
        memory_drop_all(memory);
        if (change)
            change(&vm->eng, gpa + at, size - at < BATCH ? size - at : BATCH);
        lock_release(&memory->lock);
    }
}

/* An IOMMU uses the engine's table, and isn't told of what goes: `pinned`. */
static int take_away(struct cald_vm *vm, struct slot *slot)
{
    if (vm->eng.memory.pinned)
        return CALD_EBUSY;
    uint64_t size = atomic_exchange(&slot->size, 0);
    drop_leaves(vm, slot->gpa, size, vm->eng.ops->unmap);
    settle(vm);
    slot_end(slot, size);
    return CALD_OK;
}

static int add(struct cald_vm *vm, uint32_t number, uint64_t gpa, uint64_t size, uint64_t pa,
               uint32_t flags)
{
    const struct engine_ops *ops = vm->eng.ops;
    if (vm->eng.memory.pinned && flags & SLOT_SINGLE)
        return CALD_EBUSY;
    struct slot *slot = slot_begin(&vm->eng.memory, gpa, size, pa, flags);
    if (!slot)
        return CALD_ENOMEM;
    slot->number = number;
    bool entered = !ops->enter || ops->enter(&vm->eng, slot, size) == 0;
    if (!entered)
        drop_leaves(vm, gpa, size, ops->unmap);
    settle(vm); /* whoever finds its size from now on finds the rest of it too */
    if (!entered) {
        slot_end(slot, size);
        return CALD_ENOMEM;
    }
    atomic_store(&slot->size, size);
    return CALD_OK;
}

static void set_flags(struct slot *slot, uint32_t flags)
{
    atomic_store(&slot->flags, flags);
    atomic_store(&slot->mask, slot_mask_of(flags));
}

/* Its leaves become single pages that don't have W until their bit is set. */
static int log_begin(struct cald_vm *vm, struct slot *slot, uint32_t flags)
{
    const struct engine_ops *ops = vm->eng.ops;
    uint32_t before = slot_flags(slot);
    uint64_t size = slot_size(slot);
    if (vm->eng.memory.pinned)
        return CALD_EBUSY;
    if (!slot_log_begin(slot, size))
        return CALD_ENOMEM;
    settle(vm); /* who sees the flag sees the bits */
    set_flags(slot, flags);
    if (ops->enter && ops->enter(&vm->eng, slot, size) < 0) {
        set_flags(slot, before);
        settle(vm);
        slot_log_end(slot, size);
        return CALD_ENOMEM;
    }
    return CALD_OK;
}

static int change(struct cald_vm *vm, struct slot *slot, uint32_t flags)
{
    uint32_t before = slot_flags(slot), now = flags | (before & SLOT_BY_PAGE);
    bool less = now & ~before & (SLOT_READ_ONLY | SLOT_LOG_DIRTY);
    bool log_ends = before & ~now & SLOT_LOG_DIRTY;
    if ((before ^ now) & SLOT_DEVICE)
        return CALD_EINVAL;
    if (now & ~before & SLOT_LOG_DIRTY) {
        int error = log_begin(vm, slot, now);
        if (error)
            return error;
    }
    set_flags(slot, now);
    if (less)
        drop_leaves(vm, slot->gpa, slot_size(slot), vm->eng.ops->protect);
    if (less || log_ends)
        settle(vm);
    if (log_ends) /* and nobody is at setting a bit any more */
        slot_log_end(slot, slot_size(slot));
    return CALD_OK;
}

int cald_vm_slot(struct cald_vm *vm, uint32_t number, uint64_t gpa, uint64_t size, void *pages,
                 uint32_t flags)
{
    bool device = flags & CALD_SLOT_DEVICE;
    uint64_t end = vm->eng.gpa_end, address = (uint64_t)pages;
    if (!vm->open)
        return CALD_EBUSY;
    if (number == SLOT_NO_NUMBER || flags & ~PUBLIC_FLAGS)
        return CALD_EINVAL;
    struct slot *slot = slot_of(vm, number);
    if (!size)
        return slot ? take_away(vm, slot) : CALD_ENOENT;
    if ((gpa | size | address) & PAGE_MASK || size > end || gpa > end - size ||
        address + size < address || (device && flags & CALD_SLOT_LOG_DIRTY))
        return CALD_EINVAL;
    uint64_t pa = device ? address : pages ? host_pa(pages) : 0;
    if (!pages && !device)
        flags |= SLOT_BY_PAGE;
    if (slot) {
        bool same = slot->gpa == gpa && slot_size(slot) == size && slot->pa == pa &&
                    !((slot_flags(slot) ^ flags) & (SLOT_BY_PAGE | SLOT_PRIVATE));
        return same ? change(vm, slot, flags) : CALD_EBUSY;
    }
    if (overlaps(&vm->eng.memory, gpa, size, pa, flags))
        return CALD_EBUSY;
    return add(vm, number, gpa, size, pa, flags);
}

/* The part of a slot in [gpa, end). */
static void forget_part(struct cald_vm *vm, const struct slot *slot, uint64_t gpa, uint64_t end)
{
    struct memory *memory = &vm->eng.memory;
    for (; gpa < end; gpa += BATCH) {
        uint64_t size = end - gpa < BATCH ? end - gpa : BATCH;
        lock_take(&memory->lock);
        atomic_fetch_add(&memory->forgets, 1);
        bool some = memory_drop(memory, slot, gpa, size);
        if (some && vm->eng.ops->unmap)
            vm->eng.ops->unmap(&vm->eng, gpa, size);
        if (some)
            atomic_store(&memory->dropped, atomic_load(&memory->forgets));
        lock_release(&memory->lock);
    }
}

void cald_vm_forget(struct cald_vm *vm, uint64_t gpa, uint64_t size)
{
    struct memory *memory = &vm->eng.memory;
    uint64_t first = gpa & ~PAGE_MASK, last = gpa + size - 1 < gpa ? UINT64_MAX : gpa + size - 1;
    for (unsigned n = 0; n < memory->slots && size; n++) {
        const struct slot *slot = &memory->slot[n];
        uint64_t bytes = slot_size(slot), slot_last = slot->gpa + bytes - 1;
        if (!bytes || first > slot_last || last < slot->gpa ||
            (memory->pinned && !(slot_flags(slot) & SLOT_BY_PAGE)))
            continue;
        uint64_t from = first > slot->gpa ? first : slot->gpa;
        uint64_t to = (last < slot_last ? last : slot_last) | PAGE_MASK;
        forget_part(vm, slot, from, to + 1);
    }
    /* What nobody knew of nobody reaches, unless another thread is at taking it away too. */
    if (atomic_load(&memory->settled) < atomic_load(&memory->dropped))
        settle(vm);
}

/* Takes and clears 64 bits, and has the next store to each of these pages set its bit anew. */
static uint64_t take_dirty(struct cald_vm *vm, const struct slot *slot, uint64_t word)
{
    struct memory *memory = &vm->eng.memory;
    if (!atomic_load(memory_word(slot->dirty, word)))
        return 0;
    lock_take(&memory->lock);
    atomic_fetch_add(&memory->forgets, 1);
    uint64_t bits = atomic_exchange(memory_word(slot->dirty, word), 0);
    for (uint64_t left = bits; left && vm->eng.ops->protect; left &= left - 1) {
        uint64_t page = word * 64 + (unsigned)__builtin_ctzll(left);
        vm->eng.ops->protect(&vm->eng, slot->gpa + page * HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    }
    if (bits)
        memory_drop_all(memory);
    lock_release(&memory->lock);
    return bits;
}

int cald_vm_dirty(struct cald_vm *vm, uint32_t number, uint64_t *bitmap, uint64_t words)
{
    const struct slot *slot = slot_of(vm, number);
    if (!slot)
        return CALD_ENOENT;
    uint64_t needed = (slot_size(slot) / HOST_PAGE_SIZE + 63) / 64, any = 0;
    if (!(slot_flags(slot) & SLOT_LOG_DIRTY) || words < needed)
        return CALD_EINVAL;
    for (uint64_t n = 0; n < words; n++) {
        bitmap[n] = n < needed ? take_dirty(vm, slot, n) : 0;
        any |= bitmap[n];
    }
    if (any)
        settle(vm);
    return CALD_OK;
}

/* What a vCPU executes of it in another form is made anew before its next instruction. */
static void tell_engine(struct cald_vm *vm, uint64_t gpa, uint64_t bytes)
{
    if (!vm->eng.ops->wrote || !vm->eng.ops->wrote(&vm->eng, gpa, bytes))
        return;
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        vcpu_mail(&vm->vcpus[n], MAIL_TABLES);
}

/* Copies as long as there is something at gpa. */
static enum memory_is copy(struct cald_vm *vm, uint64_t gpa, uint8_t *buffer, uint64_t bytes,
                           enum memory_how how, uint64_t *where)
{
    while (bytes) {
        uint8_t *va;
        uint64_t run;
        *where = gpa;
        enum memory_is is = memory_reach(&vm->eng.memory, gpa, how, &va, &run);
        if (is != MEMORY_HERE)
            return is;
        uint64_t part = bytes < run ? bytes : run;
        if (how == MEMORY_WRITE) {
            memcpy(va, buffer, part);
            memory_wrote(&vm->eng.memory, gpa, part);
            tell_engine(vm, gpa, part);
        } else {
            memcpy(buffer, va, part);
        }
        buffer += part;
        gpa += part;
        bytes -= part;
    }
    return MEMORY_HERE;
}

static int answer(enum memory_is is)
{
    return is == MEMORY_HERE ? CALD_OK : is == MEMORY_ABSENT ? CALD_EAGAIN : CALD_EFAULT;
}

int cald_vm_read(struct cald_vm *vm, uint64_t gpa, void *to, uint64_t bytes)
{
    uint64_t where;
    return answer(copy(vm, gpa, to, bytes, MEMORY_READ, &where));
}

int cald_vm_write(struct cald_vm *vm, uint64_t gpa, const void *from, uint64_t bytes)
{
    uint64_t where;
    return answer(copy(vm, gpa, (uint8_t *)from, bytes, MEMORY_WRITE, &where));
}

static int reach_word(struct cald_vm *vm, uint64_t gpa, uint32_t width, enum memory_how how,
                      uint8_t **va)
{
    uint64_t run;
    if ((width != 2 && width != 4 && width != 8) || gpa & (width - 1))
        return CALD_EINVAL;
    return answer(memory_reach(&vm->eng.memory, gpa, how, va, &run)); /* no page ends in a word */
}

int cald_vm_load(struct cald_vm *vm, uint64_t gpa, uint32_t width, uint64_t *value)
{
    uint8_t *va;
    int error = reach_word(vm, gpa, width, MEMORY_READ, &va);
    if (error)
        return error;
    if (width == 2)
        *value = __atomic_load_n((uint16_t *)va, __ATOMIC_ACQUIRE);
    else if (width == 4)
        *value = __atomic_load_n((uint32_t *)va, __ATOMIC_ACQUIRE);
    else
        *value = __atomic_load_n((uint64_t *)va, __ATOMIC_ACQUIRE);
    return CALD_OK;
}

int cald_vm_store(struct cald_vm *vm, uint64_t gpa, uint32_t width, uint64_t value)
{
    uint8_t *va;
    int error = reach_word(vm, gpa, width, MEMORY_WRITE, &va);
    if (error)
        return error;
    if (width == 2)
        __atomic_store_n((uint16_t *)va, (uint16_t)value, __ATOMIC_RELEASE);
    else if (width == 4)
        __atomic_store_n((uint32_t *)va, (uint32_t)value, __ATOMIC_RELEASE);
    else
        __atomic_store_n((uint64_t *)va, value, __ATOMIC_RELEASE);
    memory_wrote(&vm->eng.memory, gpa, width);
    tell_engine(vm, gpa, width);
    return CALD_OK;
}

bool vm_read(struct cald_vm *vm, uint64_t gpa, void *to, uint64_t bytes)
{
    return cald_vm_read(vm, gpa, to, bytes) == CALD_OK;
}

bool vm_write(struct cald_vm *vm, uint64_t gpa, const void *from, uint64_t bytes)
{
    return cald_vm_write(vm, gpa, from, bytes) == CALD_OK;
}

/* [gpa, gpa+bytes) where it is one run of the host's memory; else NULL. */
static uint8_t *one_run(struct cald_vm *vm, uint64_t gpa, uint64_t bytes, enum memory_how how)
{
    uint8_t *va;
    uint64_t run;
    bool here = memory_reach(&vm->eng.memory, gpa, how, &va, &run) == MEMORY_HERE;
    return here && run >= bytes ? va : NULL;
}

void *cald_vm_ram(struct cald_vm *vm, uint64_t gpa, uint64_t bytes)
{
    uint8_t *va = one_run(vm, gpa, bytes, MEMORY_WRITE);
    if (!va)
        return NULL;
    memory_wrote(&vm->eng.memory, gpa, bytes);
    tell_engine(vm, gpa, bytes);
    return va;
}

const void *cald_vm_ram_to_read(struct cald_vm *vm, uint64_t gpa, uint64_t bytes)
{
    return one_run(vm, gpa, bytes, MEMORY_READ);
}

bool vcpu_lacks(struct cald_vcpu *vcpu, uint64_t gpa, bool write)
{
    uint8_t *va;
    uint64_t run;
    enum memory_how how = write ? MEMORY_WRITE : MEMORY_READ;
    if (memory_reach(&vcpu->vm->eng.memory, gpa, how, &va, &run) != MEMORY_ABSENT)
        return false;
    engine_absent(&vcpu->eng, gpa, write);
    return true;
}

bool vm_map_registers(struct cald_vm *vm, uint64_t gpa, const void *page, uint64_t size)
{
    return add(vm, SLOT_NO_NUMBER, gpa, size, host_pa(page), SLOT_REGISTERS) == CALD_OK;
}

bool cald_vm_is_ram(const struct cald_vm *vm, uint64_t gpa, uint64_t bytes)
{
    while (bytes) {
        const struct slot *slot = memory_slot(&vm->eng.memory, gpa);
        if (!slot || !(slot->va || slot_flags(slot) & SLOT_BY_PAGE))
            return false;
        uint64_t run = slot_size(slot) - (gpa - slot->gpa), part = bytes < run ? bytes : run;
        gpa += part;
        bytes -= part;
    }
    return true;
}
