/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine shadow's walker, traps and privileged instructions: what a hart without H would do. */
#include "tests/unit/unit.h"

#include "lib/engine/shadow/shadow.h"
#include "riscv/csr.h"
#include "riscv/thead.h"

/* What privileged.c asks for, noted. */
static unsigned flushed_all, flushed_asid, flushed_page;
static uint64_t fence_va, fence_asid;
static bool fence_any;

void s_tables_fence(struct engine_vcpu *v)
{
    (void)v;
    flushed_all++;
}

void s_tables_flush_asid(struct engine_vcpu *v, uint64_t asid)
{
    (void)v;
    flushed_asid++;
    fence_asid = asid;
}

void s_tables_flush_page(struct engine_vcpu *v, uint64_t gva, bool any, uint64_t asid)
{
    (void)v;
    flushed_page++;
    fence_va = gva;
    fence_any = any;
    fence_asid = asid;
}

unsigned s_copy_of(const struct slot *slot, uint64_t gpa)
{
    (void)slot, (void)gpa;
    return 0;
}

void s_places_flush(struct s_vcpu *s)
{
    (void)s;
}

bool s_csr_access(struct engine_vcpu *v, uint32_t insn)
{
    (void)v;
    return insn >> 20 == CSR_SSCRATCH;
}

bool s_aia_access(struct engine_vcpu *vcpu, const struct riscv_csr_op *op)
{
    (void)vcpu, (void)op;
    return false; /* a guest without */
}

#define RAM 0x80000000UL
static uint64_t memory[8][512] __attribute__((aligned(4096)));
static struct engine_vm vm;
static struct engine_vcpu v;

static uint64_t pte(uint64_t pa, uint64_t bits)
{
    return pa >> 12 << PTE_PPN_SHIFT | bits;
}

#define VA 0x40203000UL /* entries 1, 1, 3 */
static uint64_t *const leaf = &memory[2][3];

static int set_up(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memset(&vm, 0, sizeof(vm));
    memset(&v, 0, sizeof(v));
    vm.name = "test";
    vm.s.adue = true;
    vm.s.levels = 3;
    vm.s.has_senvcfg = true;
    vm.s.counters = 0x5;
    vm.s.envcfg = ENVCFG_CBIE_INVAL | ENVCFG_CBCFE | ENVCFG_CBZE;
    static const struct engine_ops ops;
    vm.ops = &ops;
    vm.memory.slot[0] = (struct slot){.gpa = RAM,
                                      .size = sizeof(memory),
                                      .pa = 0x1000000,
                                      .va = (uint8_t *)memory,
                                      .mask = UINT64_MAX};
    vm.memory.slots = 1;
    v.vm = &vm;
    v.s.satp = SATP_MODE_SV39 << SATP_MODE_SHIFT | RAM >> 12;
    memory[0][1] = pte(RAM + 4096, PTE_V);
    memory[1][1] = pte(RAM + 8192, PTE_V);
    *leaf = pte(RAM + 0x3000, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D);
    flushed_all = flushed_asid = flushed_page = 0;
    return 0;
}

static uint64_t translate(enum s_access access)
{
    struct s_found found;
    return s_translate(&v, VA + 8, access, &found);
}

/* Harts with page attributes (T-Head's, where firmware sets MAEE) get them in each entry; a guest
 * is shown a plain hart, on which these bits are reserved. */
