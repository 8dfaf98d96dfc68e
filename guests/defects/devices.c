/* SPDX-License-Identifier: BSD-2-Clause */
/* What lies outside RAM: the PLIC by accesses of every width and form, and nothing at all. */
#include "guests/defects/defects.h"
#include "riscv/asm.h"

#define PLIC 0x0c000000UL
#define PRIORITY(n) (PLIC + 4 * (n))
#define ENABLE(context) (PLIC + 0x2000 + 0x80 * (context))
#define THRESHOLD(context) (PLIC + 0x200000 + 0x1000 * (context))

#define READ(type, at) ((uint64_t) * (volatile type *)(at))
#define WRITE(type, at, value) (*(volatile type *)(at) = (type)(value))

static bool trap_is(struct attempt a, uint64_t cause, uint64_t tval)
{
    return trapped(&a, cause, tval);
}

/* An access that the guest's tables allow and the machine does not: what a hypervisor forwards. */
static void nothing_check(void)
{
    report("unmapped_mmio",
           trap_is(try_kernel(s_ld, NO_DEVICE, 0), CAUSE_LOAD_ACCESS, NO_DEVICE) &&
               trap_is(try_kernel(s_sd, NO_DEVICE, 0), CAUSE_STORE_ACCESS, NO_DEVICE));
    struct attempt a = try_kernel(s_jump, NO_DEVICE, 0);
    bool ok = trapped(&a, CAUSE_INSN_ACCESS, NO_DEVICE) && a.epc == NO_DEVICE;
    window(NO_DEVICE, PAGE_RW | PTE_X | PTE_U);
    a = try_user(s_jump, WINDOW, 0);
    report("fetch_where_nothing_is",
           ok && trapped(&a, CAUSE_INSN_ACCESS, WINDOW) && a.epc == WINDOW);
    report("user_fault_enters_the_handler_with_stval_and_spp",
           trap_is(try_user(s_ld, WINDOW, 0), CAUSE_LOAD_ACCESS, WINDOW) &&
               trap_is(try_user(s_sd, WINDOW, 0), CAUSE_STORE_ACCESS, WINDOW));
    window(PLIC, PAGE_RW | PTE_U);
    WRITE(uint32_t, PRIORITY(2), 3);
    WRITE(uint32_t, PRIORITY(3), 4);
    a = try_user(s_ld, WINDOW + 8, 0);
    report("user_access_to_mmio", ran(&a) && a.a0 == (4UL << 32 | 3));
    window(0, 0);
}

static void forms_check(void)
{
    WRITE(uint32_t, PRIORITY(2), 5);
    WRITE(uint32_t, PRIORITY(3), 6);
    struct attempt a = try_kernel(s_clw, PRIORITY(2), 0);
    bool ok = ran(&a) && a.epc == (uint64_t)s_clw_end && a.a0 == 5;
    a = try_kernel(s_cld, PRIORITY(2), 0);
    ok &= ran(&a) && a.epc == (uint64_t)s_cld_end && a.a0 == (6UL << 32 | 5);
    a = try_kernel(s_csw, PRIORITY(2), 1);
    ok &= ran(&a) && a.epc == (uint64_t)s_csw_end && READ(uint32_t, PRIORITY(2)) == 1;
    a = try_kernel(s_csd, PRIORITY(2), 3UL << 32 | 2);
    ok &= ran(&a) && a.epc == (uint64_t)s_csd_end && READ(uint32_t, PRIORITY(2)) == 2 &&
          READ(uint32_t, PRIORITY(3)) == 3;
    report("compressed_mmio", ok);

    WRITE(uint8_t, PRIORITY(2), 7);
    ok = READ(uint8_t, PRIORITY(2)) == 7 && READ(uint16_t, PRIORITY(2)) == 7 &&
         READ(uint32_t, PRIORITY(2)) == 7 && READ(uint64_t, PRIORITY(2)) == (3UL << 32 | 7);
    WRITE(uint16_t, PRIORITY(2), 4);
    ok &= READ(uint32_t, PRIORITY(2)) == 4 && READ(uint8_t, PRIORITY(2) + 1) == 0;
    WRITE(uint64_t, PRIORITY(2), 1UL << 32 | 2);
    ok &= READ(uint32_t, PRIORITY(2)) == 2 && READ(uint32_t, PRIORITY(3)) == 1;
    report("plic_accesses_of_8_16_32_64_bits", ok);

    WRITE(uint32_t, THRESHOLD(1), 5);
    ok = READ(uint32_t, THRESHOLD(1)) == 5;
    WRITE(uint32_t, THRESHOLD(1), 0);
    report("plic_threshold_is_readable", ok && READ(uint32_t, THRESHOLD(1)) == 0);
}

/* The page of enable registers may be shown to the guest for reading alone. Hart 0's S-mode is
 * context 1. Fetches from it are nobody's business, and must not do anything else either. */
static void enables_check(void)
{
    WRITE(uint32_t, ENABLE(1), 0xc);
    bool ok = READ(uint32_t, ENABLE(1)) == 0xc && READ(uint8_t, ENABLE(1)) == 0xc;
    WRITE(uint8_t, ENABLE(1), 4);
    ok &= READ(uint64_t, ENABLE(1)) == 4;
    WRITE(uint32_t, ENABLE(0), UINT32_MAX);
    struct attempt a = try_kernel(s_ld, ENABLE(1), 0);
    ok &= ran(&a) && a.a0 == 4;
    a = try_kernel(s_sd, ENABLE(1), 0);
    ok &= ran(&a) && READ(uint32_t, ENABLE(1)) == 0;
    a = try_kernel(s_jump, ENABLE(1), 0);
    ok &= trapped(&a, CAUSE_INSN_ACCESS, ENABLE(1));
    window(PLIC + 0x2000, PAGE_RW | PTE_X | PTE_U);
    a = try_user(s_sd, WINDOW + 0x80, 8);
    ok &= ran(&a);
    a = try_user(s_ld, WINDOW + 0x80, 0);
    ok &= ran(&a) && a.a0 == 8;
    WRITE(uint32_t, ENABLE(1), 0);
    a = try_user(s_ld, WINDOW + 0x80, 0);
    ok &= ran(&a) && a.a0 == 0;
    window(0, 0);
    report("plic_enables_are_read_and_written", ok);
}

void devices_check(void)
{
    enables_check();
    nothing_check();
    forms_check();
}
