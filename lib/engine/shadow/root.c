/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A root of the library's own for each hart, for hosts in whose address space nothing can be
 * entered (CALD_MACHINE_PRIVATE_ROOT): the upper half of the host's, in which its kernel lies, and
 * the way to the trampolines. It is in force during a run, and has as many levels as the host's.
 *
 * Three trampolines lie in the last GiB, where the host may have tables of its own: those that lead
 * there are copied, and a place that the host uses is not one for a trampoline. The fourth is in
 * the lower half, which is empty here.
 */
#include "lib/engine/shadow/shadow.h"
#include "caldarium/host.h"
#include "riscv/asm.h"
#include "riscv/walk.h"

#define ENTRIES 512
#define UPPER 3 /* trampolines in the last GiB: the first ones */

static uint64_t pointer(const uint64_t *table)
{
    return host_pa(table) >> 12 << PTE_PPN_SHIFT | PTE_V;
}

static uint64_t *behind(uint64_t entry)
{
    return host_va(entry >> PTE_PPN_SHIFT << 12);
}

static unsigned index_at(uint64_t va, unsigned level)
{
    return va >> (12 + 9 * level) & (ENTRIES - 1);
}

bool s_root_make(struct cald_machine *machine, unsigned hart)
{
    struct s_hart *s = &machine->hart[hart].s;
    for (unsigned level = 1; level < machine->told.satp_levels; level++) {
        s->upper[level] = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!s->upper[level])
            return false;
    }
    return true;
}

void s_root_free(struct cald_machine *machine, unsigned hart)
{
    struct s_hart *s = &machine->hart[hart].s;
    for (unsigned level = 1; level < S_LEVELS; level++) {
        if (s->upper[level])
            host_pages_free(s->upper[level], HOST_PAGE_SIZE);
        s->upper[level] = NULL;
    }
}

/* What the host has there, where it has a table or nothing. False: it has a large page. */
static bool copy_table(uint64_t *to, uint64_t entry)
{
    if (entry & PTE_V && !s_is_table(entry))
        return false;
    const uint64_t *from = entry & PTE_V ? behind(entry) : NULL;
    for (unsigned n = 0; n < ENTRIES; n++)
        to[n] = from ? from[n] : 0;
    return true;
}

/* The tables from the root down to the last GiB's, and the trampolines there. A set of those. */
static unsigned enter_upper(struct cald_machine *machine, struct s_hart *s, unsigned levels)
{
    unsigned usable = 0;
    for (unsigned level = levels - 1; level > 1; level--) {
        uint64_t *entry = &s->upper[level][ENTRIES - 1];
        if (!copy_table(s->upper[level - 1], *entry))
            return 0;
        *entry = pointer(s->upper[level - 1]);
    }
    for (unsigned n = 0; n < UPPER; n++) {
        uint64_t *entry = &s->upper[1][index_at(s_trampoline_va[n], 1)];
        if (*entry & PTE_V)
            continue;
        *entry = pointer(machine->s.last);
        usable |= 1U << n;
    }
    return usable;
}

unsigned s_root_copy(struct cald_machine *machine, unsigned hart, uint64_t *satp)
{
    struct s_hart *s = &machine->hart[hart].s;
    uint64_t now = csr_read(CSR_SATP);
    int levels = riscv_satp_levels(now);
    if (levels < 3 || (unsigned)levels > machine->told.satp_levels)
        return 0;
    unsigned top = (unsigned)levels - 1;
    uint64_t *root = s->upper[top];
    const uint64_t *from = host_va((now & SATP_PPN_MASK) << 12);
    for (unsigned n = 0; n < ENTRIES; n++)
        root[n] = n < ENTRIES / 2 ? 0 : from[n];
    root[index_at(s_trampoline_va[UPPER], top)] = machine->s.way[UPPER][top];
    unsigned usable = 1U << UPPER | enter_upper(machine, s, (unsigned)levels);
    uint64_t asid = s_asids(machine) ? machine->told.first_asid + S_ASIDS : 0;
    *satp =
        (now >> SATP_MODE_SHIFT) << SATP_MODE_SHIFT | asid << SATP_ASID_SHIFT | host_pa(root) >> 12;
    return usable;
}

/* The hart forgets what it knows of either root by the other one's name; with an ASID of its own
 * only what the host has changed since. */
uint64_t s_root_enter(struct engine_vcpu *v)
{
    uint64_t host = csr_read(CSR_SATP);
    csr_write(CSR_SATP, v->s.own_root);
    if (v->s.first_asid)
        sfence_vma_asid(v->s.own_root >> SATP_ASID_SHIFT & 0xffff);
    else
        sfence_vma_all();
    return host;
}

void s_root_leave(const struct engine_vcpu *v, uint64_t host)
{
    csr_write(CSR_SATP, host);
    if (!v->s.first_asid)
        sfence_vma_all();
}
