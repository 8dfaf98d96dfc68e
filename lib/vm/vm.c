/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM made ready to run, and taken apart. */
#include <stdarg.h>

#include "caldarium/devices.h"
#include "lib/common/line.h"
#include "lib/dev/uart.h"
#include "lib/engine/h/gstage.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"

static int no_tables(const struct cald_vm *vm)
{
    line_error("vm %s: no memory is left for its page tables", vm->name);
    return CALD_ENOMEM;
}

int cald_vm_open(struct cald_vm *vm)
{
    if (vm->open)
        return CALD_EBUSY;
    if (vm->eng.ops->vm_init(&vm->eng) < 0)
        return no_tables(vm);
    vm->eng.memory.owner = vm->owner;
    vm->open = true;
    if (!vm_irq_open(vm)) {
        cald_vm_close(vm);
        return no_tables(vm);
    }
    cald_vm_reset(vm);
    return CALD_OK;
}

void cald_vm_close(struct cald_vm *vm)
{
    const struct engine_ops *ops = vm->eng.ops;
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        atomic_store(&vm->vcpus[n].hsm, SBI_HSM_STOPPED);
    if (!vm->open)
        return;
    vm->open = false;
    for (unsigned n = 0; ops->vcpu_fini && n < vm->vcpu_count; n++)
        ops->vcpu_fini(&vm->vcpus[n].eng);
    vm->started = false;
    ops->vm_fini(&vm->eng);
}

void cald_vm_reset(struct cald_vm *vm)
{
    vm_irq_reset(vm);
    uart_reset(vm);
    for (unsigned n = 0; n < vm->vcpu_count; n++) {
        vcpu_init(&vm->vcpus[n], vm, n);
        if (vm->started) /* its shadow tables may hold what was */
            atomic_store(&vm->vcpus[n].mailbox, MAIL_FLUSH);
    }
}

/* The rest of what it needs: how much that is, its memory says. */
static int take_tables(struct cald_vm *vm)
{
    const struct engine_ops *ops = vm->eng.ops;
    if (vm->started)
        return CALD_OK;
    if (!vm_irq_map(vm))
        return no_tables(vm);
    for (unsigned n = 0; ops->vcpu_init && n < vm->vcpu_count; n++) {
        if (ops->vcpu_init(&vm->vcpus[n].eng) < 0) {
            line_error("vm %s: no memory is left for the shadow tables of its %u vCPUs", vm->name,
                       vm->vcpu_count);
            return CALD_ENOMEM;
        }
    }
    vm->started = true;
    return CALD_OK;
}

int cald_vm_start(struct cald_vm *vm, uint64_t pc, uint64_t opaque)
{
    struct cald_vcpu *first = &vm->vcpus[0];
    int error = take_tables(vm);
    if (error)
        return error;
    first->start_pc = pc;
    first->start_opaque = opaque;
    atomic_store(&first->hsm, SBI_HSM_START_PENDING);
    vcpu_mail(first, MAIL_WAKE);
    return CALD_OK;
}

uint64_t cald_vm_second_stage(struct cald_vm *vm)
{
    const struct engine_ops *ops = vm->eng.ops;
    const struct gstage *table = ops->second_stage ? ops->second_stage(&vm->eng) : NULL;
    return table ? gstage_atp(table) : 0;
}

uint64_t cald_vm_table_bytes(const struct cald_vm *vm)
{
    return vm->open ? vm->eng.ops->table_bytes(&vm->eng) : 0;
}

bool cald_vm_time_can_stand(const struct cald_vm *vm)
{
    return !vm->eng.ops->time_can_stand || vm->eng.ops->time_can_stand(&vm->eng);
}

void cald_vm_time_stood(struct cald_vm *vm, uint64_t ticks)
{
    vm->eng.time_delta -= ticks;
    for (unsigned n = 0; n < vm->vcpu_count; n++)
        vm->eng.ops->time_stood(&vm->vcpus[n].eng, ticks);
}

uint64_t cald_vm_time(const struct cald_vm *vm, uint64_t host)
{
    return host + vm->eng.time_delta;
}

void vcpu_fault(struct cald_vcpu *vcpu, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    line_format_list(vcpu->fault, sizeof(vcpu->fault), format, args);
    va_end(args);
    vcpu->why = CALD_FAULT;
}
