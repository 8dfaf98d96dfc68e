/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/irq/vm_irq.h"

#include <stddef.h>

#include "lib/vm/vm.h"
#include "host/host.h"

#define TYPE_RISING 1
#define TYPE_FALLING 2

static bool has_plic(const struct cald_vm *vm)
{
    return vm->irqchip == CALD_IRQCHIP_PLIC;
}

/* Its vCPUs may have files of the harts'. */
static bool has_files(const struct cald_vm *vm)
{
    return vm->irqchip == CALD_IRQCHIP_IMSIC && vm->eng.ops->window_init;
}

static void plic_changed(struct plic *plic, unsigned context)
{
    struct cald_vm *vm = (struct cald_vm *)((char *)plic - offsetof(struct cald_vm, plic));
    vcpu_mail(&vm->vcpus[context], MAIL_EXTERNAL);
}

/* Also called for sources of our own, which the host does not know. */
static void plic_completed(struct plic *plic, unsigned source)
{
    host_irq_complete((struct cald_vm *)((char *)plic - offsetof(struct cald_vm, plic)), source);
}

static struct cald_vm *vm_of(struct aplic *aplic)
{
    return (struct cald_vm *)((char *)aplic - offsetof(struct cald_vm, aplic));
}

static void aplic_changed(struct aplic *aplic, unsigned hart)
{
    vcpu_mail(&vm_of(aplic)->vcpus[hart], MAIL_EXTERNAL);
}

static void aplic_message(struct aplic *aplic, unsigned hart, uint32_t id)
{
    vm_irq_message(&vm_of(aplic)->vcpus[hart], id);
}

static void aplic_completed(struct aplic *aplic, unsigned source)
{
    host_irq_complete(vm_of(aplic), source);
}

bool vm_irq_define(struct cald_vm *vm)
{
    unsigned sources = vm->irq_sources;
    uint64_t bytes =
        has_plic(vm) ? plic_room_bytes(vm->vcpu_count, sources) : aplic_room_bytes(sources);
    void *room = host_pages_alloc(bytes, HOST_PAGE_SIZE);
    if (!room)
        return false;
    if (has_plic(vm))
        plic_size(&vm->plic, vm->vcpu_count, sources, room);
    else
        aplic_size(&vm->aplic, sources, room);
    return true;
}

static int answer(bool served)
{
    return served ? CALD_OK : CALD_EFAULT;
}

static int plic_region_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                            uint64_t *value)
{
    (void)vcpu;
    return answer(plic_read(device, (uint32_t)offset, width, value));
}

static int plic_region_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                             uint64_t value)
{
    (void)vcpu;
    return answer(plic_write(device, (uint32_t)offset, width, value));
}

static int aplic_region_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                             uint64_t *value)
{
    (void)vcpu;
    return answer(aplic_read(device, (uint32_t)offset, width, value));
}

static int aplic_region_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                              uint64_t value)
{
    (void)vcpu;
    return answer(aplic_write(device, (uint32_t)offset, width, value));
}

/* A file reads as zero (AIA specification 3.5). */
static int files_region_read(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                             uint64_t *value)
{
    (void)device, (void)vcpu;
    *value = 0;
    return answer(width == 4 && offset % 4 == 0);
}

static int files_region_write(void *device, struct cald_vcpu *vcpu, uint64_t offset, uint32_t width,
                              uint64_t value)
{
    struct cald_vm *vm = device;
    struct cald_vcpu *to = &vm->vcpus[offset / GUEST_IMSIC_PAGE];
    bool posted;
    (void)vcpu;
    if (!imsic_store(&to->imsic, offset % GUEST_IMSIC_PAGE, width, value, &posted))
        return CALD_EFAULT;
    if (posted)
        vcpu_mail(to, MAIL_EXTERNAL);
    return CALD_OK;
}

static const struct cald_region_ops plic_ops = {plic_region_read, plic_region_write};
static const struct cald_region_ops aplic_ops = {aplic_region_read, aplic_region_write};
static const struct cald_region_ops files_ops = {files_region_read, files_region_write};

static bool add_regions(struct cald_vm *vm)
{
    const char *name = "the virtual interrupt controller";
    if (has_plic(vm))
        return !bus_add(vm, name, GUEST_PLIC_BASE, GUEST_PLIC_SIZE, &plic_ops, &vm->plic, true);
    if (vm->irqchip == CALD_IRQCHIP_IMSIC &&
        bus_add(vm, "the vCPUs' interrupt files", GUEST_IMSIC_BASE,
                vm->vcpu_count * GUEST_IMSIC_PAGE, &files_ops, vm, true))
        return false;
    return !bus_add(vm, name, GUEST_APLIC_BASE, GUEST_APLIC_SIZE, &aplic_ops, &vm->aplic, true);
}

