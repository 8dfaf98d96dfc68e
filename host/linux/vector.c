/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Vector registers: the thread's, while a vCPU that has some is on the hart, and the vCPU's by
 * KVM's numbers, as many bytes each as the harts' have.
 */
#include <linux/kvm.h>

#include <asm/vector.h>
#include <linux/sched/task_stack.h>
#include <linux/uaccess.h>

#include "module.h"

#define WORD sizeof(u64)
#define CSR_NUMBER_VSTART 0x008
#define CSR_NUMBER_VCSR 0x00f
#define CSR_NUMBER_VL 0xc20
#define CSR_NUMBER_VTYPE 0xc21

/* They are in its thread_struct from here on, and come back when it returns to user mode. Nothing
 * of Linux's uses the registers until the vCPU is put: interrupts don't, and softirqs wait
 * (run.c). */
#ifdef CONFIG_RISCV_ISA_V /* else Linux has no place for them, and knows of no such harts */
void vector_begin(void)
{
    struct pt_regs *regs = task_pt_regs(current);
    riscv_v_vstate_save(&current->thread.vstate, regs);
    riscv_v_vstate_set_restore(current, regs);
}
#else
void vector_begin(void)
{
}
#endif

bool vector_there(const struct guest *guest)
{
    return regs_guest_has(guest, KVM_RISCV_ISA_EXT_V);
}

static int csr_access(struct guest_vcpu *v, u64 n, u64 *value, bool set)
{
    switch (n) {
    case KVM_REG_RISCV_VECTOR_CSR_REG(vstart):
        return regs_item(v, CALD_CSR | CSR_NUMBER_VSTART, value, set);
    case KVM_REG_RISCV_VECTOR_CSR_REG(vl):
        return regs_item(v, CALD_CSR | CSR_NUMBER_VL, value, set);
    case KVM_REG_RISCV_VECTOR_CSR_REG(vtype):
        return regs_item(v, CALD_CSR | CSR_NUMBER_VTYPE, value, set);
    case KVM_REG_RISCV_VECTOR_CSR_REG(vcsr):
        return regs_item(v, CALD_CSR | CSR_NUMBER_VCSR, value, set);
    case KVM_REG_RISCV_VECTOR_CSR_REG(vlenb):
        if (set)
            return *value == told.vector_bytes ? 0 : -EINVAL;
        *value = told.vector_bytes;
        return 0;
    }
    return -ENOENT;
}

/* What is at [user] is one more word of register n. */
static int word_access(struct guest_vcpu *v, u64 n, u64 word, u64 __user *user, bool set)
{
    u64 value = 0;
    if (set && copy_from_user(&value, user, WORD))
        return -EFAULT;
    int error = regs_item(v, CALD_VECTOR | n << 10 | word, &value, set);
    if (!error && !set && copy_to_user(user, &value, WORD))
        error = -EFAULT;
    return error;
}

static int register_access(struct guest_vcpu *v, u64 n, u64 __user *user, bool set)
{
    int error = 0;
    for (u64 word = 0; !error && word < told.vector_bytes / WORD; word++)
        error = word_access(v, n, word, user + word, set);
    return error;
}

int vector_access(struct guest_vcpu *v, u64 id, void __user *user, bool set)
{
    u64 value = 0, n = id & ~(KVM_REG_ARCH_MASK | KVM_REG_SIZE_MASK | KVM_REG_RISCV_TYPE_MASK);
    bool whole = n >= KVM_REG_RISCV_VECTOR_REG(0);
    if (!vector_there(v->guest) || n > KVM_REG_RISCV_VECTOR_REG(31))
        return -ENOENT;
    if (KVM_REG_SIZE(id) != (whole ? told.vector_bytes : WORD))
        return -EINVAL;
    if (whole)
        return register_access(v, n - KVM_REG_RISCV_VECTOR_REG(0), user, set);
    if (set && copy_from_user(&value, user, WORD))
        return -EFAULT;
    int error = csr_access(v, n, &value, set);
    if (!error && !set && copy_to_user(user, &value, WORD))
        error = -EFAULT;
    return error;
}
