/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that changes, reads and moves its own code, and executes what is privileged in it. What
 * it prints is the same on any hart; test_code.py compares with the bare machine. Each line tells
 * what a case found: `code: NAME VALUE ...`.
 */
#include <stdbool.h>

#include "guests/common/guest.h"
#include "riscv/csr.h"

void guest_main(uint64_t hart, uint64_t tree);
_Noreturn void second_main(void);
void code_second(void);
void code_trap(void);
uint64_t code_call(const void *at);                  /* executes there; what comes back in a0 */
uint64_t code_switch(const void *at, uint64_t satp); /* the same, with that in a1 */
/* registers.S */
void code_with_x30(uint64_t *registers, const void *at);
void code_with_x31(uint64_t *registers, const void *at);
extern const char code_back_x30[], code_back_x31[];

extern volatile uint64_t code_traps, code_cause, code_epc;

#define PAGE 4096UL
#define GIB (1UL << 30)
#define ALIAS (4 * GIB) /* the arena once more, page by page */
#define ARENA_PAGES 13UL

#define CSRR_A0_SSCRATCH 0x14002573u
#define CSRW_SSCRATCH_A0 0x14051073u
#define CSRR_A0_SSTATUS 0x10002573u
#define LI_A0(n) (0x00000513u | (uint32_t)(n) << 20)
#define ADDI_A0(n) (0x00050513u | (uint32_t)(n) << 20)
#define XOR_T0                                                                                     \
    0x0052c2b3u /* xor t0, t0, t0: nothing that is ever done in an instruction's place             \
                 */
#define RET 0x00008067u
#define EBREAK 0x00100073u
#define SFENCE_VMA 0x12000073u
#define FENCE_I 0x0000100fu
#define C_EBREAK 0x9002u
#define C_NOP 0x0001u

static uint8_t arena[ARENA_PAGES * PAGE] __attribute__((aligned(4096)));
static uint64_t root[512] __attribute__((aligned(4096)));
static uint64_t middle[512] __attribute__((aligned(4096)));
static uint64_t last[512] __attribute__((aligned(4096)));
static char second_stack[4096] __attribute__((aligned(16)));
static volatile uint64_t second_turn, second_answer, second_up;

static void put16(uint64_t at, uint32_t half)
{
    *(volatile uint16_t *)(arena + at) = (uint16_t)half;
}

static uint64_t put(uint64_t at, uint32_t insn)
{
    put16(at, insn);
    put16(at + 2, insn >> 16);
    return at + 4;
}

static uint64_t call(uint64_t at)
{
    return code_call(arena + at);
}

static uint64_t sum(const volatile uint8_t *from, uint64_t bytes)
{
    uint64_t value = 0;
    for (uint64_t n = 0; n < bytes; n++)
        value = value * 31 + from[n];
    return value;
}

/* The value of sscratch, by code at `at`. */
static void put_reader(uint64_t at)
{
    put(put(at, CSRR_A0_SSCRATCH), RET);
    fence_i();
}

/* The same, and then `value` in its place: what is changed is not privileged itself. */
static void put_number(uint64_t at, uint32_t value)
{
    put(put(put(put(at, CSRR_A0_SSCRATCH), XOR_T0), LI_A0(value)), RET);
    fence_i();
}

static void patched(void)
{
    uint64_t found[4];
    csr_write(CSR_SSCRATCH, 0x111);
    put_reader(0);
    found[0] = call(0);
    put(0, LI_A0(7));
    fence_i();
    found[1] = call(0);
    put(0, CSRR_A0_SSCRATCH);
    fence_i();
    found[2] = call(0);
    put16(2, 0x1410); /* sepc in the place of sscratch: half of an instruction */
    csr_write(CSR_SEPC, 0x4440);
    fence_i();
    found[3] = call(0);
    guest_print("code: patched %x %x %x %x\n", found[0], found[1], found[2], found[3]);
    for (unsigned n = 0; n < 4; n++) {
        put_number(512, 100 + n);
        found[n] = call(512);
    }
    guest_print("code: numbers %u %u %u %u\n", found[0], found[1], found[2], found[3]);
}

