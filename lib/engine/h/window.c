/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of the second stage that come and go while the guest runs: those of interrupt files, which
 * lie together in one last-level table. Its entries are single words, so each vCPU's hart changes
 * its own without a lock. A page that comes needs no fence: who remembers that it isn't there
 * faults once more. For one that goes, every hart has to forget: `maps` counts how often, and each
 * hart notes up to where it has (privileged manual, "Hypervisor Memory-Management Instructions").
 */
#include "lib/engine/h/h.h"
#include "host/host.h"
#include "riscv/asm.h"

#define LEAF (PTE_V | PTE_R | PTE_W | PTE_U | PTE_A | PTE_D)

static uint64_t *last_table(const struct engine_vm *vm, uint64_t gpa)
{
    uint64_t *table = vm->h.gstage.root;
    for (unsigned level = vm->h.gstage.levels - 1; level; level--) {
        bool top = level == vm->h.gstage.levels - 1;
        uint64_t pte = table[gpa >> (12 + 9 * level) & (top ? 2047 : 511)];
        table = host_va(pte >> PTE_PPN_SHIFT << 12);
    }
    return table;
}

int h_window_init(struct engine_vm *vm, uint64_t gpa)
{
    /* Whatever is mapped, page by page, brings the tables above it along. */
    if (gstage_map(&vm->h.gstage, gpa, HOST_PAGE_SIZE, HOST_PAGE_SIZE) < 0)
        return -1;
    vm->h.window = last_table(vm, gpa);
    vm->h.window[gpa >> 12 & 511] = 0;
    return 0;
}

static uint64_t forget(struct engine_vcpu *v)
{
    struct h_vm *vm = &v->vm->h;
    uint64_t maps = atomic_load(&vm->maps);
    fence_device(); /* what the guest stored by the old page has arrived */
    hfence_gvma_all();
    vm->hart[v->hart].maps_seen = maps;
    return maps;
}

uint64_t h_window_map(struct engine_vcpu *v, uint64_t gpa, uint64_t pa)
{
    struct h_vm *vm = &v->vm->h;
    _Atomic uint64_t *entry = (_Atomic uint64_t *)&vm->window[gpa >> 12 & 511];
    if (pa) {
        atomic_store(entry, pa >> 12 << PTE_PPN_SHIFT | LEAF);
        return 0;
    }
    atomic_store(entry, 0);
    atomic_fetch_add(&vm->maps, 1);
    return forget(v);
}

uint64_t h_window_flush(struct engine_vcpu *v)
{
    return forget(v);
}

/* The guest is about to run on a hart that it may have left before pages went. */
void h_window_catch_up(struct engine_vcpu *v)
{
    if (v->vm->h.hart[v->hart].maps_seen != atomic_load(&v->vm->h.maps))
        forget(v);
}

void h_file(struct engine_vcpu *v, unsigned number)
{
    v->h.hstatus = (v->h.hstatus & ~HSTATUS_VGEIN) | (uint64_t)number << HSTATUS_VGEIN_SHIFT;
    csr_write(CSR_HSTATUS, v->h.hstatus & ~HSTATUS_SPV); /* no guest's before run() */
}
