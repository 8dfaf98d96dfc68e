/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trampoline in a guest's address space. On a hart with Sv39 alone a shadow root has no address
 * that a guest could not use, so the trampoline has several places to be, and moves when the guest
 * maps something where it is (fault.c). Kernels that are known leave the last GiB alone.
 */
#include <stddef.h>

#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

extern char s_trampoline_code[], s_in_asid[], s_in_flush[], s_out_asid[], s_out_flush[];
void s_trap(void);

const uint64_t s_trampoline_va[S_TRAMPOLINES] = {0xffffffffffc00000, 0xffffffffe0000000,
                                                 0xffffffffc0000000, 0x0000002a00000000};
uint64_t s_trampoline_entry[S_TRAMPOLINES][S_LEVELS];
static struct s_hart_page *pages[S_HARTS];

#define RX (PTE_V | PTE_R | PTE_X | PTE_A)
#define RW (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D)

_Static_assert(offsetof(struct s_hart_page, sp) == 8, "entry.S");
_Static_assert(offsetof(struct s_hart_page, host_satp) == 16, "entry.S");
_Static_assert(offsetof(struct s_hart_page, vcpu) == 24, "entry.S");
_Static_assert(offsetof(struct s_hart_page, trap) == 32, "entry.S");
_Static_assert(offsetof(struct s_hart_page, t1) == 40, "entry.S");
_Static_assert(offsetof(struct s_hart_page, shadow_satp) == 48, "entry.S");
_Static_assert(offsetof(struct s_hart_page, leave) == 56, "entry.S");

/* Page 0 of the trampoline is the code, page 1 + n hart n's data. */
static uint64_t data_va(unsigned trampoline, unsigned hart)
{
    return s_trampoline_va[trampoline] + (1 + hart) * HOST_PAGE_SIZE;
}

static uint64_t code_va(unsigned trampoline, const char *code)
{
    return s_trampoline_va[trampoline] + (uint64_t)(code - s_trampoline_code);
}

struct s_hart_page *s_hart_page(unsigned hart)
{
    return pages[hart];
}

static uint64_t pointer(const uint64_t *table)
{
    return host_pa(table) >> 12 << PTE_PPN_SHIFT | PTE_V;
}

/* The tables above the last one, for roots in which the guest has nothing near. */
static bool build_way(unsigned trampoline, const uint64_t *last)
{
    uint64_t entry = pointer(last);
    for (unsigned level = 1; level < S_LEVELS; level++) {
        s_trampoline_entry[trampoline][level] = entry;
        if (level == s_features.levels)
            break;
        uint64_t *table = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!table)
            return false;
        table[s_trampoline_va[trampoline] >> (12 + 9 * level) & 511] = entry;
        entry = pointer(table);
    }
    return true;
}

bool s_trampoline_build(unsigned harts)
{
    uint64_t *last = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    if (!last)
        return false;
    uint64_t attributes = host_page_attributes(false);
    last[0] = host_image_pa(s_trampoline_code) >> 12 << PTE_PPN_SHIFT | RX | attributes;
    for (unsigned n = 0; n < harts; n++) {
        pages[n] = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
        if (!pages[n])
            return false;
        last[1 + n] = host_pa(pages[n]) >> 12 << PTE_PPN_SHIFT | RW | attributes;
        pages[n]->trap = s_trap;
    }
    for (unsigned n = 0; n < S_TRAMPOLINES; n++) {
        if (!build_way(n, last) || !host_table_share(s_trampoline_va[n], last))
            return false;
    }
    return true;
}

void s_trampoline_enter(struct engine_vcpu *v)
{
    struct s_hart_page *page = pages[v->hart];
    unsigned trampoline = v->s.trampoline;
    page->vcpu = v;
    page->host_satp = csr_read(CSR_SATP);
    page->leave = code_va(trampoline, s_features.asids ? s_out_asid : s_out_flush);
    csr_write(CSR_SSCRATCH, data_va(trampoline, v->hart));
    csr_write(CSR_STVEC, code_va(trampoline, s_features.asids ? s_in_asid : s_in_flush));
}