/* Code reads itself, as checksums, debuggers and patchers do. */
static void read_back(void)
{
    uint64_t at = PAGE, before, after;
    for (unsigned n = 0; n < 500; n++)
        at = put(at, n & 1 ? CSRR_A0_SSCRATCH : CSRR_A0_SSTATUS);
    put(put(at, CSRR_A0_SSCRATCH), RET);
    fence_i();
    before = sum(arena + PAGE, PAGE);
    uint64_t value = 0;
    for (unsigned n = 0; n < 40; n++) { /* more often than it pays to take turns */
        value += call(PAGE);
        value += sum(arena + PAGE + 8 * n, 8);
    }
    after = sum(arena + PAGE, PAGE);
    guest_print("code: read %u %x\n", (uint64_t)(before == after), value);
}

static void breakpoints(void)
{
    uint64_t at = 2 * PAGE, before = code_traps;
    put(put(put(at, CSRR_A0_SSCRATCH), EBREAK), RET);
    put16(at + 12, C_EBREAK);
    put(at + 14, RET);
    fence_i();
    csr_write(CSR_SSCRATCH, 0x222);
    uint64_t value = call(at);
    guest_print("code: ebreak %x traps %u cause %u at %x\n", value, code_traps - before, code_cause,
                code_epc - (uint64_t)arena);
    call(at + 12);
    guest_print("code: c.ebreak traps %u cause %u at %x\n", code_traps - before, code_cause,
                code_epc - (uint64_t)arena);
}

static void across_pages(void)
{
    uint64_t at = 4 * PAGE - 2, found[3];
    csr_write(CSR_SSCRATCH, 0x333);
    put_reader(at);
    found[0] = call(at);
    put16(at + 2, 0x1410); /* sepc, by the second page alone */
    csr_write(CSR_SEPC, 0x5550);
    fence_i();
    found[1] = call(at);
    put(at, LI_A0(9));
    fence_i();
    found[2] = call(at);
    guest_print("code: across %x %x %x\n", found[0], found[1], found[2]);
    /* auipc, whose second half looks like csrr with what follows, a c.nop */
    at = 5 * PAGE - 2;
    put(at, 0x25730517u);
    put16(at + 4, 0x1001);
    put(put(at + 6, 0x140022f3u), RET);
    fence_i();
    guest_print("code: half %x\n", call(at) - (uint64_t)(arena + at));
}

/* What looks like an instruction where nothing is executed, and a jump into the middle of one. */
static void data_between(void)
{
    uint64_t at = 5 * PAGE;
    put16(at, 0xa021); /* c.j +8 */
    put16(at + 2, 0x2573);
    put16(at + 4, 0x1400);
    put16(at + 6, 0xffff);
    put(put(at + 8, CSRR_A0_SSCRATCH), RET);
    /* lui a0, whose upper half is c.ebreak's encoding as well as an immediate */
    put(put(at + 16, 0x90020537u), RET);
    fence_i();
    csr_write(CSR_SSCRATCH, 0x444);
    guest_print("code: data %x %x %x\n", call(at), call(at + 16), sum(arena + at, 24));
}

/* Code and a counter on one page. */
static void mixed(void)
{
    uint64_t at = 6 * PAGE, total = 0;
    volatile uint64_t *counter = (volatile uint64_t *)(arena + at + 256);
    csr_write(CSR_SSCRATCH, 1);
    put_reader(at);
    *counter = 0;
    for (unsigned n = 0; n < 300; n++) {
        total += call(at);
        *counter += total;
    }
    guest_print("code: mixed %u %u\n", total, *counter);
}

static uint64_t leaf(const void *at, uint64_t bits)
{
    return (uint64_t)at >> 12 << 10 | PTE_V | PTE_A | PTE_D | bits;
}

static uint64_t table(const uint64_t *entries)
{
    return (uint64_t)entries >> 12 << 10 | PTE_V;
}

