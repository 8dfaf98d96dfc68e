/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM's state beside its vCPUs' and its memory, item by item: include/caldarium/caldarium.h. */
#include "caldarium/caldarium.h"
#include "lib/vcpu/items.h"
#include "lib/vm/vm.h"
#include "host/host.h"

static bool shows(const struct cald_vm *vm, enum riscv_ext ext)
{
    return !vm->eng.isa_disable[ext];
}

static bool has_plic(const struct cald_vm *vm)
{
    return vm->irqchip == CALD_IRQCHIP_PLIC;
}

static bool has_aplic(const struct cald_vm *vm)
{
    return vm->irqchip == CALD_IRQCHIP_APLIC || vm->irqchip == CALD_IRQCHIP_IMSIC;
}

static bool has_uart(const struct cald_vm *vm)
{
    return vm->uart_base != VM_NOWHERE;
}

static uint64_t vlenb(const struct cald_vm *vm)
{
    struct engine_regs regs;
    vm->eng.ops->regs(&vm->vcpus[0].eng, &regs);
    return regs.has_vector ? regs.vlenb : 0;
}

/* ---- Time --------------------------------------------------------------------------------------
 */

/* Guests' timers keep their compare values; where an engine has them as host time, that changes. */
static int set_time(struct cald_vm *vm, uint64_t value)
{
    const struct engine_ops *ops = vm->eng.ops;
    uint64_t delta = value - host_time();
    if (delta == vm->eng.time_delta)
        return CALD_OK;
    if (ops->time_can_stand && !ops->time_can_stand(&vm->eng) && delta)
        return CALD_ENOTSUP; /* reads of `time` don't reach us: it is the machine's */
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        if (vm->vcpus[n].eng.loaded)
            return CALD_EBUSY;
    }
    uint64_t before = vm->eng.time_delta;
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct engine_vcpu *v = &vm->vcpus[n].eng;
        uint64_t when = ops->special(v, ENGINE_TIMER);
        vm->eng.time_delta = delta;
        ops->set_special(v, ENGINE_TIMER, when);
        vm->eng.time_delta = before;
    }
    vm->eng.time_delta = delta;
    return CALD_OK;
}

/* ---- What the VM is ----------------------------------------------------------------------------
 */

static int get_vm(struct cald_vm *vm, uint32_t index, uint64_t *value)
{
    switch (index) {
    case CALD_VM_TIME:
        *value = host_time() + vm->eng.time_delta;
        return CALD_OK;
    case CALD_VM_VCPUS:
        *value = vm->vcpu_count;
        return CALD_OK;
    case CALD_VM_IRQCHIP:
        *value = vm->irqchip;
        return CALD_OK;
    case CALD_VM_TIMEBASE:
        *value = host_timebase();
        return CALD_OK;
    case CALD_VM_VLENB:
        *value = vlenb(vm);
        return CALD_OK;
    case CALD_VM_SOURCES:
        *value = has_plic(vm) ? vm->plic.sources : has_aplic(vm) ? vm->aplic.sources : 0;
        return CALD_OK;
    case CALD_VM_IMSIC_IDS:
        *value = vm->irqchip == CALD_IRQCHIP_IMSIC ? vm->vcpus[0].imsic.ids : 0;
        return CALD_OK;
    }
    return CALD_ENOENT;
}

static int set_vm(struct cald_vm *vm, uint32_t index, uint64_t value)
{
    uint64_t here;
    if (index == CALD_VM_TIME)
        return set_time(vm, value);
    if (get_vm(vm, index, &here))
        return CALD_ENOENT;
    /* More than the guest knows of does not hurt it. */
    bool fewer = index == CALD_VM_SOURCES || index == CALD_VM_IMSIC_IDS || index == CALD_VM_VLENB;
    if (index == CALD_VM_VLENB && value && value != here)
        return CALD_EINVAL;
    return value == here || (fewer && value < here) ? CALD_OK : CALD_EINVAL;
}

/* ---- Extensions --------------------------------------------------------------------------------
 */

uint32_t cald_isa_index(const char *name)
{
    uint32_t hash = 0x811c9dc5; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 0x01000193;
    return (hash >> 24 ^ hash) & 0xffffff;
}

