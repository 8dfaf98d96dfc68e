/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine h's answer to lib/engine/engine.h: set-up of VMs, and what the library asks of a loaded
 * vCPU. */
#include <stddef.h>

#include "lib/engine/common/fence.h"
#include "lib/engine/h/h.h"
#include "host/host.h"
#include "riscv/asm.h"
#include "riscv/isa.h"

static bool shown(const struct engine_vm *vm, enum riscv_ext ext)
{
    return !vm->isa_disable[ext];
}

/* The bits of senvcfg that go with what the guest is shown. */
static uint64_t guest_senvcfg(uint64_t henvcfg)
{
    return ENVCFG_FIOM | (henvcfg & ENVCFG_CBZE) |
           (henvcfg & ENVCFG_CBCFE ? ENVCFG_CBCFE | ENVCFG_CBIE_INVAL : 0);
}

static int vm_init(struct engine_vm *vm)
{
    struct h_vm *h = &vm->h;
    const struct cald_machine_params *told = &vm->machine->told;
    bool sstc = machine_has(vm->machine, CALD_MACHINE_SSTC);
    bool hstateen = machine_has(vm->machine, CALD_MACHINE_HSTATEEN);
    /* Its time starts at 0. Without Sstc it is the machine's: where a hart has Sstc and firmware
     * keeps it closed, QEMU 10.0 compares vstimecmp at a write to htimedelta, and what that leaves
     * pending nobody can clear. */
    *h = (struct h_vm){0};
    memory_empty(&vm->memory);
    vm->time_delta = sstc ? -host_time() : 0;
    h->has_fp = machine_has(vm->machine, CALD_MACHINE_FP) && shown(vm, ISA_F);
    h->has_vector = told->vector_bytes && shown(vm, ISA_V);
    h->has_sstc = sstc && shown(vm, ISA_SSTC);
    h->hcounteren = COUNTEREN_TM;
    uint64_t open = 0;
    /* Where the guest isn't shown Sstc, STCE stays off, so that its stimecmp is as illegal as on a
     * hart without: and vstimecmp is cut off from hip.VSTIP then (privileged manual, "henvcfg"), so
     * its timer is the host's, shown by hvip. */
    if (h->has_sstc)
        open |= ENVCFG_STCE;
    if (shown(vm, ISA_SVADU))
        open |= ENVCFG_ADUE;
    if (shown(vm, ISA_SVPBMT))
        open |= ENVCFG_PBMTE;
    if (shown(vm, ISA_ZICBOM))
        open |= ENVCFG_CBCFE | ENVCFG_CBIE_FLUSH; /* a guest's inval must not lose others' writes */
    if (shown(vm, ISA_ZICBOZ))
        open |= ENVCFG_CBZE;
    h->henvcfg = open & told->henvcfg;
    h->senvcfg = told->senvcfg & guest_senvcfg(h->henvcfg);
    /* A register with bits of extensions that the guest doesn't have traps, and is emulated: run.c.
     * On a hart without hstateen0 they stay as the guest writes them, until the next h_load(). */
    if (hstateen && h->senvcfg == told->senvcfg)
        h->hstateen0 = HSTATEEN_SENVCFG;
    if (hstateen && shown(vm, ISA_SSAIA))
        h->hstateen0 |= HSTATEEN_AIA | HSTATEEN_IMSIC | HSTATEEN_CSRIND;
    if (gstage_init(&h->gstage, gstage_levels(vm->gpa_end, told->gstage_modes)) < 0)
        return -1;
    h->hart = host_pages_alloc(told->harts * sizeof(*h->hart), HOST_PAGE_SIZE);
    if (h->hart)
        return 0;
    gstage_fini(&h->gstage);
    return -1;
}

static uint64_t table_bytes(const struct engine_vm *vm)
{
    return vm->h.gstage.pages * HOST_PAGE_SIZE;
}

static void vm_fini(struct engine_vm *vm)
{
    gstage_fini(&vm->h.gstage);
    if (vm->h.hart)
        host_pages_free(vm->h.hart, vm->machine->told.harts * sizeof(*vm->h.hart));
    vm->h.hart = NULL;
    memory_empty(&vm->memory);
}