/* The arena at a second address: executed at one, written by the other, and the other way round. */
static void two_addresses(void)
{
    uint64_t found[4];
    root[2] = leaf((const void *)(2 * GIB), PTE_R | PTE_W | PTE_X);
    root[4] = table(middle);
    middle[0] = table(last);
    for (uint64_t n = 0; n < ARENA_PAGES; n++)
        last[n] = leaf(arena + n * PAGE, PTE_R | PTE_X);
    csr_write(CSR_SATP, 8UL << 60 | (uint64_t)root >> 12);
    sfence_vma_all();
    csr_write(CSR_SSCRATCH, 0x555);
    put_reader(0);
    found[0] = code_call((const void *)ALIAS);
    put(0, LI_A0(5));
    fence_i();
    found[1] = code_call((const void *)ALIAS);
    last[0] = leaf(arena, PTE_R | PTE_W | PTE_X);
    sfence_vma_all();
    *(volatile uint32_t *)ALIAS = CSRR_A0_SSCRATCH;
    fence_i();
    found[2] = call(0);
    *(volatile uint32_t *)ALIAS = ADDI_A0(1);
    fence_i();
    found[3] = code_call((const void *)ALIAS) - (uint64_t)ALIAS;
    guest_print("code: aliases %x %x %x %x\n", found[0], found[1], found[2], found[3]);
    put_number(0, 1);
    found[0] = code_call((const void *)ALIAS) + call(0);
    put_number(0, 2);
    found[1] = code_call((const void *)ALIAS) + call(0);
    *(volatile uint32_t *)(ALIAS + 8) = LI_A0(3);
    fence_i();
    found[2] = code_call((const void *)ALIAS) + call(0);
    *(volatile uint32_t *)(arena + 8) = LI_A0(4);
    fence_i();
    found[3] = code_call((const void *)ALIAS) + call(0);
    guest_print("code: numbers at both %u %u %u %u\n", found[0], found[1], found[2], found[3]);
}

/* Two address spaces that have other code at the same address, which goes from one to the other as
 * some kernels do at each trap: satp and a fence of everything. */
static uint64_t second_root[512] __attribute__((aligned(4096)));
static uint64_t second_middle[512] __attribute__((aligned(4096)));
static uint64_t second_last[512] __attribute__((aligned(4096)));

#define CROSSING_AT 1024UL
#define CROSSING_PAGE 10UL /* whose use didn't change so often that it is left without a copy */
#define CROSSING_PAGES 3

/* Each page says which it is by the registers that it reads, before and behind. */
static void put_crossing(uint64_t page, uint32_t first, uint32_t between, uint32_t second)
{
    uint64_t at = (CROSSING_PAGE + page) * PAGE + CROSSING_AT;
    at = put(at, first << 20 | 2U << 12 | 12 << 7 | 0x73); /* csrr a2 */
    at = put(at, CSR_SATP << 20 | 11U << 15 | 1U << 12 | 0x73);
    at = put(at, between);
    at = put(at, second << 20 | 2U << 12 | 13 << 7 | 0x73); /* csrr a3 */
    put(put(at, 0x00d60533u /* add a0, a2, a3 */), RET);
}

static void two_spaces(void)
{
    uint64_t satp[2] = {8UL << 60 | 1UL << 44 | (uint64_t)root >> 12,
                        8UL << 60 | 2UL << 44 | (uint64_t)second_root >> 12};
    uint64_t *entry[2] = {last, second_last}, sum = 0;
    for (unsigned n = 0; n < 512; n++) {
        second_root[n] = root[n];
        second_last[n] = last[n];
    }
    second_root[4] = table(second_middle);
    second_middle[0] = table(second_last);
    put_crossing(0, CSR_SSCRATCH, SFENCE_VMA, CSR_SCAUSE);
    put_crossing(1, CSR_SEPC, SFENCE_VMA, CSR_STVAL);
    put_crossing(2, CSR_SCAUSE, 0x00160613u /* addi a2, a2, 1 */, CSR_SEPC);
    fence_i();
    last[0] = leaf(arena + CROSSING_PAGE * PAGE, PTE_R | PTE_X);
    second_last[0] = leaf(arena + (CROSSING_PAGE + 1) * PAGE, PTE_R | PTE_X);
    csr_write(CSR_SSCRATCH, 0x1000000);
    csr_write(CSR_SEPC, 0x20000);
    csr_write(CSR_SCAUSE, 0x300);
    csr_write(CSR_STVAL, 0x4);
    for (unsigned turn = 0; turn < 240; turn++) {
        unsigned from = turn / 3 & 1;
        volatile uint64_t *pte = &entry[turn / 5 & 1][0];
        if (turn % 4 == 3)
            *pte = leaf(arena + (CROSSING_PAGE + turn / 7 % CROSSING_PAGES) * PAGE, PTE_R | PTE_X);
        if (turn % 8 == 7) /* by the old entry or the new one: the fence ends either */
            (void)*(volatile uint8_t *)ALIAS;
        csr_write(CSR_SATP, satp[from]);
        sfence_vma_all();
        if (turn % 16 >= 12)
            csr_set(CSR_SSTATUS, SSTATUS_SUM);
        sum = sum * 31 + code_switch((const void *)(ALIAS + CROSSING_AT), satp[from ^ 1]);
        csr_clear(CSR_SSTATUS, SSTATUS_SUM);
        if (turn % 24 == 23)
            guest_print("code: spaces %x\n", sum);
    }
    last[0] = leaf(arena, PTE_R | PTE_W | PTE_X);
    csr_write(CSR_SATP, satp[0]);
    sfence_vma_all();
}

