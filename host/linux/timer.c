/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A guest's time and timer, as registers of KVM's. A guest reads the hart's own `time`. Another
 * than that it can only be shown where its reads trap: scounteren closes them, but a firmware that
 * has to emulate `time` may answer a closed one all the same, before anybody else sees it. Then a
 * guest's time runs on while the VMM has it stopped, and after a restore it is the host's.
 */
#include <linux/kvm.h>

#include <asm/sbi.h>
#include <asm/timex.h>
#include <linux/delay.h>

#include "module.h"

#define OPENSBI 1
#define OPENSBI_CLOSES_TIME (1UL << 16 | 6) /* 1.6: a closed `time` is an illegal instruction */

static u64 firmware(unsigned long function)
{
    struct sbiret ret = sbi_ecall(SBI_EXT_BASE, function, 0, 0, 0, 0, 0, 0);
    return ret.error ? 0 : ret.value;
}

bool timer_traps(void)
{
    return firmware(SBI_EXT_BASE_GET_IMP_ID) == OPENSBI &&
           firmware(SBI_EXT_BASE_GET_IMP_VERSION) >= OPENSBI_CLOSES_TIME;
}

/* A guest bears that its time goes on, and not that it goes back. */
static int set_time(struct guest_vcpu *v, u64 *value)
{
    if (told.flags & CALD_MACHINE_TIME_TRAPS)
        return regs_item(v, CALD_VM | CALD_VM_TIME, value, true);
    u64 now = get_cycles64();
    if (*value <= now)
        return 0;
    pr_info_ratelimited("caldarium: vm %s: vCPU %u: its time can't be %#llx: it would go back, and "
                        "this firmware answers reads of it; 0 to %#llx is expected\n",
                        v->guest->name, v->id, *value, now);
    return -EINVAL;
}

/* The timer's state follows from what is compared with: all ones is never. */
int timer_reg(struct guest_vcpu *v, u64 n, u64 *value, bool set)
{
    u64 compare = ULLONG_MAX;
    int error;
    switch (n) {
    case KVM_REG_RISCV_TIMER_REG(frequency):
        if (set)
            return *value == riscv_timebase ? 0 : -EINVAL;
        *value = riscv_timebase;
        return 0;
    case KVM_REG_RISCV_TIMER_REG(time):
        return set ? set_time(v, value) : regs_item(v, CALD_VM | CALD_VM_TIME, value, false);
    case KVM_REG_RISCV_TIMER_REG(compare):
        return regs_item(v, CALD_TIMER, value, set);
    case KVM_REG_RISCV_TIMER_REG(state):
        if (set)
            return *value == KVM_RISCV_TIMER_STATE_OFF ? regs_item(v, CALD_TIMER, &compare, true)
                                                       : 0;
        error = regs_item(v, CALD_TIMER, &compare, false);
        *value = compare == ULLONG_MAX ? KVM_RISCV_TIMER_STATE_OFF : KVM_RISCV_TIMER_STATE_ON;
        return error;
    }
    return -ENOENT;
}
