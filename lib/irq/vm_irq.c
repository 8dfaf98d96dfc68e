/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/irq/vm_irq.h"

#include <stddef.h>

#include "caldarium/devices.h"
#include "lib/vm/vm.h"
#include "host/host.h"

#define TYPE_RISING 1
#define TYPE_FALLING 2

static bool has_plic(const struct cald_vm *vm)
{
    return vm->has_plic;
}

/* Alone, or in front of interrupt files. */
static bool has_aplic(const struct cald_vm *vm)
{
    return vm->irqchip == CALD_IRQCHIP_APLIC || vm->irqchip == CALD_IRQCHIP_IMSIC;
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

static uint64_t room_bytes(const struct cald_vm *vm)
{
    return has_plic(vm) ? plic_room_bytes(vm->vcpu_count, vm->irq_sources)
                        : aplic_room_bytes(vm->irq_sources);
}

bool vm_irq_define(struct cald_vm *vm)
{
    if (vm->irqchip == CALD_IRQCHIP_NONE)
        return true;
    vm->irq_room = host_pages_alloc(room_bytes(vm), HOST_PAGE_SIZE);
    if (!vm->irq_room)
        return false;
    if (has_plic(vm)) {
        plic_size(&vm->plic, vm->vcpu_count, vm->irq_sources, vm->irq_room);
        vm->plic.changed = plic_changed;
        vm->plic.completed = vm->forwards ? plic_completed : NULL;
    } else {
        aplic_size(&vm->aplic, vm->irq_sources, vm->irq_room);
        vm->aplic.changed = aplic_changed;
        vm->aplic.message = aplic_message;
        vm->aplic.completed = aplic_completed;
    }
    return true;
}

void vm_irq_undefine(struct cald_vm *vm)
{
    if (vm->irq_room)
        host_pages_free(vm->irq_room, room_bytes(vm));
    vm->irq_room = NULL;
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
    struct cald_vcpu *to = &vm->vcpus[offset / CALD_IMSIC_PAGE];
    bool posted;
    (void)vcpu;
    if (!imsic_store(&to->imsic, offset % CALD_IMSIC_PAGE, width, value, &posted))
        return CALD_EFAULT;
    if (posted)
        vcpu_mail(to, MAIL_EXTERNAL);
    return CALD_OK;
}

static const struct cald_region_ops plic_ops = {plic_region_read, plic_region_write};
static const struct cald_region_ops aplic_ops = {aplic_region_read, aplic_region_write};
static const struct cald_region_ops files_ops = {files_region_read, files_region_write};

bool vm_irq_add(struct cald_vm *vm)
{
    const char *name = "the virtual interrupt controller";
    if (has_plic(vm))
        return !bus_add(vm, name, vm->plic_base, CALD_PLIC_SIZE, &plic_ops, &vm->plic, true);
    if (vm->irqchip == CALD_IRQCHIP_IMSIC &&
        bus_add(vm, "the vCPUs' interrupt files", vm->imsic_base, vm->vcpu_count * CALD_IMSIC_PAGE,
                &files_ops, vm, true))
        return false;
    return !has_aplic(vm) ||
           !bus_add(vm, name, vm->aplic_base, CALD_APLIC_SIZE, &aplic_ops, &vm->aplic, true);
}

bool vm_irq_open(struct cald_vm *vm)
{
    return !has_files(vm) || vm->eng.ops->window_init(&vm->eng, vm->imsic_base) == 0;
}

void vm_irq_reset(struct cald_vm *vm)
{
    bool imsic = vm->irqchip == CALD_IRQCHIP_IMSIC;
    if (has_plic(vm))
        plic_init(&vm->plic);
    else if (has_aplic(vm))
        aplic_init(&vm->aplic, vm->vcpu_count, imsic);
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        atomic_store(&vm->vcpus[n].lines, 0);
        if (imsic)
            imsic_init(&vm->vcpus[n].imsic, vm->imsic_ids);
    }
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
    return vm_map_registers(vm, vm->plic_base + PLIC_ENABLE_BASE, vm->plic.enable,
                            plic_enable_bytes(vm->vcpu_count));
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

uint64_t cald_vcpu_file_page(struct cald_vcpu *vcpu, uint64_t page)
{
    uint64_t gpa = vcpu->vm->imsic_base + vcpu->id * CALD_IMSIC_PAGE;
    return vcpu->eng.ops->window_map(&vcpu->eng, gpa, page);
}

bool cald_vcpu_post(struct cald_vcpu *vcpu, uint32_t id)
{
    return imsic_post(&vcpu->imsic, id);
}

void cald_vm_irq_forward(struct cald_vm *vm, unsigned source, unsigned type)
{
    if (has_aplic(vm))
        aplic_forward(&vm->aplic, source, type == TYPE_RISING || type == TYPE_FALLING);
}

void cald_vm_irq_fired(struct cald_vm *vm, unsigned source)
{
    if (has_plic(vm))
        plic_pulse(&vm->plic, source);
    else if (has_aplic(vm))
        aplic_fired(&vm->aplic, source);
}

void vm_irq_level(struct cald_vm *vm, unsigned source, bool level)
{
    if (has_plic(vm))
        plic_set_level(&vm->plic, source, level);
    else if (has_aplic(vm))
        aplic_set_wire(&vm->aplic, source, level);
}

void vm_irq_level_and_edge(struct cald_vm *vm, unsigned source, bool level, bool high, bool edge)
{
    if (!has_plic(vm)) {
        vm_irq_level(vm, source, level || high);
        return;
    }
    plic_set_level(&vm->plic, source, level);
    if (edge)
        plic_pulse(&vm->plic, source);
    else if (!high)
        plic_take_back(&vm->plic, source);
}

void cald_vm_irq_pulse(struct cald_vm *vm, unsigned source)
{
    if (has_plic(vm)) {
        plic_pulse(&vm->plic, source);
    } else {
        vm_irq_level(vm, source, true);
        vm_irq_level(vm, source, false);
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
    if (vm->irqchip == CALD_IRQCHIP_NONE)
        return; /* cald_vcpu_irq() */
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
    if (cald_vcpu_post(vcpu, id))
        vcpu_mail(vcpu, MAIL_EXTERNAL);
}

int cald_vm_irq(struct cald_vm *vm, uint32_t source, bool level)
{
    if (vm->irqchip == CALD_IRQCHIP_NONE)
        return CALD_ENOTSUP;
    if (!source || source > vm->irq_sources)
        return CALD_EINVAL;
    vm_irq_level(vm, source, level);
    return CALD_OK;
}

int cald_vm_msi(struct cald_vm *vm, uint64_t gpa, uint32_t data)
{
    uint64_t n = (gpa - vm->imsic_base) / CALD_IMSIC_PAGE;
    if (vm->irqchip != CALD_IRQCHIP_IMSIC)
        return CALD_ENOTSUP;
    /* The register seteipnum_le alone (AIA specification 3.5): it is what devices write to. */
    if (n >= vm->vcpu_count || gpa % CALD_IMSIC_PAGE)
        return CALD_EINVAL;
    vm_irq_message(&vm->vcpus[n], data);
    return CALD_OK;
}
