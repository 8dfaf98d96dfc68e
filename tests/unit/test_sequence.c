/* SPDX-License-Identifier: BSD-2-Clause */
/* Engine shadow's runs of instructions: what is executed, where they end, and that nothing but the
 * page at hand is read. */
#include "tests/unit/unit.h"

#include "lib/engine/shadow/shadow.h"
#include "riscv/asm.h"

#define PAGE 4096
#define VA 0xffffffff80005000UL

static _Alignas(PAGE) uint8_t code[PAGE];
static struct engine_vcpu v;
static struct s_fetch_line lines[S_FETCH_LINES];
static unsigned privileged;
static uint32_t last;

bool s_privileged(struct engine_vcpu *vcpu, uint32_t insn)
{
    privileged++;
    last = insn;
    vcpu->pc += 4;
    return insn != INSN_WFI;
}

void s_deliver_interrupt(struct engine_vcpu *vcpu)
{
    vcpu->s.user = false;
    vcpu->pc = 0x1234;
}

static int set_up(void **state)
{
    (void)state;
    memset(&v, 0, sizeof(v));
    memset(code, 0, sizeof(code));
    for (unsigned n = 0; n < S_FETCH_LINES; n++)
        lines[n] = (struct s_fetch_line){UINT64_MAX, NULL, false};
    v.s.fetch = lines;
    *s_fetch_line(&v.s, VA) = (struct s_fetch_line){VA >> 12, code, true};
    v.pc = VA;
    privileged = 0;
    return 0;
}

static void put32(unsigned at, uint32_t insn)
{
    memcpy(code + at, &insn, 4);
}

static void put16(unsigned at, uint16_t insn)
{
    memcpy(code + at, &insn, 2);
}

static uint32_t csr(unsigned number, unsigned rs1, unsigned funct3, unsigned rd)
{
    return number << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | 0x73;
}

static void trap_registers(void **state)
{
    (void)state;
    put32(0, csr(CSR_SSCRATCH, 4, 1, 4)); /* csrrw tp, sscratch, tp */
    put32(4, csr(CSR_SCAUSE, 0, 2, 10));  /* csrr a0, scause */
    put32(8, csr(CSR_STVAL, 0, 2, 0));    /* csrr zero, stval */
    put32(12, csr(CSR_SEPC, 11, 1, 0));   /* csrw sepc, a1 */
    v.s.sscratch = 0x111;
    v.gpr[4] = 0x222;
    v.s.scause = 8;
    v.s.stval = 9;
    v.gpr[11] = 0x10001;
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.pc, VA + 16);
    assert_int_equal(v.gpr[4], 0x111);
    assert_int_equal(v.s.sscratch, 0x222);
    assert_int_equal(v.gpr[10], 8);
    assert_int_equal(v.gpr[0], 0);
    assert_int_equal(v.s.sepc, 0x10000); /* bit 0 is always zero */
    assert_int_equal(privileged, 0);
}

/* sstatus as kernels use it: read, interrupts and SUM off and on. The rest of it is csr.c's. */
static void status_is_done_here(void **state)
{
    (void)state;
    v.s.sstatus = SSTATUS_SPP | SSTATUS_SIE;
    sim_csr[CSR_SSTATUS] = SSTATUS_FS;
    put32(0, csr(CSR_SSTATUS, 2, 7, 6)); /* csrrci x6, sstatus, SIE */
    put32(4, csr(CSR_SSTATUS, 0, 2, 7)); /* csrr x7, sstatus */
    put32(8, csr(CSR_SATP, 0, 2, 6));
    v.pc = VA;
    s_go_on(&v, s_run_on(&v));
    assert_int_equal(last, csr(CSR_SATP, 0, 2, 6));
    assert_int_equal(v.gpr[6], SSTATUS_SPP | SSTATUS_SIE | SSTATUS_FS | SSTATUS_SD);
    assert_int_equal(v.gpr[7], SSTATUS_SPP | SSTATUS_FS | SSTATUS_SD);
    assert_false(v.s.stale_root);
    v.gpr[5] = SSTATUS_SUM;
    put32(0, csr(CSR_SSTATUS, 5, 2, 0)); /* csrs sstatus, x5 */
    v.pc = VA;
    s_go_on(&v, s_run_on(&v));
    assert_true(v.s.sstatus & SSTATUS_SUM && v.s.stale_root);
    assert_int_equal(v.gpr[0], 0);
    v.gpr[5] = SSTATUS_SUM | SSTATUS_MXR;
    put32(0, csr(CSR_SSTATUS, 5, 3, 0)); /* not alone SUM */
    v.pc = VA;
    s_go_on(&v, s_run_on(&v));
    assert_int_equal(last, csr(CSR_SATP, 0, 2, 6));
    assert_true(v.s.sstatus & SSTATUS_SUM);
}

