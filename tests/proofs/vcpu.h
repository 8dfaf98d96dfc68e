/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM of two vCPUs whose engine does nothing but note what it was told, and whose host notes whom
 * it was to kick or to wake. */
#ifndef TESTS_PROOFS_VCPU_H
#define TESTS_PROOFS_VCPU_H

#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"
#include "tests/proofs/proof.h"

#ifndef VCPUS
#define VCPUS 2
#endif

static struct cald_vcpu vcpus[VCPUS];
static struct cald_vm vm;
static bool kicked[VCPUS], woken[VCPUS];
static bool shown[VCPUS];  /* the software interrupt */
static bool fenced[VCPUS]; /* any fence that covers what was asked for */

static inline unsigned number_of(const struct cald_vcpu *vcpu)
{
    return (unsigned)(vcpu - vcpus);
}

void host_kick(struct cald_vcpu *vcpu)
{
    kicked[number_of(vcpu)] = true;
}

void host_wake(struct cald_vcpu *vcpu)
{
    woken[number_of(vcpu)] = true;
}

void host_kicks_begin(void)
{
}

void host_kicks_end(void)
{
}

void vm_irq_show(struct cald_vcpu *vcpu)
{
    (void)vcpu;
}

static void ops_irq(struct engine_vcpu *v, enum guest_irq irq, bool level)
{
    shown[number_of(vcpu_of(v))] |= irq == GUEST_IRQ_SOFT && level;
}

static void ops_timer_check(struct engine_vcpu *v)
{
    (void)v;
}

static uint64_t ops_window_flush(struct engine_vcpu *v)
{
    (void)v;
    return 0;
}

static void ops_forget(struct engine_vcpu *v)
{
    (void)v;
}

static void ops_fence(struct engine_vcpu *v, const struct fence *fence)
{
    (void)fence;
    fenced[number_of(vcpu_of(v))] = true;
}

static const struct engine_ops ops = {.irq = ops_irq,
                                      .timer_check = ops_timer_check,
                                      .window_flush = ops_window_flush,
                                      .forget = ops_forget,
                                      .fence = ops_fence};

static inline void vm_of_two(void)
{
    vm.vcpus = vcpus;
    vm.vcpu_count = VCPUS;
    for (unsigned n = 0; n < VCPUS; n++) {
        vcpus[n].vm = &vm;
        vcpus[n].id = n;
        vcpus[n].eng.ops = &ops;
    }
}

#endif