/* The other hart executes what this one writes. */
void second_main(void)
{
    csr_write(CSR_SSCRATCH, 0x10000);
    second_up = 1;
    for (uint64_t turn = 1;; turn++) {
        while (second_turn < turn)
            ;
        fence_i();
        second_answer = call(7 * PAGE);
        __atomic_store_n(&second_turn, 0, __ATOMIC_RELEASE);
        while (!second_turn)
            ;
    }
}

static void other_hart(uint64_t hart)
{
    uint64_t total = 0, wrong = 0;
    put_number(7 * PAGE, 0);
    struct sbi_ret ret = guest_sbi(SBI_EXT_HSM, 0, hart ^ 1, (uint64_t)code_second,
                                   (uint64_t)(second_stack + sizeof(second_stack)), 0);
    while (!ret.error && !second_up)
        ;
    for (uint64_t turn = 1; turn <= 200; turn++) {
        put(7 * PAGE + 8, LI_A0(turn));
        __atomic_store_n(&second_turn, turn, __ATOMIC_RELEASE);
        while (__atomic_load_n(&second_turn, __ATOMIC_ACQUIRE))
            ;
        total += second_answer;
        wrong += second_answer != turn;
        __atomic_store_n(&second_turn, turn, __ATOMIC_RELEASE);
    }
    guest_print("code: other hart %x wrong %u\n", total, wrong);
}

/* ---- Each register as source and target of what kernels execute most ------------------------- */

#define CSRR(rd, csr) ((uint32_t)(csr) << 20 | 2U << 12 | (rd) << 7 | 0x73U)
#define CSR(rd, csr, kind, rs1) (CSRR(rd, csr) ^ 2U << 12 ^ (uint32_t)(kind) << 12 ^ (rs1) << 15)
#define SRET 0x10200073u
#define FORMS 14
#define FORM_BYTES 12
#define REGISTERS_AT (8 * PAGE)

/* For sstatus, and even, for sepc: QEMU 10's keeps bit 0. */
static const uint64_t operands[] = {SSTATUS_SUM | SSTATUS_SIE, SSTATUS_FS | SSTATUS_SPIE, 0,
                                    SSTATUS_FS_CLEAN | SSTATUS_SPP | SSTATUS_SUM,
                                    ~(SSTATUS_MXR | 1)};

static uint32_t jump(uint64_t from, const char *to)
{
    uint64_t by = (uint64_t)to - from;
    return 0x6fU | (uint32_t)((by >> 20 & 1) << 31 | (by >> 1 & 0x3ff) << 21 |
                              (by >> 11 & 1) << 20 | (by >> 12 & 0xff) << 12);
}