static void test_page_attributes(void **state)
{
    (void)state;
    struct page_attributes plain = thead_page_attributes(0, TH_SXSTATUS_MAEE);
    assert_int_equal(plain.memory | plain.device, 0);
    plain = thead_page_attributes(THEAD_VENDOR_ID, ~TH_SXSTATUS_MAEE);
    assert_int_equal(plain.memory | plain.device, 0);
    struct page_attributes has = thead_page_attributes(THEAD_VENDOR_ID, TH_SXSTATUS_MAEE);
    assert_int_equal(has.memory, 0x7000000000000000); /* Linux: _PAGE_PMA_THEAD */
    assert_int_equal(has.device, 0x9000000000000000); /* _PAGE_IO_THEAD */

    sim_page_attributes[0] = has.memory;
    sim_page_attributes[1] = has.device;
    memory_empty(&vm.memory);
    slot_begin(&vm.memory, RAM, 4096, 0x1000000, 0)->size = 4096;
    slot_begin(&vm.memory, RAM + 4096, 4096, 0x2000000, SLOT_DEVICE)->size = 4096;
    slot_begin(&vm.memory, RAM + 8192, 4096, 0x3000000, SLOT_REGISTERS)->size = 4096;
    sim_page_attributes[0] = sim_page_attributes[1] = 0;
    assert_int_equal(memory_slot(&vm.memory, RAM)->attributes, has.memory);
    assert_int_equal(memory_slot(&vm.memory, RAM + 4096)->attributes, has.device);
    assert_int_equal(memory_slot(&vm.memory, RAM + 8192)->attributes, has.memory);
    uint64_t flags = PTE_V | PTE_R | PTE_G;
    assert_int_equal(s_tables_entry(0x1000000, flags | has.memory),
                     has.memory | 0x1000000 >> 12 << 10 | PTE_V | PTE_R | PTE_U);
}

static void test_attributes_of_a_guests_own_are_reserved(void **state)
{
    (void)state;
    for (unsigned bit = 54; bit < 64; bit++) {
        *leaf = pte(RAM + 0x3000, PTE_V | PTE_R | PTE_A | PTE_D | 1UL << bit);
        assert_int_equal(translate(S_LOAD), CAUSE_LOAD_PAGE);
    }
}

static void test_permissions(void **state)
{
    (void)state;
    struct s_found found;
    assert_int_equal(s_translate(&v, VA + 8, S_LOAD, &found), 0);
    assert_int_equal(found.gpa, RAM + 0x3008);
    assert_int_equal(found.shift, 12);
    assert_int_equal(found.at, RAM + 2 * 4096 + 3 * 8);
    static const struct {
        uint64_t bits, sstatus;
        bool user, fetch, load, store; /* allowed */
    } cases[] = {
        {PTE_R, 0, false, false, true, false},
        {PTE_R | PTE_W, 0, false, false, true, true},
        {PTE_X, 0, false, true, false, false},
        {PTE_X, SSTATUS_MXR, false, true, true, false},
        {PTE_R | PTE_X, 0, false, true, true, false},
        {PTE_W, 0, false, false, false, false}, /* reserved */
        {PTE_W | PTE_X, 0, false, false, false, false},
        {PTE_R | PTE_W | PTE_X, 0, true, false, false, false}, /* the kernel's */
        {PTE_R | PTE_W | PTE_X | PTE_U, 0, true, true, true, true},
        {PTE_X | PTE_U, SSTATUS_MXR, true, true, true, false},
        {PTE_R | PTE_W | PTE_X | PTE_U, 0, false, false, false, false}, /* user mode's */
        {PTE_R | PTE_W | PTE_X | PTE_U, SSTATUS_SUM, false, false, true, true},
        {PTE_X | PTE_U, SSTATUS_SUM | SSTATUS_MXR, false, false, true, false},
        {PTE_R | PTE_W | PTE_U, SSTATUS_SUM, true, false, true, true},
    };
    for (unsigned n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
        *leaf = pte(RAM + 0x3000, PTE_V | PTE_A | PTE_D | cases[n].bits);
        v.s.sstatus = cases[n].sstatus;
        v.s.user = cases[n].user;
        assert_int_equal(translate(S_FETCH), cases[n].fetch ? 0 : CAUSE_INSN_PAGE);
        assert_int_equal(translate(S_LOAD), cases[n].load ? 0 : CAUSE_LOAD_PAGE);
        assert_int_equal(translate(S_STORE), cases[n].store ? 0 : CAUSE_STORE_PAGE);
    }
}

