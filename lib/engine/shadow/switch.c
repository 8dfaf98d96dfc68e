/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU on to a hart and off it. Its supervisor CSRs are virtual and need no move; what the guest
 * has of the real hart are the FP and vector registers and what the TLB remembers. */
#include <string.h>

#include "lib/engine/common/fp.h"
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

static void load_fp_vector(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    uint64_t status = csr_read(CSR_SSTATUS);
    host_fp_begin((struct cald_vcpu *)v);
    if (v->vm->s.has_fp) {
        csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL);
        fp_restore(s->fp);
        csr_write(CSR_FCSR, s->fcsr);
    }
    if (v->vm->s.has_vector) {
        csr_set(CSR_SSTATUS, SSTATUS_VS_INITIAL);
        csr_write(CSR_VSTART, 0);
        vector_restore(s->vector);
        vector_config(s->vl, s->vtype);
        csr_write(CSR_VCSR, s->vcsr);
        csr_write(CSR_VSTART, s->vstart);
    }
    csr_write(CSR_SSTATUS, status);
    s->fp_dirty = s->vector_dirty = false;
}

static void put_fp_vector(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    uint64_t status = csr_read(CSR_SSTATUS);
    if (s->fp_dirty || (s->sstatus & SSTATUS_FS) == SSTATUS_FS) {
        csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL);
        fp_save(s->fp);
        s->fcsr = csr_read(CSR_FCSR);
    }
    if (s->vector_dirty || (s->sstatus & SSTATUS_VS) == SSTATUS_VS) {
        csr_set(CSR_SSTATUS, SSTATUS_VS_INITIAL);
        s->vstart = csr_read(CSR_VSTART);
        s->vcsr = csr_read(CSR_VCSR);
        s->vl = csr_read(CSR_VL);
        s->vtype = csr_read(CSR_VTYPE);
        csr_write(CSR_VSTART, 0); /* or the whole-register store would begin there */
        vector_save(s->vector);
    }
    csr_write(CSR_SSTATUS, status);
    host_fp_end((struct cald_vcpu *)v);
}

/* The hart knows roots by ASIDs that every vCPU counts from one. */
static void flush_stale(struct engine_vcpu *v)
{
    struct s_hart *hart = &v->vm->machine->hart[v->hart].s;
    if (hart->last != v || v->s.last_hart != v->hart + 1) {
        sfence_vma_all();
        fence_i();
    }
    hart->last = v;
    v->s.page = hart->page;
    v->s.last_hart = v->hart + 1;
}

void s_mode_registers(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    s->mode_shown = s_mode(s);
    /* The guest's time is the hart's, but for what it stood still: then reads of it are exits. */
    uint32_t open = v->vm->time_delta ? 0 : COUNTEREN_TM;
    csr_write(CSR_SCOUNTEREN, s->user ? s->scounteren & open : open);
    if (!v->vm->s.has_senvcfg)
        return;
    uint64_t envcfg = s->user ? s->senvcfg : v->vm->s.envcfg & ~ENVCFG_FIOM;
    if (envcfg & ENVCFG_CBIE_INVAL) /* an invalidation could show what was there before: a flush */
        envcfg = (envcfg & ~ENVCFG_CBIE_INVAL) | ENVCFG_CBIE_FLUSH;
    csr_write(CSR_SENVCFG, envcfg);
}

void s_load(struct engine_vcpu *v)
{
    load_fp_vector(v);
    v->host_scounteren = csr_read(CSR_SCOUNTEREN); /* s_mode_registers() writes both */
    if (v->vm->s.has_senvcfg)
        v->host_senvcfg = csr_read(CSR_SENVCFG);
    flush_stale(v);
    s_root_changed(&v->s);
    v->loaded = true;
    if (v->s.timer != UINT64_MAX)
        host_timer_arm((struct cald_vcpu *)v, v->s.timer);
}

void s_put(struct engine_vcpu *v)
{
    put_fp_vector(v);
    csr_write(CSR_SCOUNTEREN, v->host_scounteren);
    if (v->vm->s.has_senvcfg)
        csr_write(CSR_SENVCFG, v->host_senvcfg);
    host_timer_arm((struct cald_vcpu *)v, UINT64_MAX);
    v->loaded = false;
}

uint64_t s_units_on(const struct engine_vm *vm)
{
    return (vm->s.has_fp ? SSTATUS_FS : 0) | (vm->s.has_vector ? SSTATUS_VS : 0);
}

void s_vcpu_reset(struct engine_vcpu *v, uint64_t pc, uint64_t a0, uint64_t a1)
{
    /* The SBI's hart_start: satp 0, sstatus.SIE 0, a0, a1 as given, the rest undefined. Registers
     * are zero; FP and vector unit are on and user mode may read cycle, time and instret, as
     * OpenSBI leaves them: some kernels count on it. */
    struct s_vcpu *s = &v->s, old = *s;
    memset(v->gpr, 0, sizeof(v->gpr));
    memset(s, 0, sizeof(*s));
    s->vector = old.vector;
    memcpy(s->pool, old.pool, sizeof(s->pool));
    s->next = old.next;
    s->pages = old.pages;
    s->space = old.space;
    s->fetch = old.fetch;
    s->source = old.source;
    s->levels = old.levels;
    s->first_asid = old.first_asid;
    s_trampoline_choose(v, 0);
    if (s->vector)
        memset(s->vector, 0, 32 * v->vm->machine->told.vector_bytes);
    v->pc = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
    s->sstatus = SSTATUS_UXL_64 | s_units_on(v->vm);
    s->scounteren = COUNTEREN_AT_START;
    s->timer = UINT64_MAX;
    s->vtype = 1UL << 63; /* vill, as after a reset */
    if (s->pages)
        s_tables_reset(v);
}