static const struct gstage *second_stage(struct engine_vm *vm)
{
    /* Pages of interrupt files come and go in it, and an IOMMU would have to be told each time. */
    if (vm->h.window)
        return NULL;
    for (unsigned n = 0; n < vm->memory.slots; n++) {
        if (slot_flags(&vm->memory.slot[n]) & SLOT_SINGLE)
            return NULL;
    }
    vm->memory.pinned = true;
    return &vm->h.gstage;
}

static void inject(struct engine_vcpu *v, uint64_t cause, uint64_t tval)
{
    uint64_t status = csr_read(CSR_VSSTATUS);
    uint64_t next = status & ~(SSTATUS_SPP | SSTATUS_SPIE | SSTATUS_SIE);
    if (!h_in_user(v))
        next |= SSTATUS_SPP;
    if (status & SSTATUS_SIE)
        next |= SSTATUS_SPIE;
    csr_write(CSR_VSSTATUS, next);
    csr_write(CSR_VSEPC, v->pc);
    csr_write(CSR_VSCAUSE, cause);
    csr_write(CSR_VSTVAL, tval);
    v->pc = csr_read(CSR_VSTVEC) & ~3UL; /* exceptions go to the base in either mode */
    v->h.sstatus |= SSTATUS_SPP;
    v->h.hstatus |= HSTATUS_SPVP;
}

static void vcpu_resume(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    csr_write(CSR_VSATP, 0);
    csr_clear(CSR_VSSTATUS, SSTATUS_SIE);
    csr_set(CSR_VSSTATUS, h_units_on(v->vm));
    csr_write(CSR_SCOUNTEREN, COUNTEREN_AT_START);
    hfence_vvma_all();
    v->pc = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
    v->h.sstatus |= SSTATUS_SPP;
    v->h.hstatus |= HSTATUS_SPVP;
}

static void irq(struct engine_vcpu *v, enum guest_irq irq, bool level)
{
    /* It is loaded here: hvip is its own. */
    uint64_t bit = IRQ_BIT((unsigned)irq + 1); /* VS-level numbers are one above S-level ones */
    if (level)
        csr_set(CSR_HVIP, bit);
    else
        csr_clear(CSR_HVIP, bit);
    if (irq == GUEST_IRQ_EXTERNAL && machine_has(v->vm->machine, CALD_MACHINE_AIA))
        csr_write(CSR_HVICTL, h_hvictl(level));
}

/* Its deadline has come: the interrupt is shown, and the host's timer serves others. */
static void show_timer(struct engine_vcpu *v)
{
    v->h.timer = UINT64_MAX;
    csr_set(CSR_HVIP, IRQ_BIT(IRQ_VS_TIMER));
    host_timer_arm((struct cald_vcpu *)v, UINT64_MAX);
}

static struct sbi_ret set_timer(struct engine_vcpu *v, uint64_t when)
{
    if (v->h.own_timer) {
        csr_write(CSR_VSTIMECMP, when);
        return (struct sbi_ret){SBI_SUCCESS, 0};
    }
    uint64_t deadline = engine_host_time(v->vm, when);
    if (deadline <= host_time()) { /* no need to ask firmware for what is due already */
        show_timer(v);
        return (struct sbi_ret){SBI_SUCCESS, 0};
    }
    csr_clear(CSR_HVIP, IRQ_BIT(IRQ_VS_TIMER));
    v->h.timer = deadline;
    host_timer_arm((struct cald_vcpu *)v, deadline);
    return (struct sbi_ret){SBI_SUCCESS, 0};
}

bool h_timer_due(struct engine_vcpu *v)
{
    if (v->h.timer > host_time()) /* UINT64_MAX where vstimecmp is the guest's */
        return false;
    show_timer(v);
    return true;
}

static void timer_check(struct engine_vcpu *v)
{
    h_timer_due(v);
}

