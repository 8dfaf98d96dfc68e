/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trampoline in a guest's address space. On a hart with Sv39 alone a shadow root has no address
 * that a guest could not use, so the trampoline has several places to be, and moves when the guest
 * maps something where it is (fault.c). Kernels that are known leave the last GiB alone.
 */
#include <stddef.h>

#include "lib/engine/shadow/hart_page.h"
#include "lib/engine/shadow/shadow.h"
#include "caldarium/host.h"
#include "lib/common/line.h"
#include "riscv/asm.h"

extern char s_trampoline_code[], s_in_asid[], s_in_flush[], s_out_asid[], s_out_flush[];
void s_trap(void);

const uint64_t s_trampoline_va[S_TRAMPOLINES] = {0xffffffffffc00000, 0xffffffffe0000000,
                                                 0xffffffffc0000000, 0x0000002a00000000};

#define RX (PTE_V | PTE_R | PTE_X | PTE_A)
#define RW (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)

_Static_assert(offsetof(struct s_hart_page, sp) == P_SP, "entry.S");
_Static_assert(offsetof(struct s_hart_page, host_satp) == P_HOST_SATP, "entry.S");
_Static_assert(offsetof(struct s_hart_page, vcpu) == P_VCPU, "entry.S");
_Static_assert(offsetof(struct s_hart_page, trap) == P_TRAP, "entry.S");
_Static_assert(offsetof(struct s_hart_page, t1) == P_T1, "entry.S");
_Static_assert(offsetof(struct s_hart_page, shadow_satp) == P_SHADOW_SATP, "entry.S");
_Static_assert(offsetof(struct s_hart_page, leave) == P_LEAVE, "entry.S");
_Static_assert(offsetof(struct s_hart_page, in_force) == P_IN_FORCE, "entry.S");

/* Page 0 of the trampoline is the code, page 1 + n hart n's data. */
static uint64_t data_va(unsigned trampoline, unsigned hart)
{
    return s_trampoline_va[trampoline] + (1 + hart) * HOST_PAGE_SIZE;
}

static uint64_t code_va(unsigned trampoline, const char *code)
{
    return s_trampoline_va[trampoline] + (uint64_t)(code - s_trampoline_code);
}

/* The tables above the last one, for roots in which the guest has nothing near. */
static bool build_way(struct cald_machine *machine, unsigned trampoline, unsigned levels)
{
    uint64_t entry = s_table_entry(machine->s.last);
    for (unsigned level = 1; level < S_LEVELS; level++) {
        machine->s.way[trampoline][level] = entry;
        if (level == levels)
            break;
        uint64_t *table = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!table)
            return false;
        table[s_trampoline_va[trampoline] >> (12 + 9 * level) & 511] = entry;
        entry = s_table_entry(table);
    }
    return true;
}

static bool build_pages(struct cald_machine *machine)
{
    uint64_t *last = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    machine->s.last = last;
    if (!last)
        return false;
    uint64_t attributes = host_page_attributes(false);
    last[0] = host_image_pa(s_trampoline_code) >> 12 << PTE_PPN_SHIFT | RX | attributes;
    for (unsigned n = 0; n < machine->told.harts; n++) {
        struct s_hart_page *page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!page)
            return false;
        machine->hart[n].s.page = page;
        last[1 + n] = host_pa(page) >> 12 << PTE_PPN_SHIFT | RW | attributes;
        page->trap = s_trap;
    }
    return true;
}

/* Levels of the largest shadow root: 3 or 4. */
static unsigned root_levels(const struct cald_machine *machine)
{
    return machine->told.satp_levels < 4 ? 3 : 4;
}

/* Roots of our own for all harts; the calling hart's shows which trampolines there can be. */
static int build_roots(struct cald_machine *machine)
{
    uint64_t satp;
    for (unsigned n = 0; n < machine->told.harts; n++) {
        if (!s_root_make(machine, n))
            return CALD_ENOMEM;
    }
    if (s_root_copy(machine, 0, &satp))
        return CALD_OK;
    line_error("machine: satp is %#lx; expected is a root with 3 levels or more, satp_levels (%u) "
               "at most",
               csr_read(CSR_SATP), machine->told.satp_levels);
    return CALD_EINVAL;
}

