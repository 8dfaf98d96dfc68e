/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM out of its parameters, all of which are the embedder's and wrong until checked. */
#include <string.h>

#include "lib/common/line.h"
#include "lib/dev/uart.h"
#include "lib/engine/h/gstage.h"
#include "lib/machine/machine.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/trace.h"
#include "lib/vm/vm.h"
#include "host/host.h"

#define WINDOW_BYTES 0x200000UL /* the interrupt files' pages are in one last-level table */
#define GPA_END_MAX (1UL << 59) /* Sv57x4; the engine says whether the machine reaches that far */

/* As many of `length` bytes as fit, and a zero. */
static void copy_text(char *to, size_t room, const char *from, size_t length)
{
    size_t bytes = length < room ? length : room - 1;
    memcpy(to, from, bytes);
    to[bytes] = 0;
}

static const char *name_of(const struct cald_vm_params *params)
{
    return params->name ? params->name : "?";
}

static bool number(const struct cald_vm_params *params, const char *member, uint64_t value,
                   uint64_t least, uint64_t most)
{
    if (value >= least && value <= most)
        return true;
    line_error("vm %s: %s is %lu; %lu to %lu is expected", name_of(params), member, value, least,
               most);
    return false;
}

/* Its regions' overlaps are the bus's to find. */
static bool place(const struct cald_vm_params *params, const char *member, uint64_t base,
                  uint64_t size)
{
    if (!(base & (HOST_PAGE_SIZE - 1)) && base < params->gpa_end && size <= params->gpa_end - base)
        return true;
    line_error("vm %s: %s is %#lx; a page's boundary with %#lx bytes below %#lx is expected",
               name_of(params), member, base, size, params->gpa_end);
    return false;
}

static bool check_irqchip(const struct cald_vm_params *params)
{
    uint64_t files = params->vcpus * CALD_IMSIC_PAGE;
    if (params->irqchip == CALD_IRQCHIP_NONE)
        return true;
    if (!number(params, "irq_sources", params->irq_sources, 1, CALD_MAX_SOURCES))
        return false;
    if (params->irqchip == CALD_IRQCHIP_PLIC)
        return place(params, "plic_base", params->plic_base, CALD_PLIC_SIZE);
    if (!place(params, "aplic_base", params->aplic_base, CALD_APLIC_SIZE))
        return false;
    if (params->irqchip == CALD_IRQCHIP_APLIC)
        return true;
    if (!place(params, "imsic_base", params->imsic_base, files))
        return false;
    if (files > WINDOW_BYTES - params->imsic_base % WINDOW_BYTES) {
        line_error("vm %s: imsic_base is %#lx; %u pages in the same 2 MiB are expected",
                   name_of(params), params->imsic_base, params->vcpus);
        return false;
    }
    if (params->imsic_ids % 64 != 63) {
        line_error("vm %s: imsic_ids is %u; 63, 127, 191 or 255 is expected", name_of(params),
                   params->imsic_ids);
        return false;
    }
    return number(params, "imsic_ids", params->imsic_ids, 63, IMSIC_MAX_IDS);
}

static bool check_uart(const struct cald_vm_params *params)
{
    if (params->uart_base == CALD_NOWHERE)
        return true;
    return place(params, "uart_base", params->uart_base, CALD_UART_SIZE) &&
           (params->irqchip == CALD_IRQCHIP_NONE ||
            number(params, "uart_irq", params->uart_irq, 1, params->irq_sources));
}

static bool check_engine(const struct cald_machine *machine, const struct cald_vm_params *params)
{
    bool h = params->engine == CALD_ENGINE_H;
    if (!number(params, "engine", params->engine, CALD_ENGINE_H, CALD_ENGINE_SHADOW) ||
        !number(params, "gpa_end", params->gpa_end, HOST_PAGE_SIZE, GPA_END_MAX))
        return false;
    if (!machine_has(machine, h ? CALD_MACHINE_H : CALD_MACHINE_SHADOW)) {
        line_error("vm %s: engine is %s, which the machine lacks", name_of(params),
                   h ? "h" : "shadow");
        return false;
    }
    if (h && !gstage_levels(params->gpa_end, machine->told.gstage_modes)) {
        line_error("vm %s: gpa_end is %#lx; the harts' second stage ends before", name_of(params),
                   params->gpa_end);
        return false;
    }
    return true;
}

