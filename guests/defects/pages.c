/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's own page tables, and what they may not keep from it. */
#include "guests/defects/defects.h"
#include "riscv/asm.h"

static uint64_t one[512] __attribute__((aligned(4096))), two[512] __attribute__((aligned(4096)));

static bool reads(uint64_t va, uint64_t value)
{
    struct attempt a = try_kernel(s_ld, va, 0);
    return ran(&a) && a.a0 == value;
}

static bool trap_is(struct attempt a, uint64_t cause, uint64_t tval)
{
    return trapped(&a, cause, tval);
}

static void faults_check(void)
{
    report("load_page_fault", trap_is(try_kernel(s_ld, NOWHERE, 0), CAUSE_LOAD_PAGE, NOWHERE) &&
                                  trap_is(try_user(s_ld, NOWHERE, 0), CAUSE_LOAD_PAGE, NOWHERE));
    report("store_page_fault", trap_is(try_kernel(s_sd, NOWHERE, 0), CAUSE_STORE_PAGE, NOWHERE) &&
                                   trap_is(try_user(s_sd, NOWHERE, 0), CAUSE_STORE_PAGE, NOWHERE));
    struct attempt kernel = try_kernel(s_jump, NOWHERE, 0), user = try_user(s_jump, NOWHERE, 0);
    report("fetch_page_fault", trapped(&kernel, CAUSE_INSN_PAGE, NOWHERE) &&
                                   kernel.epc == NOWHERE &&
                                   trapped(&user, CAUSE_INSN_PAGE, NOWHERE) && user.epc == NOWHERE);
}

static void superpages_check(void)
{
    uint64_t two_mib = (uint64_t)one & ~0x1fffffUL, in = (uint64_t)one - two_mib;
    one[0] = 77;
    *window_2m_pte = two_mib >> 12 << PTE_PPN_SHIFT | PAGE_RW;
    sfence_vma_all();
    bool ok = reads(WINDOW_2M + in, 77) && reads((uint64_t)one, 77);    /* that one is of 1 GiB */
    *window_2m_pte = (two_mib + 4096) >> 12 << PTE_PPN_SHIFT | PAGE_RW; /* misaligned */
    sfence_vma_all();
    ok &= trap_is(try_kernel(s_ld, WINDOW_2M, 0), CAUSE_LOAD_PAGE, WINDOW_2M);
    report("superpages", ok);
    *window_2m_pte = 0;
}

void pages_check(void)
{
    faults_check();
    one[0] = 1;
    two[0] = 2;
    window((uint64_t)one, PAGE_RW);
    bool ok = reads(WINDOW, 1);
    window((uint64_t)two, PAGE_RW);
    ok &= reads(WINDOW, 2);
    window(0, 0);
    report("sfence_vma_with_an_address",
           ok && trap_is(try_kernel(s_ld, WINDOW, 0), CAUSE_LOAD_PAGE, WINDOW));

    window((uint64_t)one, PTE_V | PTE_A | PTE_R);
    ok = trap_is(try_kernel(s_sd, WINDOW, 9), CAUSE_STORE_PAGE, WINDOW);
    *(volatile uint8_t *)window_pte |= PTE_W | PTE_D;
    sfence_vma_address(WINDOW);
    struct attempt a = try_kernel(s_sd, WINDOW, 9);
    report("byte_store_to_a_page_table", ok && ran(&a) && one[0] == 9);

    superpages_check();

    one[0] = 9;
    window((uint64_t)one, PAGE_RW | PTE_U);
    ok = trap_is(try_kernel(s_ld, WINDOW, 0), CAUSE_LOAD_PAGE, WINDOW);
    a = try_user(s_ld, WINDOW, 0);
    ok &= ran(&a) && a.a0 == 9;
    csr_set(CSR_SSTATUS, SSTATUS_SUM);
    ok &= reads(WINDOW, 9);
    csr_clear(CSR_SSTATUS, SSTATUS_SUM);
    report("sum", ok && trap_is(try_kernel(s_ld, WINDOW, 0), CAUSE_LOAD_PAGE, WINDOW));

    window((uint64_t)one, PTE_V | PTE_A | PTE_X);
    ok = trap_is(try_kernel(s_ld, WINDOW, 0), CAUSE_LOAD_PAGE, WINDOW);
    csr_set(CSR_SSTATUS, SSTATUS_MXR);
    ok &= reads(WINDOW, 9);
    csr_clear(CSR_SSTATUS, SSTATUS_MXR);
    report("mxr", ok && trap_is(try_kernel(s_ld, WINDOW, 0), CAUSE_LOAD_PAGE, WINDOW));
    window(0, 0);
}
