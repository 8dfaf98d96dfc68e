/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine shadow's answer to lib/engine/engine.h: what the library asks of VMs and of a loaded vCPU.
 */
#include <string.h>

#include "lib/engine/common/fence.h"
#include "lib/engine/shadow/copy.h"
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"
#include "riscv/isa.h"

/* The hart may know guests' addresses by ASIDs that are somebody else's from now on. */
static void hart_end(struct cald_machine *machine, unsigned hart)
{
    machine->hart[hart].s.last = NULL;
    sfence_vma_all();
    fence_i();
}

static int vm_init(struct engine_vm *vm)
{
    struct s_vm *s = &vm->s;
    const struct cald_machine_params *told = &vm->machine->told;
    memset(s, 0, sizeof(*s));
    memory_empty(&vm->memory);
    vm->time_delta = 0; /* the guest reads the hart's own, or firmware answers: see engine.h */
    s->has_fp = machine_has(vm->machine, CALD_MACHINE_FP) && !vm->isa_disable[ISA_F];
    s->has_vector = told->vector_bytes && !vm->isa_disable[ISA_V];
    s->adue = !vm->isa_disable[ISA_SVADU];
    s->has_senvcfg = machine_has(vm->machine, CALD_MACHINE_SENVCFG);
    unsigned levels = told->satp_levels - machine_has(vm->machine, CALD_MACHINE_APART);
    s->levels = levels < 4 ? 3 : 4;
    s->scounteren = told->scounteren;
    s->counters = told->counters;
    s->envcfg = told->user_senvcfg;
    if (vm->isa_disable[ISA_ZICBOM])
        s->envcfg &= ~(ENVCFG_CBCFE | ENVCFG_CBIE_INVAL);
    if (vm->isa_disable[ISA_ZICBOZ])
        s->envcfg &= ~ENVCFG_CBZE;
    return 0;
}

static void vm_fini(struct engine_vm *vm)
{
    s_copies_fini(vm);
    vm->s.table_pages = 0;
    memory_empty(&vm->memory);
}

static uint64_t table_bytes(const struct engine_vm *vm)
{
    return vm->s.table_pages * HOST_PAGE_SIZE + s_copies_bytes(vm);
}

static void vcpu_resume(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    struct s_vcpu *s = &v->s;
    s->satp = 0;
    s->sstatus = (s->sstatus & ~SSTATUS_SIE) | s_units_on(v->vm);
    s->scounteren = COUNTEREN_AT_START;
    s->user = false;
    s_tables_flush(v);
    v->pc = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
}

static void irq(struct engine_vcpu *v, enum guest_irq irq, bool level)
{
    if (level)
        v->s.sip |= IRQ_BIT((unsigned)irq);
    else
        v->s.sip &= ~IRQ_BIT((unsigned)irq);
    v->s.due = true;
}

/* The guest's time is the host's: it reads the counter itself. */
struct sbi_ret s_set_timer(struct engine_vcpu *v, uint64_t when)
{
    v->s.sip &= ~IRQ_BIT(IRQ_S_TIMER);
    v->s.timer = engine_host_time(v->vm, when);
    host_timer_arm((struct cald_vcpu *)v, v->s.timer);
    return (struct sbi_ret){SBI_SUCCESS, 0};
}

void s_timer_check(struct engine_vcpu *v)
{
    if (v->s.timer <= host_time())
        s_timer_due(v);
}

static void fence(struct engine_vcpu *v, const struct fence *f)
{
    if (f->kind == FENCE_I) {
        fence_i();
        return;
    }
    if (f->kind == FENCE_COPY) {
        s_copy_drop(v, f->start);
        return;
    }
    if (f->kind == FENCE_POKED) {
        s_copy_unpoke(v, f->start);
        return;
    }
    if (f->kind == FENCE_TABLES) {
        s_tables_flush(v);
        return;
    }
    bool all = fence_is_full(f);
    if (f->kind == FENCE_ALL || (f->kind == FENCE_VMA && all)) {
        s_tables_fence(v);
        return;
    }
    if (all) {
        s_tables_flush_asid(v, f->asid & 0xffff);
        return;
    }
    uint64_t first = fence_first_page(f), pages = fence_page_count(f);
    for (uint64_t n = 0; n < pages; n++)
        s_tables_flush_page(v, first + n * HOST_PAGE_SIZE, f->kind == FENCE_VMA, f->asid & 0xffff);
}

static bool irq_waiting(const struct engine_vcpu *v)
{
    return s_interrupts(v);
}

static uint64_t timer_deadline(const struct engine_vcpu *v)
{
    return v->s.timer;
}

static void state(const struct engine_vcpu *v, struct engine_state *out)
{
    const struct s_vcpu *s = &v->s;
    *out = (struct engine_state){s->sstatus, s->stvec, s->sscratch, s->sepc, s->scause,
                                 s->stval,   s->satp,  s->sie,      s->sip};
}

static bool in_user(const struct engine_vcpu *v)
{
    return v->s.user;
}

static bool counter_open(const struct engine_vcpu *v, unsigned which)
{
    return !v->s.user || v->s.scounteren >> which & 1;
}

static void time_stood(struct engine_vcpu *v, uint64_t ticks)
{
    struct s_vcpu *s = &v->s;
    s->timer = s->timer < UINT64_MAX - ticks ? s->timer + ticks : UINT64_MAX;
}

/* Reads of `time` that scounteren closes are the firmware's first. */
static bool time_can_stand(const struct engine_vm *vm)
{
    return machine_has(vm->machine, CALD_MACHINE_TIME_TRAPS);
}

static void vector_room(struct engine_vcpu *v, void *room)
{
    v->s.units.vector = room;
}

const struct engine_ops engine_shadow = {
    .name = "shadow",
    .machine_init = s_trampoline_build,
    .machine_fini = s_trampoline_free,
    .hart_end = hart_end,
    .vm_init = vm_init,
    .vm_fini = vm_fini,
    .vcpu_init = s_tables_init,
    .vcpu_fini = s_tables_fini,
    .vector_room = vector_room,
    .forget = s_forget,
    .wrote = s_copies_wrote,
    .table_bytes = table_bytes,
    .vcpu_reset = s_vcpu_reset,
    .vcpu_resume = vcpu_resume,
    .load = s_load,
    .put = s_put,
    .run = s_run,
    .inject = s_deliver,
    .irq = irq,
    .set_timer = s_set_timer,
    .timer_check = s_timer_check,
    .fence = fence,
    .irq_waiting = irq_waiting,
    .timer_deadline = timer_deadline,
    .time_stood = time_stood,
    .time_can_stand = time_can_stand,
    .state = state,
    .regs = s_regs,
    .special = s_special,
    .set_special = s_set_special,
    .in_user = in_user,
    .counter_open = counter_open,
    .peek = s_peek,
};