static bool check(const struct cald_machine *machine, const struct cald_vm_params *params)
{
    if (!params->name) {
        line_error("vm %s: name is NULL; a name is expected", name_of(params));
        return false;
    }
    return number(params, "vcpus", params->vcpus, 1, CALD_MAX_VCPUS) &&
           number(params, "irqchip", params->irqchip, CALD_IRQCHIP_NONE, CALD_IRQCHIP_IMSIC) &&
           check_engine(machine, params) && check_irqchip(params) && check_uart(params) &&
           number(params, "sbi_hidden", params->sbi_hidden, 0, CALD_SBI_ALL) &&
           number(params, "sbi_id_count", params->sbi_id_count, 0, CALD_SBI_IDS) &&
           number(params, "sbi_id_count", params->sbi_ids ? 0 : params->sbi_id_count, 0, 0);
}

/* One of the names, `length` bytes long. */
static bool hide_one(struct cald_vm *vm, const char *at, size_t length)
{
    char name[32];
    enum riscv_ext ext = isa_find(at, length);
    if (ext < ISA_EXT_COUNT) {
        vm->hidden[ext] = 1;
        return true;
    }
    copy_text(name, sizeof(name), at, length);
    line_error("vm %s: isa_hidden has \"%s\"; names of extensions are expected", vm->name, name);
    return false;
}

/* Names, separated by spaces. */
static bool hide(struct cald_vm *vm, const char *names)
{
    while (names && *names) {
        size_t length = 0;
        while (names[length] && names[length] != ' ')
            length++;
        if (length && !hide_one(vm, names, length))
            return false;
        names += length + (names[length] == ' ');
    }
    return true;
}

/* What the machine can't show a guest, it can't have either. */
static void hide_missing(struct cald_vm *vm, enum cald_engine engine)
{
    const struct cald_machine *machine = vm->eng.machine;
    const struct riscv_isa *isa = engine == CALD_ENGINE_H ? &machine->isa_h : &machine->isa_shadow;
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++)
        vm->hidden[ext] |= !isa_has(isa, ext);
}

static uint64_t place_of(uint64_t base, bool has)
{
    return has ? base : VM_NOWHERE;
}

static void take_params(struct cald_vm *vm, const struct cald_vm_params *params)
{
    enum cald_irqchip chip = params->irqchip;
    bool aplic = chip == CALD_IRQCHIP_APLIC || chip == CALD_IRQCHIP_IMSIC;
    copy_text(vm->name, sizeof(vm->name), params->name, strlen(params->name));
    vm->owner = params->owner;
    vm->irqchip = chip;
    vm->has_plic = chip == CALD_IRQCHIP_PLIC;
    vm->has_console = params->flags & CALD_VM_CONSOLE;
    vm->getchar_zero = params->flags & CALD_VM_GETCHAR_ZERO;
    vm->forwards = params->flags & CALD_VM_FORWARDS;
    vm->csrs_go_out = params->flags & CALD_VM_CSRS_OUT;
    vm->sbi_goes_out = params->flags & CALD_VM_SBI_OUT;
    vm->sbi_served = CALD_SBI_ALL & ~params->sbi_hidden;
    if (!vm->has_console)
        vm->sbi_served &= ~CALD_SBI_DBCN;
    vm->sbi_id_count = params->sbi_id_count;
    if (params->sbi_id_count)
        memcpy(vm->sbi_id, params->sbi_ids, params->sbi_id_count * sizeof(*vm->sbi_id));
    vm->irq_sources = params->irq_sources;
    vm->imsic_ids = params->imsic_ids;
    vm->uart_irq = params->uart_irq;
    vm->plic_base = place_of(params->plic_base, vm->has_plic);
    vm->aplic_base = place_of(params->aplic_base, aplic);
    vm->imsic_base = place_of(params->imsic_base, chip == CALD_IRQCHIP_IMSIC);
    vm->uart_base = place_of(params->uart_base, params->uart_base != CALD_NOWHERE);
    vm->eng.name = vm->name;
    vm->eng.isa_disable = vm->hidden;
    vm->eng.gpa_end = params->gpa_end;
    vm->eng.ops = engine_by(params->engine);
    sbi_base_init(&vm->eng, params->mvendorid, params->marchid, params->mimpid);
}

/* What the engines' trap entries look for. An id of BASE's is never found: BASE comes first. */
static void set_hot_ids(struct cald_vcpu *vcpu)
{
    static const struct {
        uint32_t bit, id;
    } hot[] = {{CALD_SBI_TIME, SBI_EXT_TIME},
               {CALD_SBI_IPI, SBI_EXT_IPI},
               {CALD_SBI_RFENCE, SBI_EXT_RFENCE}};
    for (unsigned n = 0; n < 3; n++)
        vcpu->eng.sbi_ids[n] = vcpu->vm->sbi_served & hot[n].bit ? hot[n].id : SBI_EXT_BASE;
}

