/* SPDX-License-Identifier: BSD-2-Clause */
/* What the monitor's commands ask of the bare machine. */
#include "core/monitor/monitor.h"

#include "engine/h/h.h"
#include "host/bare/hart.h"
#include "host/bare/machine.h"
#include "host/bare/paging.h"
#include "host/bare/vms.h"
#include "host/host.h"

uint64_t monitor_host_hart_id(unsigned index)
{
    return harts[index].board->id;
}

void monitor_host_harts(void)
{
    monitor_print("%-8s %-8s %s", "hart id", "engine", "runs");
    for (unsigned n = 0; n < hart_count; n++) {
        const struct vcpu *vcpu = atomic_load(&harts[n].vcpu);
        if (vcpu)
            monitor_print("%-8lu %-8s vm %s, vCPU %u%s", harts[n].board->id, machine_engine->name,
                          vcpu->vm->config->name, vcpu->id, n == console_hart ? "; console" : "");
        else
            monitor_print("%-8lu %-8s nothing%s", harts[n].board->id, machine_engine->name,
                          n == console_hart ? "; console" : "");
    }
}

void monitor_host_memory(void)
{
    monitor_print("for VMs    %lu KiB", host_pages_total() >> 10);
    monitor_print("free       %lu KiB", host_pages_available() >> 10);
    monitor_print("a vCPU     %lu bytes, and %lu for its vector registers", sizeof(struct vcpu),
                  32 * h_features.vlenb);
    monitor_print("image      %lu KiB at %#lx", image_size() >> 10, image_pa());
}

void monitor_host_poweroff(void)
{
    machine_poweroff();
}

int monitor_host_start(struct vm *vm)
{
    return vms_start(vm);
}