static enum riscv_ext find_ext(uint32_t index)
{
    unsigned ext = 0;
    while (ext < ISA_EXT_COUNT && cald_isa_index(isa_name(ext)) != index)
        ext++;
    return ext;
}

static int get_isa(const struct cald_vm *vm, uint32_t index, uint64_t *value)
{
    enum riscv_ext ext = find_ext(index);
    if (ext == ISA_EXT_COUNT)
        return CALD_ENOENT;
    *value = shows(vm, ext);
    return CALD_OK;
}

static int set_isa(const struct cald_vm *vm, uint32_t index, uint64_t value)
{
    enum riscv_ext ext = find_ext(index);
    if (ext == ISA_EXT_COUNT)
        return CALD_ENOENT;
    return value > 1 || (value && !shows(vm, ext)) ? CALD_EINVAL : CALD_OK;
}

/* ------------------------------------------------------------------------------------------------
 */

int cald_vm_get(struct cald_vm *vm, uint32_t item, uint64_t *value)
{
    uint32_t index = item_index(item);
    switch (item_class(item)) {
    case CALD_VM:
        return get_vm(vm, index, value);
    case CALD_ISA:
        return get_isa(vm, index, value);
    case CALD_PLIC:
        return has_plic(vm) ? plic_get(&vm->plic, index, value) : CALD_ENOENT;
    case CALD_APLIC:
        return has_aplic(vm) ? aplic_get(&vm->aplic, index, value) : CALD_ENOENT;
    case CALD_UART:
        return has_uart(vm) ? ns16550a_get(&vm->uart, index, value) : CALD_ENOENT;
    }
    return CALD_ENOENT;
}

void cald_vm_freeze(struct cald_vm *vm, bool frozen)
{
    if (has_uart(vm))
        ns16550a_freeze(&vm->uart, frozen);
}

static int set(struct cald_vm *vm, uint32_t item, uint64_t value)
{
    uint32_t index = item_index(item);
    switch (item_class(item)) {
    case CALD_VM:
        return set_vm(vm, index, value);
    case CALD_ISA:
        return set_isa(vm, index, value);
    case CALD_PLIC:
        return has_plic(vm) ? plic_set(&vm->plic, index, value) : CALD_ENOENT;
    case CALD_APLIC:
        return has_aplic(vm) ? aplic_set(&vm->aplic, index, value) : CALD_ENOENT;
    case CALD_UART:
        return has_uart(vm) ? ns16550a_set(&vm->uart, index, value) : CALD_ENOENT;
    }
    return CALD_ENOENT;
}

int cald_vm_set(struct cald_vm *vm, uint32_t item, uint64_t value)
{
    int error = set(vm, item, value);
    for (unsigned n = 0; !error && n < vm->vcpu_count; n++)
        atomic_fetch_or(&vm->vcpus[n].mailbox, MAIL_EXTERNAL);
    return error;
}

static void list_range(struct cald_vm *vm, struct item_list *list, uint32_t first, uint32_t count)
{
    uint64_t value;
    for (uint32_t n = 0; n < count; n++) {
        if (!cald_vm_get(vm, first + n, &value))
            item_list_add(list, first + n);
    }
}

/* What a VM is comes first, so that one that is another refuses before anything is changed. */
uint32_t cald_vm_items(struct cald_vm *vm, uint32_t *items, uint32_t room)
{
    struct item_list list = {items, room, 0};
    list_range(vm, &list, CALD_VM + CALD_VM_TIME + 1, CALD_VM_COUNT - 1);
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        if (shows(vm, ext))
            item_list_add(&list, CALD_ISA + cald_isa_index(isa_name(ext)));
    }
    list_range(vm, &list, CALD_VM + CALD_VM_TIME, 1);
    list_range(vm, &list, CALD_PLIC + 0, CALD_PLIC_ENABLE + PLIC_CONTEXTS * PLIC_WORDS);
    list_range(vm, &list, CALD_APLIC + 0, CALD_APLIC_TARGET + APLIC_MAX_SOURCE + 1);
    list_range(vm, &list, CALD_UART + 0, CALD_UART_TYPED + NS16550A_BACKLOG);
    list_range(vm, &list, CALD_UART + CALD_UART_FULL, 1);
    return list.count;
}