static void fence(struct engine_vcpu *v, const struct fence *f)
{
    (void)v;
    if (f->kind == FENCE_I) {
        fence_i();
        return;
    }
    bool all = fence_is_full(f);
    if (f->kind == FENCE_ALL || (f->kind == FENCE_VMA && all)) {
        hfence_vvma_all();
        return;
    }
    if (all) {
        hfence_vvma_asid(f->asid);
        return;
    }
    uint64_t first = fence_first_page(f), pages = fence_page_count(f);
    for (uint64_t n = 0; n < pages; n++) {
        uint64_t address = first + n * HOST_PAGE_SIZE;
        if (f->kind == FENCE_VMA)
            hfence_vvma_address(address);
        else
            hfence_vvma_address_asid(address, f->asid);
    }
}

static bool irq_waiting(const struct engine_vcpu *v)
{
    (void)v;
    return csr_read(CSR_HIP) & csr_read(CSR_HIE) & H_INTERRUPTS;
}

static uint64_t timer_deadline(const struct engine_vcpu *v)
{
    if (!v->h.own_timer)
        return v->h.timer;
    uint64_t now = host_time(), guest_now = now + v->vm->time_delta;
    uint64_t when = csr_read(CSR_VSTIMECMP);
    if (!(csr_read(CSR_VSIE) & IRQ_BIT(IRQ_S_TIMER)))
        return UINT64_MAX;
    if (when <= guest_now)
        return now;
    return when - guest_now < UINT64_MAX - now ? now + (when - guest_now) : UINT64_MAX;
}

static void time_stood(struct engine_vcpu *v, uint64_t ticks)
{
    v->h.timer = v->h.timer < UINT64_MAX - ticks ? v->h.timer + ticks : UINT64_MAX;
}

static void state(const struct engine_vcpu *v, struct engine_state *out)
{
    const struct h_vcpu *h = &v->h;
    uint64_t timer =
        h->own_timer && h->vstimecmp <= host_time() + v->vm->time_delta ? IRQ_BIT(IRQ_S_TIMER) : 0;
    if (v->loaded)
        *out = (struct engine_state){
            csr_read(CSR_VSSTATUS), csr_read(CSR_VSTVEC),  csr_read(CSR_VSSCRATCH),
            csr_read(CSR_VSEPC),    csr_read(CSR_VSCAUSE), csr_read(CSR_VSTVAL),
            csr_read(CSR_VSATP),    csr_read(CSR_VSIE),    csr_read(CSR_VSIP)};
    else
        *out = (struct engine_state){h->vsstatus, h->vstvec,  h->vsscratch,
                                     h->vsepc,    h->vscause, h->vstval,
                                     h->vsatp,    h->vsie,    h->hvip >> 1 | timer};
}

/* Whether the guest's user mode may read a counter: scounteren, which is the guest's own. */
static bool counter_open(const struct engine_vcpu *v, unsigned which)
{
    return !h_in_user(v) || csr_read(CSR_SCOUNTEREN) >> which & 1;
}

static void vector_room(struct engine_vcpu *v, void *room)
{
    v->h.units.vector = room;
}

const struct engine_ops engine_h = {
    .name = "h",
    .hart_begin = h_hart_begin,
    .hart_end = h_hart_end,
    .vm_init = vm_init,
    .vm_fini = vm_fini,
    .enter = h_enter_slot,
    .unmap = h_unmap,
    .protect = h_protect,
    .forget = h_forget,
    .second_stage = second_stage,
    .table_bytes = table_bytes,
    .vcpu_reset = h_vcpu_reset,
    .vcpu_resume = vcpu_resume,
    .load = h_load,
    .put = h_put,
    .run = h_run,
    .inject = inject,
    .irq = irq,
    .set_timer = set_timer,
    .timer_check = timer_check,
    .fence = fence,
    .irq_waiting = irq_waiting,
    .timer_deadline = timer_deadline,
    .time_stood = time_stood,
    .state = state,
    .regs = h_regs,
    .special = h_special,
    .set_special = h_set_special,
    .in_user = h_in_user,
    .counter_open = counter_open,
    .vector_room = vector_room,
    .peek = h_peek,
    .window_init = h_window_init,
    .window_map = h_window_map,
    .window_flush = h_window_flush,
    .file = h_file,
};