static void test_accessed_and_dirty(void **state)
{
    (void)state;
    uint64_t fresh = pte(RAM + 0x3000, PTE_V | PTE_R | PTE_W);
    *leaf = fresh;
    assert_int_equal(translate(S_LOAD), 0);
    assert_int_equal(*leaf, fresh | PTE_A);
    assert_int_equal(translate(S_STORE), 0);
    assert_int_equal(*leaf, fresh | PTE_A | PTE_D);
    vm.s.adue = false; /* Svade: a fault, and nothing is written */
    *leaf = fresh;
    assert_int_equal(translate(S_LOAD), CAUSE_LOAD_PAGE);
    assert_int_equal(translate(S_STORE), CAUSE_STORE_PAGE);
    assert_int_equal(*leaf, fresh);
    *leaf = fresh | PTE_A;
    assert_int_equal(translate(S_LOAD), 0);
    assert_int_equal(translate(S_STORE), CAUSE_STORE_PAGE);
    vm.s.adue = true; /* refused for another reason: nothing is written either */
    *leaf = pte(RAM + 0x3000, PTE_V | PTE_R);
    assert_int_equal(translate(S_STORE), CAUSE_STORE_PAGE);
    assert_int_equal(*leaf, pte(RAM + 0x3000, PTE_V | PTE_R));
}

/* What is only guessed leaves nothing behind that a bare hart would not. */
static void test_glance(void **state)
{
    (void)state;
    uint64_t fresh = pte(RAM + 0x3000, PTE_V | PTE_X);
    uint16_t half = 0;
    *leaf = fresh;
    memory[3][1] = 0x12345678;
    assert_true(s_glance(&v, VA + 10, &half));
    assert_int_equal(half, 0x1234);
    assert_int_equal(*leaf, fresh);
    *leaf = 0;
    assert_false(s_glance(&v, VA + 10, &half));
    *leaf = pte(RAM + sizeof(memory), PTE_V | PTE_X); /* no RAM */
    assert_false(s_glance(&v, VA + 10, &half));
    memory[1][1] = pte(RAM + sizeof(memory), PTE_V);
    assert_false(s_glance(&v, VA + 10, &half));
}

static void test_reserved_bits_of_a_leaf(void **state)
{
    (void)state;
    for (unsigned bit = 54; bit < 64; bit++) {
        *leaf = pte(RAM + 0x3000, PTE_V | PTE_R | PTE_A | 1UL << bit);
        assert_int_equal(translate(S_LOAD), CAUSE_LOAD_PAGE);
    }
    *leaf = pte(RAM + 0x3000, PTE_V | PTE_R | PTE_A | 3UL << 8);
    assert_int_equal(translate(S_LOAD), 0);
}

/* A table where no RAM is: an access fault, not a page fault. */
static void test_tables_outside_ram(void **state)
{
    (void)state;
    memory[1][1] = pte(0x40000000, PTE_V);
    assert_int_equal(translate(S_FETCH), CAUSE_INSN_ACCESS);
    assert_int_equal(translate(S_LOAD), CAUSE_LOAD_ACCESS);
    assert_int_equal(translate(S_STORE), CAUSE_STORE_ACCESS);
    v.s.satp = 0;
    assert_int_equal(translate(S_STORE), 0); /* paging is off: where it leads is not asked */
}

