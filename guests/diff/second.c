/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that one hart changes and both execute. The second one does as it is told and sleeps
 * otherwise; what it answers is as much a part of the results as what the first one finds.
 */
#include "guests/diff/arena.h"
#include "guests/diff/steps.h"

#define RET 0x00008067u
#define A0 10

enum work { NOTHING, CALL, WRITE, WATCH };

extern uint64_t diff_hart;
extern char run_lost_vector[];
void second_start(void); /* guests/common/start.S */
_Noreturn void second_main(void);

/* From the first to the second one: all before `work`. Back: `answer` and `seen`, before `work` is
 * NOTHING again. */
static struct {
    uint64_t va, satp, sscratch, before, after;
    uint32_t insn;
    uint64_t answer;
    enum work work;
    unsigned seen;   /* WATCH: it has executed it */
    unsigned stored; /* the first one's answer to that */
} box;

static char stack[4096] __attribute__((aligned(16)));

/* Until the first one has stored: what comes that is neither that nor what was there before. */
static uint64_t watch(void)
{
    uint64_t others = 0, value;
    do {
        fence_i();
        value = second_call(box.va);
        others += value != box.before && value != box.after;
        __atomic_store_n(&box.seen, 1, __ATOMIC_RELEASE);
    } while (!__atomic_load_n(&box.stored, __ATOMIC_ACQUIRE));
    return others;
}

_Noreturn void second_main(void)
{
    csr_write(CSR_STVEC, (uint64_t)run_lost_vector);
    csr_write(CSR_SIE, IRQ_BIT(IRQ_S_SOFT));
    for (;;) {
        csr_clear(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
        enum work work = __atomic_load_n(&box.work, __ATOMIC_ACQUIRE);
        if (work == NOTHING) {
            __asm__ volatile("wfi");
            continue;
        }
        sfence_vma_all();
        csr_write(CSR_SATP, box.satp);
        csr_write(CSR_SSCRATCH, box.sscratch);
        if (work == WRITE) {
            arena_write(box.va, box.insn);
        } else if (work == CALL) {
            fence_i();
            box.answer = second_call(box.va);
        } else {
            box.answer = watch();
        }
        csr_write(CSR_SATP, 0);
        sfence_vma_all();
        __atomic_store_n(&box.work, NOTHING, __ATOMIC_RELEASE);
    }
}

void second_begin(void)
{
    struct sbi_ret ret = guest_sbi(SBI_EXT_HSM, 0, diff_hart ^ 1, (uint64_t)second_start,
                                   (uint64_t)(stack + sizeof(stack)), 0);
    if (ret.error)
        guest_print("diff: no second hart\n");
}

static void tell(enum work work, uint64_t va)
{
    box.va = va;
    box.satp = csr_read(CSR_SATP);
    box.seen = box.stored = 0;
    __atomic_store_n(&box.work, work, __ATOMIC_RELEASE);
    guest_sbi(SBI_EXT_IPI, 0, 1, diff_hart ^ 1, 0, 0);
}

static void wait(void)
{
    while (__atomic_load_n(&box.work, __ATOMIC_ACQUIRE) != NOTHING) {
    }
}

static uint64_t other_calls(uint64_t va)
{
    tell(CALL, va);
    wait();
    return box.answer;
}

/* Each of the two writes it in turn; both execute fence.i, and then see it. */
static void in_turn(uint64_t offset, uint64_t at)
{
    for (unsigned n = 1 + below(3); n; n--) {
        bool immediate = chance(50);
        unsigned imm = below(2048);
        box.insn = immediate ? i_type(0x13, 0, A0, 0, imm) : CSR_INSN(CSR_SSCRATCH, 2, A0, 0);
        uint64_t va = arena_va(at, (enum alias)below(2));
        if (chance(50)) {
            arena_write(va, box.insn);
        } else {
            tell(WRITE, va);
            wait();
        }
        fence_i();
        uint64_t here = second_call(arena_va(offset, (enum alias)below(2)));
        uint64_t there = other_calls(arena_va(offset, (enum alias)below(2)));
        fold(here);
        fold(there);
        if (diff_trace)
            guest_print("diff: two harts: %x %x\n", here, there);
    }
}

static void put(uint64_t va)
{
    uint32_t insn = i_type(0x13, 0, A0, 0, (unsigned)box.after);
    *(volatile uint16_t *)(va + 2) = (uint16_t)(insn >> 16);
}

/*
 * One executes it all the while the other changes its upper half: the old or the new one, and
 * nothing else. QEMU 10 loses a store to what another hart translates at that moment: its TLB says
 * that there is no code. So it is stored once more behind a fence.
 */
static void meanwhile(uint64_t offset, uint64_t at)
{
    uint64_t va = arena_va(at, AT_HOME), run = arena_va(offset, (enum alias)below(2));
    arena_write(va, i_type(0x13, 0, A0, 0, 5));
    box.before = 5;
    box.after = 100 + below(1000);
    fence_i();
    tell(WATCH, run);
    while (!__atomic_load_n(&box.seen, __ATOMIC_ACQUIRE)) {
    }
    put(va);
    __atomic_store_n(&box.stored, 1, __ATOMIC_RELEASE);
    wait();
    fold(box.answer);
    if (diff_trace)
        guest_print("diff: meanwhile: %u others\n", box.answer);
    sfence_vma_all();
    put(va);
    fence_i();
    fold(second_call(arena_va(offset, AT_HOME)));
    fold(other_calls(run));
}

void second_step(void)
{
    uint64_t offset = mixed_place();
    box.sscratch = random_word();
    csr_write(CSR_SSCRATCH, random_word());
    code_start_at(arena_pointer(offset));
    code_put(
        CSR_INSN(CSR_SSCRATCH, 2, 5, 0)); /* csrr t0: so that the page has what is privileged */
    uint64_t at = offset + 4;
    code_put(0x0001);
    if (chance(50)) {
        at += 2;
    } else {
        code_start_at(arena_pointer(at));
    }
    code_put(i_type(0x13, 0, A0, 0, 1));
    code_put(RET);
    if (chance(50))
        in_turn(offset, at);
    else
        meanwhile(offset, at);
}