static void others_are_left(void **state)
{
    (void)state;
    /* csrrs and csrrc that write, immediate forms, other registers: s_privileged()'s. */
    const uint32_t others[] = {csr(CSR_SEPC, 5, 2, 6),     csr(CSR_SEPC, 5, 3, 6),
                               csr(CSR_SSCRATCH, 5, 5, 6), csr(CSR_SSTATUS, 0, 2, 6),
                               csr(CSR_SIP, 0, 2, 6),      0x00000073};
    for (unsigned n = 0; n < sizeof(others) / sizeof(others[0]); n++) {
        put32(0, others[n]);
        v.pc = VA;
        assert_int_equal(s_run_on(&v), others[n]);
        assert_int_equal(v.pc, VA);
    }
    put32(0, others[0]);
    put32(4, INSN_WFI); /* which it says is not its */
    v.pc = VA;
    s_go_on(&v, s_run_on(&v));
    assert_int_equal(privileged, 2);
    assert_int_equal(last, INSN_WFI);
}

static void plain_between(void **state)
{
    (void)state;
    put16(0, 0x0291);                                                 /* c.addi t0, 4 */
    put32(2, (uint32_t)-8 << 20 | 5 << 15 | 0 << 12 | 6 << 7 | 0x13); /* addi t1, t0, -8 */
    put16(6, 0x52fd);                                                 /* c.li t0, -1 */
    put16(8, 0x831a);                                                 /* c.mv t1, t1 */
    put32(10, csr(CSR_SSCRATCH, 6, 1, 0));                            /* csrw sscratch, t1 */
    v.gpr[5] = 100;
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.gpr[5], UINT64_MAX);
    assert_int_equal(v.gpr[6], 96);
    assert_int_equal(v.s.sscratch, 96);
    assert_int_equal(v.pc, VA + 14);
}

/* bne t0, zero, +-: forward, back, and over the page's end */
static void branches(void **state)
{
    (void)state;
    put32(0x10, 0x00029463); /* bne t0, zero, +8 */
    put32(0x14, csr(CSR_SSCRATCH, 0, 1, 0));
    put32(0x18, csr(CSR_SCAUSE, 0, 1, 0));
    v.s.sscratch = v.s.scause = 5;
    v.gpr[5] = 1;
    v.pc = VA + 0x10;
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.s.sscratch, 5);
    assert_int_equal(v.s.scause, 0);
    assert_int_equal(v.pc, VA + 0x1c);

    v.s.scause = 5;
    v.gpr[5] = 0;
    v.pc = VA + 0x10;
    s_run_on(&v);
    assert_int_equal(v.s.sscratch, 0);

    put32(4, 0xfe0294e3); /* bne t0, zero, -24: to another page, which is not at hand */
    v.gpr[5] = 1;
    v.pc = VA + 4;
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.pc, VA + 4 - 24);
}

static void ends(void **state)
{
    (void)state;
    put32(PAGE - 4, csr(CSR_SSCRATCH, 0, 2, 5)); /* the last one that is whole */
    v.pc = VA + PAGE - 4;
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.pc, VA + PAGE);
    v.pc = VA + PAGE - 2; /* half of it is elsewhere */
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.pc, VA + PAGE - 2);
    v.pc = 0; /* no page is at hand there, although 0 stands for none */
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.pc, 0);
    v.pc = UINT64_MAX - 1;
    assert_int_equal(s_run_on(&v), 0);

    put32(0, 0x00028063); /* beq t0, zero, +0: a loop for ever */
    v.gpr[5] = 0;
    v.pc = VA;
    assert_int_equal(s_run_on(&v), 0);
    for (unsigned n = 0; n < PAGE; n += 4)
        put32(n, csr(CSR_SSCRATCH, 0, 2, 5));
    v.pc = VA;
    assert_int_equal(s_run_on(&v), 0);
    assert_true(v.pc - VA <= 64);
}

static void returns(void **state)
{
    (void)state;
    put32(0, INSN_SRET);
    put32(0x20, csr(CSR_SSCRATCH, 0, 2, 5));
    v.s.sscratch = 77;
    v.s.sepc = VA + 0x20;
    v.s.sstatus = SSTATUS_SPP | SSTATUS_SPIE; /* to S-mode: it goes on there */
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.gpr[5], 77);
    assert_int_equal(v.s.sstatus, SSTATUS_SPIE | SSTATUS_SIE);

    v.pc = VA;
    v.s.sepc = 0; /* and from there to address 0 */
    v.s.sstatus = SSTATUS_SPP;
    assert_int_equal(s_run_on(&v), 0);
    assert_int_equal(v.pc, 0);

    v.pc = VA;
    v.s.sepc = VA + 0x20;
    v.s.sstatus = 0; /* to U-mode: not ours */
    v.gpr[5] = 0;
    assert_int_equal(s_run_on(&v), 0);
    assert_true(v.s.user && v.s.stale_root);
    assert_int_equal(v.gpr[5], 0);

    v.s.user = false;
    v.pc = VA;
    v.s.sip = v.s.sie = 2; /* an interrupt waits for just that */
    s_go_on(&v, s_run_on(&v));
    assert_int_equal(v.pc, 0x1234);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(trap_registers, set_up),
        cmocka_unit_test_setup(status_is_done_here, set_up),
        cmocka_unit_test_setup(others_are_left, set_up),
        cmocka_unit_test_setup(plain_between, set_up),
        cmocka_unit_test_setup(branches, set_up),
        cmocka_unit_test_setup(ends, set_up),
        cmocka_unit_test_setup(returns, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