/* cbo.clean, .flush and .inval need what a load needs; cbo.zero is a store. */
static void test_cache_block_operations(void **state)
{
    (void)state;
    v.pc = RAM + 0x4000;
    v.s.satp = SATP_MODE_SV39 << SATP_MODE_SHIFT | RAM >> 12;
    memory[0][2] = pte(0x80000000, PTE_V | PTE_R | PTE_X | PTE_A); /* where the pc is */
    uint64_t read_only = pte(RAM + 0x3000, PTE_V | PTE_R | PTE_A);
    for (uint32_t operation = 0; operation < 4; operation++) {
        memory[4][0] = operation << 20 | 10 << 15 | 0x200f;
        *leaf = read_only;
        assert_int_equal(translate(S_STORE), operation == 3 ? CAUSE_STORE_PAGE : 0);
        *leaf = read_only | PTE_W;
        assert_int_equal(translate(S_STORE), 0);
        assert_int_equal(*leaf, read_only | PTE_W | (operation == 3 ? PTE_D : 0));
    }
    *leaf = pte(RAM + 0x3000, PTE_V | PTE_X | PTE_A);
    memory[4][0] = 1 << 20 | 10 << 15 | 0x200f;
    assert_int_equal(translate(S_STORE), CAUSE_STORE_PAGE); /* no load's, then: a store's fault */
    vm.s.envcfg = 0;
    *leaf = read_only;
    assert_int_equal(translate(S_STORE), CAUSE_STORE_PAGE);
}

static void test_trap_and_return(void **state)
{
    (void)state;
    struct exit exit;
    v.pc = 0x1000;
    v.s.stvec = 0x2001;
    v.s.user = true;
    v.s.sstatus = SSTATUS_SIE | SSTATUS_SUM;
    s_deliver(&v, CAUSE_LOAD_PAGE, 0x3000);
    assert_int_equal(v.pc, 0x2000); /* only interrupts are vectored */
    assert_false(v.s.user);
    assert_int_equal(v.s.sepc, 0x1000);
    assert_int_equal(v.s.scause, CAUSE_LOAD_PAGE);
    assert_int_equal(v.s.stval, 0x3000);
    assert_int_equal(v.s.sstatus, SSTATUS_SPIE | SSTATUS_SUM); /* SPP: user */
    assert_true(v.s.due && v.s.stale_root);
    assert_true(s_privileged(&v, 0x10200073)); /* sret */
    assert_true(v.s.user);
    assert_int_equal(v.pc, 0x1000);
    assert_int_equal(v.s.sstatus, SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SUM);
    assert_false(s_privileged(&v, 0x10200073)); /* user mode may not */
    assert_false(s_illegal(&v, 0x10200073, &exit));
    assert_int_equal(exit.reason, EXIT_ILLEGAL);
    v.s.user = false; /* a trap from S-mode */
    v.s.sstatus = 0;
    s_deliver(&v, CAUSE_BREAKPOINT, 0);
    assert_int_equal(v.s.sstatus, SSTATUS_SPP);
    assert_true(s_privileged(&v, 0x10200073));
    assert_false(v.s.user);
    assert_int_equal(v.s.sstatus, SSTATUS_SPIE); /* SPP is the least mode now */
}

static void test_interrupts(void **state)
{
    (void)state;
    uint64_t soft = IRQ_BIT(IRQ_S_SOFT), timer = IRQ_BIT(IRQ_S_TIMER), ext = IRQ_BIT(IRQ_S_EXT);
    static const uint64_t none = 0;
    v.s.stvec = 0x2001;
    v.s.sip = soft | timer | ext;
    v.pc = 0x1000;
    s_deliver_interrupt(&v); /* none enabled */
    assert_int_equal(v.pc, 0x1000);
    v.s.sie = soft | timer | ext;
    s_deliver_interrupt(&v); /* SIE is off */
    assert_int_equal(v.pc, 0x1000);
    static const unsigned order[] = {IRQ_S_EXT, IRQ_S_SOFT, IRQ_S_TIMER};
    for (unsigned n = 0; n < 3; n++) {
        v.s.sstatus = n & 1 ? SSTATUS_SIE : none;
        v.s.user = !(n & 1); /* user mode doesn't ask for SIE */
        v.pc = 0x1000;
        s_deliver_interrupt(&v);
        assert_int_equal(v.pc, 0x2000 + 4 * order[n]);
        assert_int_equal(v.s.scause, CAUSE_INTERRUPT | order[n]);
        assert_int_equal(v.s.sepc, 0x1000);
        assert_int_equal(v.s.stval, 0);
        v.s.sip &= ~IRQ_BIT(order[n]);
    }
}