static bool take_vcpus(struct cald_vm *vm, const struct cald_vm_params *params)
{
    uint64_t vector = 32UL * vm->eng.machine->told.vector_bytes;
    vm->vcpus = host_pages_alloc(params->vcpus * sizeof(*vm->vcpus), HOST_PAGE_SIZE);
    if (!vm->vcpus)
        return false;
    vm->vcpu_count = params->vcpus;
    vm->vector_bytes = vector;
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct cald_vcpu *vcpu = &vm->vcpus[n];
        vcpu->vm = vm;
        vcpu->id = n;
        vcpu->eng.ops = vm->eng.ops;
        vcpu->eng.vm = &vm->eng;
        vcpu->eng.trap_wfi = true; /* cald_vcpu_wfi_exits() */
        atomic_store(&vcpu->hsm, SBI_HSM_STOPPED);
        set_hot_ids(vcpu);
        if (!vector)
            continue;
        vcpu->vector = host_pages_alloc(vector, HOST_PAGE_SIZE);
        if (!vcpu->vector)
            return false;
        vm->eng.ops->vector_room(&vcpu->eng, vcpu->vector);
    }
    return true;
}

int cald_vm_create(struct cald_machine *machine, const struct cald_vm_params *params,
                   struct cald_vm **made)
{
    *made = NULL;
    if (!check(machine, params))
        return CALD_EINVAL;
    struct cald_vm *vm = host_pages_alloc(sizeof(*vm), HOST_PAGE_SIZE);
    if (!vm) {
        line_error("vm %s: no memory is left to make it", params->name);
        return CALD_ENOMEM;
    }
    take_params(vm, params);
    vm->eng.machine = machine;
    hide_missing(vm, params->engine);
    int error = CALD_OK;
    if (!hide(vm, params->isa_hidden)) {
        error = CALD_EINVAL;
    } else if (!take_vcpus(vm, params) || !vm_irq_define(vm)) {
        line_error("vm %s: no memory is left for its %u vCPUs", vm->name, params->vcpus);
        error = CALD_ENOMEM;
    } else if (!vm_irq_add(vm) || !uart_add(vm)) {
        error = CALD_EINVAL;
    } else if (!(params->flags & CALD_VM_CLOSED)) {
        error = cald_vm_open(vm);
    }
    if (error)
        cald_vm_destroy(vm);
    else
        *made = vm;
    return error;
}

void cald_vm_destroy(struct cald_vm *vm)
{
    cald_vm_close(vm);
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        struct cald_vcpu *vcpu = &vm->vcpus[n];
        struct trace *trace = atomic_load(&vcpu->trace);
        if (vcpu->vector)
            host_pages_free(vcpu->vector, vm->vector_bytes);
        if (trace)
            host_pages_free(trace, sizeof(*trace));
    }
    if (vm->vcpus)
        host_pages_free(vm->vcpus, vm->vcpu_count * sizeof(*vm->vcpus));
    vm_irq_undefine(vm);
    host_pages_free(vm, sizeof(*vm));
}

uint32_t cald_vm_isa(const struct cald_vm *vm, char *text, uint32_t bytes)
{
    struct riscv_isa isa = {0};
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        if (!vm->hidden[ext])
            isa_set(&isa, ext);
    }
    return (uint32_t)isa_format_string(&isa, text, bytes);
}

uint64_t cald_vcpu_bytes(void)
{
    return sizeof(struct cald_vcpu);
}

uint64_t cald_vcpu_pc(const struct cald_vcpu *vcpu)
{
    return vcpu->eng.pc;
}

void *cald_vm_owner(const struct cald_vm *vm)
{
    return vm->owner;
}

uint32_t cald_vm_vcpus(const struct cald_vm *vm)
{
    return vm->vcpu_count;
}

struct cald_vcpu *cald_vm_vcpu(struct cald_vm *vm, uint32_t id)
{
    return id < vm->vcpu_count ? &vm->vcpus[id] : NULL;
}

struct cald_vm *cald_vcpu_vm(const struct cald_vcpu *vcpu)
{
    return vcpu->vm;
}

uint32_t cald_vcpu_id(const struct cald_vcpu *vcpu)
{
    return vcpu->id;
}

void cald_vcpu_set_owner(struct cald_vcpu *vcpu, void *owner)
{
    vcpu->host = owner;
}

void *cald_vcpu_owner(const struct cald_vcpu *vcpu)
{
    return vcpu->host;
}