bool vm_irq_init(struct cald_vm *vm)
{
    if (!add_regions(vm))
        return false;
    if (has_plic(vm)) {
        plic_init(&vm->plic);
        vm->plic.changed = plic_changed;
        vm->plic.completed = vm->forwards ? plic_completed : NULL;
        return true;
    }
    bool imsic = vm->irqchip == CALD_IRQCHIP_IMSIC;
    vm->aplic.changed = aplic_changed;
    vm->aplic.message = aplic_message;
    vm->aplic.completed = aplic_completed;
    aplic_init(&vm->aplic, vm->vcpu_count, imsic);
    for (unsigned n = 0; n < vm->vcpu_count && imsic; n++)
        imsic_init(&vm->vcpus[n].imsic, vm->imsic_ids);
    return !has_files(vm) || vm->eng.ops->window_init(&vm->eng, GUEST_IMSIC_BASE) == 0;
}

/*
 * Linux reads a source's enable bit each time that it completes an interrupt: no exit for that.
 * With Svpbmt the guest maps registers as I/O, and an access past the cache to memory that we write
 * through the cache may see old bytes (privileged manual, "Svpbmt"): such a guest exits.
 */
bool vm_irq_map(struct cald_vm *vm)
{
    if (!has_plic(vm) || !vm->hidden[ISA_SVPBMT])
        return true;
    return vm->eng.ops->map(&vm->eng, GUEST_PLIC_BASE + PLIC_ENABLE_BASE, host_pa(vm->plic.enable),
                            plic_enable_bytes(vm->vcpu_count), ENGINE_MAP_READ_ONLY) == 0;
}

void vm_irq_load(struct cald_vcpu *vcpu)
{
    if (has_files(vcpu->vm))
        host_file_load(vcpu);
}

void vm_irq_put(struct cald_vcpu *vcpu)
{
    if (has_files(vcpu->vm))
        host_file_put(vcpu);
}

uint64_t vm_irq_file_gpa(const struct cald_vcpu *vcpu)
{
    return GUEST_IMSIC_BASE + vcpu->id * GUEST_IMSIC_PAGE;
}

void vm_irq_forward(struct cald_vm *vm, unsigned source, unsigned type)
{
    if (!has_plic(vm))
        aplic_forward(&vm->aplic, source, type == TYPE_RISING || type == TYPE_FALLING);
}

void vm_irq_fired(struct cald_vm *vm, unsigned source)
{
    if (has_plic(vm))
        plic_pulse(&vm->plic, source);
    else
        aplic_fired(&vm->aplic, source);
}

void vm_irq_level(struct cald_vm *vm, unsigned source, bool level)
{
    if (has_plic(vm))
        plic_set_level(&vm->plic, source, level);
    else
        aplic_set_wire(&vm->aplic, source, level);
}

void vm_irq_level_and_edge(struct cald_vm *vm, unsigned source, bool level, bool high, bool edge)
{
    if (!has_plic(vm)) {
        aplic_set_wire(&vm->aplic, source, level || high);
        return;
    }
    plic_set_level(&vm->plic, source, level);
    if (edge)
        plic_pulse(&vm->plic, source);
    else if (!high)
        plic_take_back(&vm->plic, source);
}

void vm_irq_pulse(struct cald_vm *vm, unsigned source)
{
    if (has_plic(vm)) {
        plic_pulse(&vm->plic, source);
    } else {
        aplic_set_wire(&vm->aplic, source, true);
        aplic_set_wire(&vm->aplic, source, false);
    }
}

void vm_irq_show(struct cald_vcpu *vcpu)
{
    struct cald_vm *vm = vcpu->vm;
    bool line;
    if (vcpu->imsic.file) {
        host_file_collect(vcpu);
        return;
    }
    if (has_plic(vm))
        line = plic_line(&vm->plic, vcpu->id);
    else if (vm->irqchip == CALD_IRQCHIP_IMSIC)
        line = imsic_line(&vcpu->imsic);
    else
        line = aplic_line(&vm->aplic, vcpu->id);
    vcpu->eng.ops->irq(&vcpu->eng, GUEST_IRQ_EXTERNAL, line);
}

void vm_irq_message(struct cald_vcpu *vcpu, uint32_t id)
{
    if (imsic_post(&vcpu->imsic, id))
        vcpu_mail(vcpu, MAIL_EXTERNAL);
}
