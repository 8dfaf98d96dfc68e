/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An engine without a hart: its guests are scripts. Each operation is what a guest's instructions
 * would do to the world outside the vCPU, with what it has to answer; an answer that is another one
 * ends the guest with EXIT_ERROR.
 *
 * Where a vCPU begins, the address says: SCRIPT_RAM + 4 * n is the script scripts[n]. Its
 * state lies where an engine keeps its own, so any number of VMs may run at once.
 */
#ifndef TESTS_UNIT_SCRIPTED_H
#define TESTS_UNIT_SCRIPTED_H

#include <string.h>

#include "caldarium/host.h"
#include "lib/machine/machine.h"
#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"

#define SCRIPT_RAM 0x80000000UL
#define SCRIPT_RAM_BYTES 0x10000UL
#define SCRIPT_ANY 0xabababababababab /* any answer is right */

enum script_do {
    SCRIPT_END, /* the script's end: waits for ever */
    SCRIPT_SBI, /* a..e: extension, function, a0, a1, a2; error, value: what it answers */
    SCRIPT_LOAD,
    SCRIPT_STORE,      /* a: address, b: width, c: value, or what has to be read */
    SCRIPT_ENABLE,     /* a: sie */
    SCRIPT_WFI,        /* until an interrupt that sie has is pending */
    SCRIPT_SEE,        /* a: bits that sip has to have */
    SCRIPT_CLEAR_SOFT, /* sip.SSIP, as a guest clears it */
    SCRIPT_TIMER,      /* SBI TIME set_timer, a ticks from now; 0: never */
    SCRIPT_ADD,        /* word a of RAM, +1 */
    SCRIPT_UNTIL,      /* word a of RAM is b: spins */
    SCRIPT_TIMES,      /* goes back b operations until it has come here a times */
    SCRIPT_FENCES      /* at least so many fences were carried out here */
};

struct script_op {
    enum script_do what;
    uint64_t a, b, c, d, e;
    uint64_t error, value;
};

static const struct script_op *const *scripts;

struct scripted {
    const struct script_op *script, *at, *asked; /* asked: what is answered when it runs again */
    _Atomic uint64_t sip;
    uint64_t sie, timer, times, fences;
};
_Static_assert(sizeof(struct scripted) <= sizeof(struct h_vcpu), "an engine's own part of a vCPU");

static struct scripted *script_of(const struct engine_vcpu *v)
{
    return (struct scripted *)(uintptr_t)&v->h;
}

/* At an address that is none of a script's: nothing, for ever. */
static const struct script_op *script_at(uint64_t pc)
{
    static const struct script_op nowhere = {.what = SCRIPT_END};
    return pc < SCRIPT_RAM ? &nowhere : scripts[(pc - SCRIPT_RAM) / 4];
}

static int script_vm_init(struct engine_vm *vm)
{
    (void)vm;
    return 0;
}
static void script_vm_fini(struct engine_vm *vm)
{
    (void)vm;
}
/* It keeps no pointers into guest memory. */
static void script_forget(struct engine_vcpu *v)
{
    (void)v;
}
static void script_vector_room(struct engine_vcpu *v, void *room)
{
    (void)v, (void)room;
}
static uint64_t script_table_bytes(const struct engine_vm *vm)
{
    (void)vm;
    return 0;
}
static void script_reset(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    struct scripted *m = script_of(v);
    memset(m, 0, sizeof(*m));
    m->timer = UINT64_MAX;
    m->script = m->at = script_at(pc);
    memset(v->gpr, 0, sizeof(v->gpr));
    v->pc = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
}
static void script_resume(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    struct scripted *m = script_of(v);
    m->script = m->at = script_at(pc);
    m->asked = NULL;
    v->pc = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
}
static void script_load(struct engine_vcpu *v)
{
    v->loaded = true;
}
static void script_put(struct engine_vcpu *v)
{
    v->loaded = false;
}
static void script_irq(struct engine_vcpu *v, enum guest_irq irq, bool level)
{
    struct scripted *m = script_of(v);
    if (level)
        atomic_fetch_or(&m->sip, 1UL << irq);
    else
        atomic_fetch_and(&m->sip, ~(1UL << irq));
}
static void script_timer_check(struct engine_vcpu *v)
{
    struct scripted *m = script_of(v);
    if (m->timer <= host_time() + v->vm->time_delta)
        script_irq(v, GUEST_IRQ_TIMER, true);
}
static struct sbi_ret script_set_timer(struct engine_vcpu *v, uint64_t when)
{
    script_of(v)->timer = when;
    script_irq(v, GUEST_IRQ_TIMER, false);
    script_timer_check(v);
    host_timer_arm(vcpu_of(v), engine_host_time(v->vm, when));
    return (struct sbi_ret){0, 0};
}
static uint64_t script_timer_deadline(const struct engine_vcpu *v)
{
    return engine_host_time(v->vm, script_of(v)->timer);
}
static bool script_irq_waiting(const struct engine_vcpu *v)
{
    const struct scripted *m = script_of(v);
    return atomic_load(&m->sip) & m->sie;
}
static void script_fence(struct engine_vcpu *v, const struct fence *fence)
{
    (void)fence;
    script_of(v)->fences++;
}
static void script_inject(struct engine_vcpu *v, uint64_t cause, uint64_t tval)
{
    (void)cause, (void)tval;
    v->pc = SCRIPT_RAM; /* no script expects one: its next answer will be wrong */
}
static bool script_in_user(const struct engine_vcpu *v)
{
    (void)v;
    return false;
}
static bool script_counter_open(const struct engine_vcpu *v, unsigned which)
{
    (void)v, (void)which;
    return true;
}

