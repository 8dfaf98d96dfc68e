/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM made ready to run, and taken apart. */
#include <stdarg.h>

#include "lib/common/line.h"
#include "lib/dev/uart.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"

bool vm_begin(struct cald_vm *vm)
{
    vm->eng.name = vm->name;
    vm->eng.isa_disable = vm->hidden;
    vm->has_plic = vm->irqchip == CALD_IRQCHIP_PLIC;
    vm->bus.count = 0;
    if (vm->eng.ops->vm_init(&vm->eng) < 0) {
        line_error("vm %s: no memory is left for its page tables", vm->name);
        return false;
    }
    if (!vm_irq_init(vm) || !uart_begin(vm)) {
        line_error("vm %s: no memory is left for its page tables", vm->name);
        vm_end(vm);
        return false;
    }
    return true;
}

bool vm_ready(struct cald_vm *vm, uint64_t pc, uint64_t opaque)
{
    const struct engine_ops *ops = vm->eng.ops;
    if (!vm_irq_map(vm)) {
        line_error("vm %s: no memory is left for its page tables", vm->name);
        return false;
    }
    for (unsigned n = 0; ops->vcpu_init && n < vm->vcpu_count; n++) {
        vm->vcpus[n].eng.vm = &vm->eng;
        if (ops->vcpu_init(&vm->vcpus[n].eng) < 0) {
            line_error("vm %s: no memory is left for the shadow tables of its %u vCPUs", vm->name,
                       vm->vcpu_count);
            return false;
        }
    }
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        vcpu_init(&vm->vcpus[n], vm, n);
    vm->vcpus[0].start_pc = pc;
    vm->vcpus[0].start_opaque = opaque;
    return true;
}

void vm_end(struct cald_vm *vm)
{
    const struct engine_ops *ops = vm->eng.ops;
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        atomic_store(&vm->vcpus[n].hsm, SBI_HSM_STOPPED);
    vm->ram_chunks = 0;
    for (unsigned n = 0; ops->vcpu_fini && n < vm->vcpu_count; n++)
        ops->vcpu_fini(&vm->vcpus[n].eng);
    ops->vm_fini(&vm->eng);
}

uint64_t vm_table_bytes(const struct cald_vm *vm)
{
    return vm->eng.ops->table_bytes(&vm->eng);
}

bool vm_time_can_stand(const struct cald_vm *vm)
{
    return !vm->eng.ops->time_can_stand || vm->eng.ops->time_can_stand(&vm->eng);
}

void vm_time_stood(struct cald_vm *vm, uint64_t ticks)
{
    vm->eng.time_delta -= ticks;
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        vm->eng.ops->time_stood(&vm->vcpus[n].eng, ticks);
}

void vcpu_fault(struct cald_vcpu *vcpu, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_format_list(vcpu->fault, sizeof(vcpu->fault), format, args);
    va_end(args);
    vcpu->why = CALD_FAULT;
}