static void test_fences(void **state)
{
    (void)state;
    v.pc = 0x1000;
    v.gpr[10] = 0x5000;
    v.gpr[11] = 7;
    assert_true(s_privileged(&v, 0x12000073)); /* sfence.vma */
    assert_int_equal(flushed_all, 1);
    assert_true(s_privileged(&v, 0x12050073)); /* sfence.vma a0 */
    assert_int_equal(flushed_page, 1);
    assert_true(fence_any && fence_va == 0x5000);
    assert_true(s_privileged(&v, 0x12b50073)); /* sfence.vma a0, a1 */
    assert_int_equal(flushed_page, 2);
    assert_true(!fence_any && fence_asid == 7);
    assert_true(s_privileged(&v, 0x12b00073)); /* sfence.vma zero, a1 */
    assert_int_equal(flushed_asid, 1);
    assert_int_equal(v.pc, 0x1010);
    v.s.user = true;
    assert_false(s_privileged(&v, 0x12000073));
}

static void test_what_is_not_ours(void **state)
{
    (void)state;
    static const struct {
        uint32_t insn;
        enum exit_reason kernel, user;
    } cases[] = {
        {0x10500073, EXIT_WFI, EXIT_ILLEGAL},     /* wfi */
        {0x30200073, EXIT_ILLEGAL, EXIT_ILLEGAL}, /* mret */
        {0x22000073, EXIT_ILLEGAL, EXIT_ILLEGAL}, /* hfence.vvma */
        {0x16000073, EXIT_ILLEGAL, EXIT_ILLEGAL}, /* sinval.vma */
        {0xc0002573, EXIT_CSR, EXIT_CSR},         /* rdcycle */
        {0xc0302573, EXIT_ILLEGAL, EXIT_ILLEGAL}, /* csrr a0, hpmcounter3, which this hart has not
                                                   */
        {0x30002573, EXIT_ILLEGAL, EXIT_ILLEGAL}, /* csrr a0, mstatus */
        {0xffffffff, EXIT_ILLEGAL, EXIT_ILLEGAL}, {0x00000000, EXIT_ILLEGAL, EXIT_ILLEGAL},
    };
    struct exit exit;
    for (unsigned n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
        v.pc = 0x1000;
        for (unsigned user = 0; user < 2; user++) {
            v.s.user = user;
            assert_false(s_privileged(&v, cases[n].insn));
            assert_false(s_illegal(&v, cases[n].insn, &exit));
            assert_int_equal(exit.reason, user ? cases[n].user : cases[n].kernel);
            assert_int_equal(exit.insn, cases[n].insn);
            assert_int_equal(v.pc, 0x1000);
        }
    }
    v.s.user = true; /* a register that exists, but not for user mode */
    assert_false(s_privileged(&v, 0x14002573));
    v.s.user = false;
    assert_true(s_privileged(&v, 0x14002573));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_page_attributes, set_up),
        cmocka_unit_test_setup(test_attributes_of_a_guests_own_are_reserved, set_up),
        cmocka_unit_test_setup(test_permissions, set_up),
        cmocka_unit_test_setup(test_accessed_and_dirty, set_up),
        cmocka_unit_test_setup(test_glance, set_up),
        cmocka_unit_test_setup(test_reserved_bits_of_a_leaf, set_up),
        cmocka_unit_test_setup(test_tables_outside_ram, set_up),
        cmocka_unit_test_setup(test_cache_block_operations, set_up),
        cmocka_unit_test_setup(test_trap_and_return, set_up),
        cmocka_unit_test_setup(test_interrupts, set_up),
        cmocka_unit_test_setup(test_fences, set_up),
        cmocka_unit_test_setup(test_what_is_not_ours, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
