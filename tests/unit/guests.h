/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM on an engine that only notes what it is asked: `guest` is the library's, guest_vm the
 * appliance's. */
#ifndef TESTS_UNIT_GUESTS_H
#define TESTS_UNIT_GUESTS_H

#include "tests/unit/unit.h"

#include "appliance/memory.h"
#include "appliance/vm.h"
#include "lib/vm/vm.h"
#include "lib/machine/machine.h"
#include "lib/sbi/sbi.h"
#include "host/host.h"

#define GUEST_RAM 0x80000000UL
#define GUEST_MIB 0x100000UL
#define GUEST_VCPUS 4

static struct vm_config guest_config;
static struct vm guest_vm;
static struct cald_machine guest_machine;
#define guest (guest_vm.cald)
#define guest_vcpus (guest->vcpus)
static struct fence guest_fence; /* the last one that the engine carried out */
static unsigned guest_fences;
static uint32_t guest_irqs; /* bit n: interrupt n was shown or taken away */
static uint64_t guest_began_at, guest_sip;
static struct exit guest_exit;               /* how the next runs end */
static void (*guest_in)(struct cald_vcpu *); /* what happens while the guest runs, or NULL */
static unsigned guest_runs;
static uint64_t guest_cause, guest_tval;    /* the exception that it got last */
static uint64_t guest_handler = 0x80000100; /* of its traps */
static uint64_t guest_timer;                /* host time of the guest's own timer */

static int fake_vm_init(struct engine_vm *vm)
{
    (void)vm;
    return 0;
}
static void fake_vm_fini(struct engine_vm *vm)
{
    memory_empty(&vm->memory);
}
static void fake_forget(struct engine_vcpu *v)
{
    (void)v;
}
static void fake_vector_room(struct engine_vcpu *v, void *room)
{
    (void)v, (void)room;
}
static uint64_t fake_table_bytes(const struct engine_vm *vm)
{
    (void)vm;
    return 4096;
}
static void fake_begin(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    v->pc = guest_began_at = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
}
static void fake_load(struct engine_vcpu *v)
{
    v->loaded = true;
}
static void fake_put(struct engine_vcpu *v)
{
    v->loaded = false;
}
static void fake_irq(struct engine_vcpu *v, enum guest_irq irq, bool level)
{
    (void)v;
    guest_irqs |= 1u << irq;
    guest_sip = (guest_sip & ~(1UL << irq)) | (uint64_t)level << irq;
}
static void fake_run(struct engine_vcpu *v, struct exit *exit)
{
    guest_runs++;
    if (guest_in)
        guest_in(vcpu_of(v));
    *exit = guest_exit;
}
static bool fake_irq_waiting(const struct engine_vcpu *v)
{
    (void)v;
    return guest_sip;
}
static uint64_t fake_timer_deadline(const struct engine_vcpu *v)
{
    (void)v;
    return guest_timer;
}
static void fake_timer_check(struct engine_vcpu *v)
{
    if (guest_timer <= host_time())
        fake_irq(v, GUEST_IRQ_TIMER, true);
}
static void fake_inject(struct engine_vcpu *v, uint64_t cause, uint64_t tval)
{
    guest_cause = cause;
    guest_tval = tval;
    v->pc = guest_handler;
}
static void fake_fence(struct engine_vcpu *v, const struct fence *fence)
{
    (void)v;
    guest_fence = *fence;
    guest_fences++;
}
static void fake_state(const struct engine_vcpu *v, struct engine_state *state)
{
    (void)v;
    *state = (struct engine_state){.sip = guest_sip};
}
static struct sbi_ret fake_set_timer(struct engine_vcpu *v, uint64_t when)
{
    (void)v, (void)when;
    return (struct sbi_ret){0, 0};
}

static uint64_t guest_harts_counter = 1000; /* cycle; instret is two more */

uint64_t engine_counter(const struct engine_vcpu *v, unsigned which)
{
    (void)v;
    return guest_harts_counter + which;
}
static bool fake_counter_open(const struct engine_vcpu *v, unsigned which)
{
    (void)v, (void)which;
    return true;
}
static bool fake_in_user(const struct engine_vcpu *v)
{
    (void)v;
    return false;
}

static const struct engine_ops fake_engine = {
    .name = "fake",
    .vm_init = fake_vm_init,
    .vm_fini = fake_vm_fini,
    .forget = fake_forget,
    .in_user = fake_in_user,
    .counter_open = fake_counter_open,
    .table_bytes = fake_table_bytes,
    .vector_room = fake_vector_room,
    .vcpu_reset = fake_begin,
    .vcpu_resume = fake_begin,
    .load = fake_load,
    .put = fake_put,
    .run = fake_run,
    .inject = fake_inject,
    .irq = fake_irq,
    .irq_waiting = fake_irq_waiting,
    .timer_deadline = fake_timer_deadline,
    .timer_check = fake_timer_check,
    .set_timer = fake_set_timer,
    .fence = fake_fence,
    .state = fake_state,
};

static const struct engine_ops *guest_engine = &fake_engine;

const struct engine_ops *engine_by(enum cald_engine engine)
{
    (void)engine;
    return guest_engine;
}

/* The configuration of a VM of `mib` MiB at GUEST_RAM. */
static inline void guest_configure(unsigned mib)
{
    sim_reset();
    memset(&guest_config, 0, sizeof(guest_config));
    memset(&guest_vm, 0, sizeof(guest_vm));
    guest_fences = guest_irqs = 0;
    guest_sip = 0;
    guest_exit = (struct exit){.reason = EXIT_INTERRUPT};
    guest_in = NULL;
    guest_runs = 0;
    guest_cause = guest_tval = 0;
    guest_handler = 0x80000100;
    guest_timer = UINT64_MAX;
    strcpy(guest_config.name, "web");
    guest_config.bootargs = "";
    guest_config.vcpus = GUEST_VCPUS;
    guest_config.memory[0] = (struct config_range){GUEST_RAM, mib * GUEST_MIB};
    guest_config.memory_ranges = 1;
    guest_config.irqchip = IRQCHIP_PLIC;
    board.timebase = 10000000;
    guest_vm.config = &guest_config;
    guest_machine.told = (struct cald_machine_params){
        .harts = 8,
        .flags = CALD_MACHINE_H | CALD_MACHINE_SHADOW | CALD_MACHINE_KICKS_ARE_OURS,
        .gstage_modes = 1 << 3};
    board.machine = &guest_machine;
}

/* The VM that it describes, open, without memory yet. guest_end() gives it back. */
static inline void guest_make(void)
{
    assert_int_equal(vm_define(&guest_vm), CALD_OK);
    assert_int_equal(cald_vm_open(guest), CALD_OK);
}

static inline void guest_describe(unsigned mib)
{
    guest_configure(mib);
    guest_make();
}

static inline void guest_end(void)
{
    memory_give_back(&guest_vm);
    cald_vm_destroy(guest);
}

/* A test's last step: the VM is given back, and nothing is left. */
static inline int guest_tear_down(void **state)
{
    (void)state;
    guest_end();
    assert_int_equal(sim_pages_taken, 0);
    return 0;
}

#endif