static void put_form(uint64_t at, unsigned form, uint32_t n)
{
    const uint32_t first[FORMS] = {
        CSR(n, CSR_SSCRATCH, 1, n), CSR(0, CSR_SSCRATCH, 1, n), CSRR(n, CSR_SEPC),
        CSR(0, CSR_SCAUSE, 1, n),   CSR(n, CSR_STVAL, 1, n),    CSRR(n, CSR_SSTATUS),
        CSR(n, CSR_SSTATUS, 2, n),  CSR(n, CSR_SSTATUS, 3, n),  CSR(n, CSR_SSTATUS, 1, n),
        CSR(0, CSR_SSTATUS, 1, n),  CSR(n, CSR_SSTATUS, 7, 2),  CSR(0, CSR_SSTATUS, 6, 2),
        CSR(0, CSR_SEPC, 1, n),     SFENCE_VMA | n << 15};
    const uint32_t second[FORMS] = {CSRR(n, CSR_SSCRATCH),
                                    CSR(n, CSR_SEPC, 1, n),
                                    CSRR(n, CSR_SCAUSE),
                                    CSR(n, CSR_SCAUSE, 1, n),
                                    CSRR(n, CSR_STVAL),
                                    CSRR(n, CSR_SIE),
                                    CSR(0, CSR_SSTATUS, 7, 2),
                                    CSR(0, CSR_SSTATUS, 3, n),
                                    CSR(0, CSR_SSTATUS, 2, n),
                                    CSRR(n, CSR_SATP),
                                    CSR(n, CSR_SSTATUS, 6, 2),
                                    CSR(n, CSR_SSTATUS, 3, 0),
                                    SRET,
                                    CSRR(0, CSR_SEPC)};
    put(put(at, first[form]), second[form]);
    put(at + 8, jump((uint64_t)arena + at + 8, n == 31 ? code_back_x30 : code_back_x31));
}

static uint64_t with(uint64_t at, unsigned form, unsigned n, uint64_t operand)
{
    uint64_t x[32], sum = 0, status = csr_read(CSR_SSTATUS) & ~(SSTATUS_FS | SSTATUS_SPIE);
    for (unsigned i = 0; i < 32; i++)
        x[i] = 0x123456789abcdef0UL * (i + 3UL);
    x[n] = form == 12 ? (uint64_t)arena + at + 8 : operand;
    csr_write(CSR_SSTATUS, status | SSTATUS_SPP | SSTATUS_FS_INITIAL);
    csr_write(CSR_SSCRATCH, 0x5c5c);
    csr_write(CSR_SEPC, 0xe8c8);
    csr_write(CSR_STVAL, 0x7a7a);
    csr_write(CSR_SCAUSE, 5);
    if (n == 31)
        code_with_x30(x, arena + at);
    else
        code_with_x31(x, arena + at);
    uint64_t now[] = {csr_read(CSR_SSTATUS), csr_read(CSR_SSCRATCH), csr_read(CSR_SEPC),
                      csr_read(CSR_STVAL)};
    csr_write(CSR_SSTATUS, status);
    x[n == 31 ? 30 : 31] = 0;
    x[0] = 0;
    if (form == 12)
        x[n] -= (uint64_t)arena, now[2] -= (uint64_t)arena;
    for (unsigned i = 0; i < 32; i++)
        sum = sum * 31 + x[i];
    for (unsigned i = 0; i < 4; i++)
        sum = sum * 31 + now[i];
    return sum;
}

static void registers(void)
{
    csr_write(CSR_SIE, 0);
    for (uint32_t n = 1; n < 32; n++) {
        for (unsigned form = 0; form < FORMS; form++)
            put_form(REGISTERS_AT + (n * FORMS + form) * FORM_BYTES, form, n);
    }
    fence_i();
    for (uint32_t n = 1; n < 32; n++) {
        guest_print("code: x%u", (uint64_t)n);
        for (unsigned form = 0; form < FORMS; form++) {
            uint64_t at = REGISTERS_AT + (n * FORMS + form) * FORM_BYTES, sum = 0;
            for (unsigned turn = 0; turn < 3 * sizeof(operands) / sizeof(operands[0]); turn++)
                sum = sum * 31 + with(at, form, n, operands[turn / 3]);
            guest_print(" %x", sum & 0xffff);
        }
        guest_print("\n");
    }
}

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)tree;
    csr_write(CSR_STVEC, (uint64_t)code_trap);
    patched();
    read_back();
    breakpoints();
    across_pages();
    data_between();
    mixed();
    two_addresses();
    patched(); /* once more, with paging on */
    read_back();
    breakpoints();
    across_pages();
    data_between();
    mixed();
    registers();
    two_spaces();
    other_hart(hart);
    guest_print("code: done\n");
    guest_poweroff();
}
