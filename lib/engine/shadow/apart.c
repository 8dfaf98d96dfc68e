/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A host that lies apart from guests (CALD_MACHINE_APART): behind one entry of its root, where no
 * guest's addresses lead, since guests have one level less. Every shadow root has that entry, for
 * S-mode alone. A trap comes straight to entry.S, which writes satp on the way back where the guest
 * is to see something else: from load to put the root in force is the one that the guest ran on
 * last, or the host's own.
 *
 * The guest runs in U-mode, so the host's pages (U=0) are page faults to it, as all is there that
 * its own mode calls not canonical. Caldarium runs with sstatus.SUM clear, and touches none of the
 * guest's entries.
 */
#include "lib/engine/shadow/shadow.h"
#include "caldarium/host.h"
#include "lib/common/line.h"
#include "riscv/asm.h"
#include "riscv/walk.h"

void s_trap_here(void);
void s_out_here_asid(void);
void s_out_here_flush(void);

static unsigned index_at(uint64_t va, unsigned level)
{
    return va >> (12 + 9 * level) & 511;
}

int s_apart_find(struct cald_machine *machine)
{
    struct s_machine *s = &machine->s;
    uint64_t satp = csr_read(CSR_SATP), here = (uint64_t)s_trap_here;
    unsigned levels = (unsigned)riscv_satp_levels(satp);
    const uint64_t *root = levels > 3 ? host_va((satp & SATP_PPN_MASK) << 12) : NULL;
    if (!root || levels != machine->told.satp_levels) {
        line_error(
            "machine: satp is %#lx; expected with flag APART is a root with 4 levels or more, "
            "and as many as satp_levels (%u)",
            satp, machine->told.satp_levels);
        return CALD_EINVAL;
    }
    unsigned at = index_at(here, levels - 1);
    uint64_t data = (uint64_t)machine, stack = (uint64_t)__builtin_frame_address(0);
    uint64_t others = (here ^ data) | (here ^ stack) | (here ^ (uint64_t)root);
    if (at == 0 || at == 511 || index_at(others, levels - 1) || !s_is_table(root[at]) ||
        root[at] & PTE_U) {
        line_error("machine: the library is at %#lx, its data at %#lx, its stack at %#lx; expected "
                   "with flag APART is that all lie behind one entry of the root, 1 to 510",
                   here, data, stack);
        return CALD_EINVAL;
    }
    s->apart = (uint8_t)levels;
    s->there = here;
    s->way[0][levels - 1] = root[at];
    return CALD_OK;
}

void s_apart_load(struct engine_vcpu *v)
{
    v->s.page->host_satp = v->s.page->in_force = csr_read(CSR_SATP);
}

void s_apart_home(const struct engine_vcpu *v)
{
    struct s_hart_page *page = v->s.page;
    csr_write(CSR_SATP, page->host_satp);
    page->in_force = page->host_satp;
    if (!v->s.first_asid)
        sfence_vma_all();
}

void s_apart_enter(struct engine_vcpu *v)
{
    struct s_hart_page *page = v->s.page;
    page->vcpu = v;
    page->leave = (uint64_t)(v->s.first_asid ? s_out_here_asid : s_out_here_flush);
    csr_write(CSR_SSCRATCH, page);
    csr_write(CSR_STVEC, s_trap_here);
}
