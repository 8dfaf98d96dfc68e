/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU on to a hart and off it. Its supervisor CSRs are virtual and need no move; what the guest
 * has of the real hart are the FP and vector registers and what the TLB remembers. */
#include <string.h>

#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

/* The hart knows roots by ASIDs that every vCPU counts from one. */
static void flush_stale(struct engine_vcpu *v)
{
    struct s_hart *hart = &v->vm->machine->hart[v->hart].s;
    if (hart->last != v || v->s.last_hart != v->hart + 1) {
        sfence_vma_all();
        fence_i();
    }
    hart->last = v;
    v->s.last_hart = v->hart + 1;
}

static uint64_t mode_scounteren(const struct engine_vcpu *v, enum s_mode mode)
{
    /* The guest's time is the hart's, but for what it stood still: then reads of it are exits. */
    uint32_t open = v->vm->time_delta ? 0 : COUNTEREN_TM;
    return mode == MODE_USER ? v->s.scounteren & open : open;
}

static uint64_t mode_senvcfg(const struct engine_vcpu *v, enum s_mode mode)
{
    uint64_t envcfg = mode == MODE_USER ? v->s.senvcfg : v->vm->s.envcfg & ~ENVCFG_FIOM;
    if (envcfg & ENVCFG_CBIE_INVAL) /* an invalidation could show what was there before: a flush */
        envcfg = (envcfg & ~ENVCFG_CBIE_INVAL) | ENVCFG_CBIE_FLUSH;
    return envcfg;
}

void s_mode_registers(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    uint64_t(*csr)[2] = s->mode_csr;
    for (enum s_mode mode = MODE_USER; mode <= MODE_KERNEL; mode++) {
        csr[mode - 1][S_SCOUNTEREN] = mode_scounteren(v, mode);
        csr[mode - 1][S_SENVCFG] = v->vm->s.has_senvcfg ? mode_senvcfg(v, mode) : 0;
    }
    s->modes_differ = (uint8_t)((csr[0][S_SCOUNTEREN] != csr[1][S_SCOUNTEREN]) << S_SCOUNTEREN |
                                (csr[0][S_SENVCFG] != csr[1][S_SENVCFG]) << S_SENVCFG);
    s->mode_shown = s_mode(s);
    csr_write(CSR_SCOUNTEREN, csr[s->mode_shown - 1][S_SCOUNTEREN]);
    if (v->vm->s.has_senvcfg)
        csr_write(CSR_SENVCFG, csr[s->mode_shown - 1][S_SENVCFG]);
}

void s_load(struct engine_vcpu *v)
{
    unit_state_load(v, &v->s.units, v->vm->s.has_fp, v->vm->s.has_vector);
    v->s.fp_dirty = v->s.vector_dirty = false;
    v->host_scounteren = csr_read(CSR_SCOUNTEREN); /* s_mode_registers() writes both */
    if (v->vm->s.has_senvcfg)
        v->host_senvcfg = csr_read(CSR_SENVCFG);
    s_trampoline_load(v);
    flush_stale(v);
    s_root_changed(&v->s);
    v->loaded = true;
    if (v->s.timer != UINT64_MAX)
        host_timer_arm((struct cald_vcpu *)v, v->s.timer);
}

void s_put(struct engine_vcpu *v)
{
    struct s_vcpu *s = &v->s;
    if (s->apart)
        s_apart_home(v);
    unit_state_put(v, &s->units, s->fp_dirty || (s->sstatus & SSTATUS_FS) == SSTATUS_FS,
                   s->vector_dirty || (s->sstatus & SSTATUS_VS) == SSTATUS_VS);
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
    s->units.vector = old.units.vector;
    memcpy(s->pool, old.pool, sizeof(s->pool));
    s->next = old.next;
    s->pages = old.pages;
    s->space = old.space;
    s->fetch = old.fetch;
    s->source = old.source;
    s->place = old.place;
    s->place_mark = old.place_mark;
    s->place_last = old.place_last;
    s->copy_use = old.copy_use;
    s->levels = old.levels;
    s->first_asid = old.first_asid;
    s_trampoline_choose(v, 0);
    if (s->units.vector)
        memset(s->units.vector, 0, 32 * v->vm->machine->told.vector_bytes);
    v->pc = pc;
    v->gpr[10] = a0;
    v->gpr[11] = a1;
    s->sstatus = SSTATUS_UXL_64 | s_units_on(v->vm);
    s->status_writable = SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP | SSTATUS_SUM | SSTATUS_MXR |
                         (v->vm->s.has_fp ? SSTATUS_FS : 0) |
                         (v->vm->s.has_vector ? SSTATUS_VS : 0);
    s->scounteren = COUNTEREN_AT_START;
    s->timer = UINT64_MAX;
    s->units.vtype = 1UL << 63; /* vill, as after a reset */
    if (s->pages)
        s_tables_reset(v);
}
