/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Code that is changed and then executed. The manual promises what was stored to who executes
 * fence.i behind the store (unprivileged manual, "Zifencei"); without it either may be fetched, so
 * only that nothing else comes is looked at.
 */
#include "guests/diff/arena.h"
#include "guests/diff/steps.h"

#define LI(reg, n) i_type(0x13, 0, reg, 0, n)
#define FENCE_I 0x0000100fu
#define C_NOP 0x0001u

/* An instruction that leaves something in one register, and what that is. */
struct known {
    uint32_t insn;
    uint64_t value;
};

static const uint16_t registers[] = {CSR_SSCRATCH, CSR_STVAL};

static uint64_t stval;

static struct known known(unsigned reg, bool user, bool immediate, unsigned which)
{
    unsigned imm = below(2048);
    if (user || immediate)
        return (struct known){LI(reg, imm), imm};
    return (struct known){CSR_INSN(registers[which], 2 + below(2), reg, 0),
                          which ? stval : csr_read(CSR_SSCRATCH)};
}

static void end(bool user)
{
    code_put(user ? INSN_ECALL : chance(50) ? INSN_EBREAK : INSN_C_EBREAK);
}

/* Runs it. `fenced`: what was stored must be seen; else it is this or what was there before. */
static void run(bool user, uint64_t offset, unsigned reg, bool fenced, uint64_t before,
                uint64_t after)
{
    if (!fenced)
        code_forget(reg);
    code_direct();
    code_undisturbed();
    context.sstatus &= ~SSTATUS_SPIE; /* nor once sret is done */
    csr_write(CSR_STVAL, stval);      /* the last trap's is there */
    code_run_at(fenced ? "patched" : "patched, no fence.i", user,
                arena_va(offset, user ? AT_USER : (enum alias)below(2)));
    bool right = code_left(reg) == after || (!fenced && code_left(reg) == before);
    if (context.scause >> 63 || context.scause >= CAUSE_INSN_PAGE)
        right = true; /* an interrupt came first, or the page is not to be written or executed */
    fold(right);
    if (diff_trace && !right)
        guest_print("diff: x%u is %x, was to be %x or %x\n", reg, code_left(reg), before, after);
}

/*
 * The program stores it, from S-mode, at either address, and it runs in either mode. Without
 * fence.i only one half changes: of two either may be old.
 */
static void patched_by_program(bool user, unsigned reg)
{
    uint64_t offset = mixed_place();
    bool immediate = chance(50), fenced = chance(60);
    struct known old = known(reg, user, immediate, 0),
                 new = known(reg, user, fenced ? chance(50) : immediate, 1);
    if (!fenced) /* the other bits as they are */
        new.insn = (new.insn & 0xfff00000) | (old.insn & 0xfffff);
    code_start_at(arena_pointer(offset));
    for (unsigned n = below(4); n; n--)
        code_put(C_NOP);
    uint64_t at = offset + 2 * (uint64_t)(code_here() - arena_pointer(offset));
    code_put(old.insn);
    end(user);
    fence_i();
    run(user, offset, reg, true, 0, old.value);
    uint64_t va = arena_va(at, chance(50) ? AT_HOME : AT_AGAIN);
    if (fenced)
        arena_write(va, new.insn);
    else
        *(volatile uint16_t *)(va + 2) = (uint16_t)(new.insn >> 16);
    if (fenced)
        fence_i();
    run(user, offset, reg, fenced, old.value, new.value);
    if (!fenced) {
        fence_i();
        run(user, offset, reg, true, 0, new.value);
    }
}

/* The code does so itself, ahead of where it is. */
static void patched_by_itself(bool user, unsigned reg)
{
    uint64_t offset = mixed_place();
    bool immediate = chance(50), fenced = chance(60);
    struct known old = known(reg, user, immediate, 0), new = known(reg, user, immediate, 1);
    new.insn = (new.insn & 0xfff00000) | (old.insn & 0xfffff);
    unsigned pointer = other_register(reg), half;
    do
        half = other_register(reg);
    while (half == pointer);
    code_start_at(arena_pointer(offset));
    for (unsigned n = below(4); n; n--)
        code_put(C_NOP);
    code_put(s_type(0x23, 1, pointer, half, 0));
    if (fenced)
        code_put(FENCE_I);
    for (unsigned n = below(3); n; n--)
        code_put(C_NOP);
    uint64_t at = offset + 2 * (uint64_t)(code_here() - arena_pointer(offset));
    code_put(old.insn);
    end(user);
    fence_i();
    context.gpr[half] = new.insn >> 16;
    context.gpr[pointer] = arena_va(at + 2, user ? AT_USER_PAGES : (enum alias)below(3));
    run(user, offset, reg, fenced, old.value, new.value);
    fence_i();
    run(user, offset, reg, true, 0, new.value);
}

void patch_step(bool user)
{
    unsigned reg = value_register();
    csr_write(CSR_SSCRATCH, random_word());
    stval = random_word();
    if (chance(50))
        patched_by_program(user, reg);
    else
        patched_by_itself(user, reg);
}