static int share(struct cald_machine *machine)
{
    bool ok = true;
    for (unsigned n = 0; ok && n < S_TRAMPOLINES; n++)
        ok = host_table_share(s_trampoline_va[n], machine->s.last);
    return ok ? CALD_OK : CALD_ENOMEM;
}

static int build_apart(struct cald_machine *machine)
{
    int error = s_apart_find(machine);
    for (unsigned n = 0; !error && n < machine->told.harts; n++) {
        machine->hart[n].s.page = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!machine->hart[n].s.page)
            error = CALD_ENOMEM;
    }
    if (error)
        s_trampoline_free(machine);
    return error;
}

int s_trampoline_build(struct cald_machine *machine)
{
    if (machine_has(machine, CALD_MACHINE_APART))
        return build_apart(machine);
    bool ok = build_pages(machine);
    for (unsigned n = 0; ok && n < S_TRAMPOLINES; n++)
        ok = build_way(machine, n, root_levels(machine));
    int error = CALD_ENOMEM;
    if (ok)
        error =
            machine_has(machine, CALD_MACHINE_PRIVATE_ROOT) ? build_roots(machine) : share(machine);
    if (error)
        s_trampoline_free(machine);
    return error;
}

/* Also what was built in part. */
void s_trampoline_free(struct cald_machine *machine)
{
    struct s_machine *s = &machine->s;
    for (unsigned n = 0; n < S_TRAMPOLINES && !machine_has(machine, CALD_MACHINE_APART); n++) {
        if (!machine_has(machine, CALD_MACHINE_PRIVATE_ROOT))
            host_table_share(s_trampoline_va[n], NULL);
        for (unsigned level = 2; level < S_LEVELS; level++) {
            uint64_t entry = s->way[n][level];
            if (entry)
                host_pages_free(host_va(entry >> PTE_PPN_SHIFT << 12), HOST_PAGE_SIZE);
            s->way[n][level] = 0;
        }
    }
    for (unsigned n = 0; n < machine->told.harts; n++) {
        s_root_free(machine, n);
        if (machine->hart[n].s.page)
            host_pages_free(machine->hart[n].s.page, HOST_PAGE_SIZE);
        machine->hart[n].s.page = NULL;
    }
    if (s->last)
        host_pages_free(s->last, HOST_PAGE_SIZE);
    s->last = NULL;
}

void s_trampoline_choose(struct engine_vcpu *v, unsigned trampoline)
{
    const struct s_machine *s = &v->vm->machine->s;
    v->s.trampoline = trampoline;
    v->s.way = s->way[trampoline];
    v->s.apart = s->apart;
    v->s.hole = s->apart ? s->there : s_trampoline_va[trampoline];
}

void s_trampoline_next(struct engine_vcpu *v)
{
    unsigned trampoline = v->s.trampoline;
    do
        trampoline = (trampoline + 1) % S_TRAMPOLINES;
    while (!(v->s.usable >> trampoline & 1));
    s_trampoline_choose(v, trampoline);
}

void s_trampoline_load(struct engine_vcpu *v)
{
    struct cald_machine *machine = v->vm->machine;
    v->s.page = machine->hart[v->hart].s.page;
    v->s.usable = (1U << S_TRAMPOLINES) - 1;
    v->s.own_root = 0;
    if (v->s.apart)
        s_apart_load(v);
    if (!machine_has(machine, CALD_MACHINE_PRIVATE_ROOT))
        return;
    v->s.usable = (uint8_t)s_root_copy(machine, v->hart, &v->s.own_root);
    if (!v->s.usable)
        line_panic("hart %u: satp %#lx is no mode that the host told of", v->hart,
                   csr_read(CSR_SATP));
    if (v->s.usable >> v->s.trampoline & 1)
        return;
    s_trampoline_next(v); /* the host has come to use the place, or has it on this hart alone */
    s_tables_reset(v);
}

void s_trampoline_enter(struct engine_vcpu *v)
{
    if (v->s.apart) {
        s_apart_enter(v);
        return;
    }
    struct s_hart_page *page = v->s.page;
    unsigned trampoline = v->s.trampoline;
    bool asids = v->s.first_asid;
    page->vcpu = v;
    page->host_satp = csr_read(CSR_SATP);
    page->leave = code_va(trampoline, asids ? s_out_asid : s_out_flush);
    csr_write(CSR_SSCRATCH, data_va(trampoline, v->hart));
    csr_write(CSR_STVEC, code_va(trampoline, asids ? s_in_asid : s_in_flush));
}