static _Atomic uint64_t *script_word(struct engine_vcpu *v, uint64_t word)
{
    return cald_vm_ram(vcpu_of(v)->vm, SCRIPT_RAM + 0x1000 + 8 * word, 8);
}

/* What the exit that the operation made has answered. */
static bool script_answered(struct engine_vcpu *v)
{
    struct scripted *m = script_of(v);
    const struct script_op *op = m->asked;
    m->asked = NULL;
    if (!op)
        return true;
    if (op->what == SCRIPT_SBI)
        return (op->error == SCRIPT_ANY || v->gpr[10] == op->error) &&
               (op->value == SCRIPT_ANY || v->gpr[11] == op->value);
    return op->what != SCRIPT_LOAD || op->c == SCRIPT_ANY || v->gpr[12] == op->c;
}

static enum exit_reason script_ask(struct engine_vcpu *v, const struct script_op *op,
                                   struct exit *exit)
{
    struct scripted *m = script_of(v);
    uint64_t *gpr = v->gpr;
    m->asked = op;
    m->at = op + 1;
    switch (op->what) {
    case SCRIPT_SBI:
        gpr[17] = op->a;
        gpr[16] = op->b;
        gpr[10] = op->c;
        gpr[11] = op->d;
        gpr[12] = op->e;
        gpr[13] = gpr[14] = gpr[15] = 0;
        return EXIT_SBI;
    case SCRIPT_TIMER:
        gpr[17] = SBI_EXT_TIME;
        gpr[16] = 0;
        gpr[10] = op->a ? host_time() + v->vm->time_delta + op->a : UINT64_MAX;
        return EXIT_SBI;
    default:
        gpr[12] = op->c;
        exit->gpa = op->a;
        exit->access = (struct riscv_access){
            .store = op->what == SCRIPT_STORE, .width = (uint8_t)op->b, .reg = 12, .insn_bytes = 4};
        return EXIT_MMIO;
    }
}

/* An operation that stays inside the vCPU. False: it is not over yet. */
static bool script_inside(struct engine_vcpu *v, const struct script_op *op, bool *wrong)
{
    struct scripted *m = script_of(v);
    switch (op->what) {
    case SCRIPT_ENABLE:
        m->sie = op->a;
        return true;
    case SCRIPT_SEE:
        *wrong = (atomic_load(&m->sip) & op->a) != op->a;
        return true;
    case SCRIPT_CLEAR_SOFT:
        script_irq(v, GUEST_IRQ_SOFT, false);
        return true;
    case SCRIPT_ADD:
        atomic_fetch_add(script_word(v, op->a), 1);
        return true;
    case SCRIPT_UNTIL:
        return atomic_load(script_word(v, op->a)) == op->b;
    case SCRIPT_FENCES:
        *wrong = m->fences < op->a;
        return true;
    case SCRIPT_TIMES:
        if (++m->times % op->a)
            m->at = op - op->b - 1;
        return true;
    default:
        return false;
    }
}

static bool script_asks(enum script_do what)
{
    return what == SCRIPT_SBI || what == SCRIPT_TIMER || what == SCRIPT_LOAD ||
           what == SCRIPT_STORE;
}

static void script_run(struct engine_vcpu *v, struct exit *exit)
{
    struct scripted *m = script_of(v);
    memset(exit, 0, sizeof(*exit));
    bool wrong = !script_answered(v);
    while (!atomic_load(&vcpu_of(v)->mailbox)) {
        const struct script_op *op = m->at;
        script_timer_check(v); /* as a hart's own would */
        if (wrong || (op->what == SCRIPT_END && !m->sie)) {
            exit->reason = EXIT_ERROR;
            exit->cause = (uint64_t)(m->at - m->script); /* the operation behind the wrong one */
            return;
        }
        if (script_asks(op->what)) {
            exit->reason = script_ask(v, op, exit);
            return;
        }
        if ((op->what == SCRIPT_WFI || op->what == SCRIPT_END) && !script_irq_waiting(v)) {
            exit->reason = EXIT_WFI;
            exit->insn = INSN_WFI;
            return;
        }
        if (op->what == SCRIPT_WFI || script_inside(v, op, &wrong))
            m->at++;
    }
    exit->reason = EXIT_INTERRUPT;
    if (wrong)
        exit->reason = EXIT_ERROR;
}

#define SCRIPT_ENGINE                                                                              \
    {                                                                                              \
        .name = "scripted", .vm_init = script_vm_init, .vm_fini = script_vm_fini,                  \
        .forget = script_forget, .table_bytes = script_table_bytes,                                \
        .vector_room = script_vector_room, .vcpu_reset = script_reset,                             \
        .vcpu_resume = script_resume, .load = script_load, .put = script_put, .run = script_run,   \
        .inject = script_inject, .irq = script_irq, .set_timer = script_set_timer,                 \
        .timer_check = script_timer_check, .fence = script_fence,                                  \
        .irq_waiting = script_irq_waiting, .timer_deadline = script_timer_deadline,                \
        .in_user = script_in_user, .counter_open = script_counter_open,                            \
    }

const struct engine_ops engine_h = SCRIPT_ENGINE, engine_shadow = SCRIPT_ENGINE;

const struct engine_ops *engine_by(enum cald_engine engine)
{
    return engine == CALD_ENGINE_H ? &engine_h : &engine_shadow;
}

uint64_t engine_counter(const struct engine_vcpu *v, unsigned which)
{
    (void)v, (void)which;
    return 0;
}

#endif
