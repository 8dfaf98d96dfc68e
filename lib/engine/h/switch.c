/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A vCPU on to a hart and off it. Everything that the guest can change and that is not a general
 * register stays in the hart's VS-mode registers from h_load() to h_put(), across any number of
 * exits. FP and vector registers are saved only if the guest changed them since (HS-level sstatus
 * tracks that, privileged manual, "Extension Context Status in mstatus").
 */
#include <string.h>

#include "lib/engine/h/h.h"
#include "host/host.h"
#include "riscv/asm.h"

/*
 * What this hart remembers may be another vCPU's of the same VM, which shares the VMID, or older
 * than what this one did elsewhere since. After a new generation of VMIDs it may be another VM's.
 */
static void flush_stale(struct engine_vcpu *v, uint64_t generation)
{
    struct h_hart *hart = &v->vm->machine->hart[v->hart].h;
    struct h_vm_hart *here = &v->vm->h.hart[v->hart];
    if (hart->generation != generation) {
        hart->generation = generation;
        hfence_gvma_all();
        hfence_vvma_all();
        fence_i();
    } else if (here->last != v || v->h.last_hart != v->hart + 1) {
        hfence_vvma_all();
        fence_i();
    }
    here->last = v;
    v->h.last_hart = v->hart + 1;
}

void h_load(struct engine_vcpu *v)
{
    const struct h_vcpu *h = &v->h;
    const struct h_vm *vm = &v->vm->h;
    const struct cald_machine *machine = v->vm->machine;
    csr_write(CSR_VSSTATUS, h->vsstatus);
    csr_write(CSR_VSIE, h->vsie);
    csr_write(CSR_VSTVEC, h->vstvec);
    csr_write(CSR_VSSCRATCH, h->vsscratch);
    csr_write(CSR_VSEPC, h->vsepc);
    csr_write(CSR_VSCAUSE, h->vscause);
    csr_write(CSR_VSTVAL, h->vstval);
    v->host_scounteren = csr_read(CSR_SCOUNTEREN);
    csr_write(CSR_SCOUNTEREN, h->scounteren);
    if (machine->told.henvcfg) {
        csr_write(CSR_HENVCFG, vm->henvcfg);
        v->host_senvcfg = csr_read(CSR_SENVCFG);
        csr_write(CSR_SENVCFG, h->senvcfg & vm->senvcfg);
    }
    if (machine_has(machine, CALD_MACHINE_HSTATEEN))
        csr_write(CSR_HSTATEEN0, vm->hstateen0);
    /* Without Sstc htimedelta is never written (see vm_init()): a delta is made by traps, of
     * `time`. */
    bool sstc = machine_has(machine, CALD_MACHINE_SSTC);
    uint64_t delta = sstc ? v->vm->time_delta : 0;
    csr_write(CSR_HCOUNTEREN, delta == v->vm->time_delta ? vm->hcounteren : 0);
    if (csr_read(CSR_HTIMEDELTA) != delta)
        csr_write(CSR_HTIMEDELTA, delta);
    csr_write(CSR_HVIP, h->hvip);
    if (sstc)
        csr_write(CSR_VSTIMECMP, h->vstimecmp);
    if (machine_has(machine, CALD_MACHINE_AIA)) {
        csr_write(CSR_VSISELECT, h->vsiselect);
        csr_write(CSR_HVICTL, h_hvictl(h->hvip & IRQ_BIT(IRQ_VS_EXT)));
    }
    uint64_t generation;
    csr_write(CSR_HGATP, h_hgatp(v->vm, &generation));
    csr_write(CSR_VSATP, h->vsatp);
    flush_stale(v, generation);
    h_window_catch_up(v);
    unit_state_load(v, &h->units, v->vm->h.has_fp, v->vm->h.has_vector);
    if (v->vm->h.has_fp)
        v->h.sstatus = (v->h.sstatus & ~SSTATUS_FS) | SSTATUS_FS_CLEAN;
    if (v->vm->h.has_vector)
        v->h.sstatus = (v->h.sstatus & ~SSTATUS_VS) | SSTATUS_VS_CLEAN;
    v->loaded = true;
    if (h->timer != UINT64_MAX)
        host_timer_arm((struct cald_vcpu *)v, h->timer);
}

void h_put(struct engine_vcpu *v)
{
    struct h_vcpu *h = &v->h;
    const struct cald_machine *machine = v->vm->machine;
    unit_state_put(v, &h->units, (h->sstatus & SSTATUS_FS) == SSTATUS_FS,
                   (h->sstatus & SSTATUS_VS) == SSTATUS_VS);
    h->vsstatus = csr_read(CSR_VSSTATUS);
    h->vsie = csr_read(CSR_VSIE);
    h->vstvec = csr_read(CSR_VSTVEC);
    h->vsscratch = csr_read(CSR_VSSCRATCH);
    h->vsepc = csr_read(CSR_VSEPC);
    h->vscause = csr_read(CSR_VSCAUSE);
    h->vstval = csr_read(CSR_VSTVAL);
    h->scounteren = csr_read(CSR_SCOUNTEREN);
    csr_write(CSR_SCOUNTEREN, v->host_scounteren);
    if (machine->told.henvcfg) {
        h->senvcfg = csr_read(CSR_SENVCFG);
        csr_write(CSR_SENVCFG, v->host_senvcfg);
    }
    if (machine_has(machine, CALD_MACHINE_AIA))
        h->vsiselect = csr_read(CSR_VSISELECT);
    h->vsatp = csr_read(CSR_VSATP);
    h->hvip = csr_read(CSR_HVIP); /* the guest may have cleared its software interrupt there */
    if (h->own_timer) {
        h->vstimecmp = csr_read(CSR_VSTIMECMP);
        csr_write(CSR_VSTIMECMP, UINT64_MAX);
    } else {
        host_timer_arm((struct cald_vcpu *)v, UINT64_MAX);
    }
    csr_write(CSR_HVIP, 0);
    csr_write(CSR_VSIE, 0); /* or its interrupts would end our wfi */
    csr_write(CSR_VSATP, 0);
    csr_write(CSR_HGATP, 0);
    v->loaded = false;
}

uint64_t h_units_on(const struct engine_vm *vm)
{
    return (vm->h.has_fp ? SSTATUS_FS : 0) | (vm->h.has_vector ? SSTATUS_VS : 0);
}

void h_vcpu_reset(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    /* The SBI's hart_start: satp 0, sstatus.SIE 0, a0, a1 as given, the rest undefined. Registers
     * are zero, so that a guest can't see what ran before; FP and vector unit are on and user mode
     * may read cycle, time and instret, as OpenSBI leaves them: some kernels count on it. */
    void *vector = v->h.units.vector;
    memset(v->gpr, 0, sizeof(v->gpr));
    memset(&v->h, 0, sizeof(v->h));
    v->h.units.vector = vector;
    if (vector)
        memset(vector, 0, 32 * v->vm->machine->told.vector_bytes);
    v->pc = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
    v->h.vsstatus = SSTATUS_UXL_64 | h_units_on(v->vm);
    v->h.scounteren = COUNTEREN_AT_START;
    v->h.own_timer = v->vm->h.has_sstc;
    v->h.vstimecmp = UINT64_MAX;
    v->h.timer = UINT64_MAX;
    v->h.units.vtype = 1UL << 63; /* vill, as after a reset */
    v->h.hstatus = HSTATUS_VSXL_64 | HSTATUS_SPV | HSTATUS_SPVP;
    v->h.sstatus = SSTATUS_UXL_64 | SSTATUS_SPP;
}
