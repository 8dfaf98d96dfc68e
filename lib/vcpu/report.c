/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The report of a vCPU. The call chain is followed by frame pointers, as the calling convention
 * lays frames out where they are kept (RISC-V ELF psABI, "Frame Pointer Convention"): the return
 * address lies below the address in s0, the caller's s0 below that. Code that keeps none shows pc
 * and ra.
 */
#include "caldarium/caldarium.h"
#include "riscv/lock.h"
#include "lib/common/line.h"
#include "lib/machine/machine.h"
#include "lib/vm/vm.h"
#include "host/host.h"
#include "riscv/cause.h"
#include "riscv/walk.h"

#define FRAMES 16

static bool read_pte(void *owner, uint64_t pa, uint64_t *pte)
{
    return vm_read(owner, pa, pte, sizeof(*pte));
}

/* 8 bytes of the guest's own address space; they are aligned, so they don't cross a page. */
static bool read_virtual(struct cald_vm *vm, uint64_t satp, uint64_t gva, uint64_t *value)
{
    struct riscv_leaf leaf;
    return !(gva & 7) && riscv_walk(satp, gva, read_pte, vm, &leaf) &&
           vm_read(vm, leaf.pa, value, sizeof(*value));
}

static void print_registers(const struct cald_vcpu *vcpu)
{
    static const char *const names[32] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                          "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                          "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                          "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
    const uint64_t *gpr = vcpu->eng.gpr;
    for (unsigned n = 1; n + 3 < 32; n += 4)
        line_print("    %-3s %016lx  %-3s %016lx  %-3s %016lx  %-3s %016lx", names[n], gpr[n],
                   names[n + 1], gpr[n + 1], names[n + 2], gpr[n + 2], names[n + 3], gpr[n + 3]);
    line_print("    %-3s %016lx  %-3s %016lx  %-3s %016lx", names[29], gpr[29], names[30], gpr[30],
               names[31], gpr[31]);
}

static void print_calls(struct cald_vcpu *vcpu, uint64_t satp)
{
    char text[FRAMES * 20 + 1];
    size_t used = 0;
    uint64_t frame = vcpu->eng.gpr[8], up, ra;
    for (unsigned n = 0; n < FRAMES; n++) {
        if (!read_virtual(vcpu->vm, satp, frame - 8, &ra) ||
            !read_virtual(vcpu->vm, satp, frame - 16, &up))
            break;
        used += line_format(text + used, sizeof(text) - used, " %#lx", ra);
        if (up <= frame)
            break; /* the stack grows down: callers lie above */
        frame = up;
    }
    if (used)
        line_print("    called from%s", text);
}

static const char *hsm_name(uint32_t state)
{
    switch (state) {
    case SBI_HSM_STARTED:
        return "started";
    case SBI_HSM_STOPPED:
        return "stopped";
    case SBI_HSM_SUSPENDED:
        return "suspended";
    default:
        return "starting";
    }
}

static void print_report(struct cald_vcpu *vcpu)
{
    struct engine_vcpu *v = &vcpu->eng;
    struct engine_state state;
    v->ops->state(v, &state);
    line_print("vm %s: vCPU %u, %s, %s mode, pc %#lx", vcpu->vm->name, vcpu->id,
               hsm_name(atomic_load(&vcpu->hsm)), engine_in_user(v) ? "user" : "supervisor", v->pc);
    print_registers(vcpu);
    line_print("    sstatus %016lx  satp %016lx  stvec %#lx  sscratch %#lx", state.sstatus,
               state.satp, state.stvec, state.sscratch);
    line_print("    sepc %#lx  scause %#lx (%s)  stval %#lx  sie %#lx  sip %#lx", state.sepc,
               state.scause, riscv_cause_name(state.scause), state.stval, state.sie, state.sip);
    print_calls(vcpu, state.satp);
    if (v->pc == state.sepc && v->pc == (state.stvec & ~3UL))
        line_print(
            "    it traps at the first instruction of its own trap handler, again and again");
}

void cald_vcpu_report(struct cald_vcpu *vcpu)
{
    lock_take(&vcpu->vm->eng.machine->printing);
    print_report(vcpu);
    lock_release(&vcpu->vm->eng.machine->printing);
}
