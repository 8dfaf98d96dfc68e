/* SPDX-License-Identifier: BSD-2-Clause */
/* The SBI's legacy calls (2.0, chapter 5): answers in a0 alone, hart masks by guest-virtual
 * pointer, no way to say what was wrong but a negative number. */
#include "caldarium/caldarium.h"
#include "lib/sbi/sbi.h"
#include "lib/vm/vm.h"
#include "host/host.h"

/* The mask at a guest-virtual address; a null pointer means all harts. */
static bool read_mask(struct cald_vcpu *vcpu, uint64_t pointer, uint64_t *set)
{
    uint64_t mask = 0;
    if (!pointer)
        return sbi_hart_mask(vcpu, 0, UINT64_MAX, set);
    for (unsigned n = 0; n < 8; n++) {
        uint8_t byte;
        if (!vcpu->eng.ops->peek(&vcpu->eng, pointer + n, &byte))
            return false;
        mask |= (uint64_t)byte << 8 * n;
    }
    return sbi_hart_mask(vcpu, mask, 0, set);
}

static int64_t remote(struct cald_vcpu *vcpu, uint64_t call, const uint64_t args[6])
{
    uint64_t set;
    if (!read_mask(vcpu, args[0], &set))
        return vcpu->eng.absent ? SBI_NO_ANSWER : SBI_ERR_FAILED;
    struct fence fence = {.kind = FENCE_I, .start = args[1], .size = args[2]};
    if (call == SBI_EXT_LEGACY_SEND_IPI)
        return sbi_ipi_set(vcpu, set).error;
    if (call == SBI_EXT_LEGACY_SFENCE_VMA)
        fence.kind = FENCE_VMA;
    if (call == SBI_EXT_LEGACY_SFENCE_VMA_ASID) {
        fence.kind = FENCE_VMA_ASID;
        fence.asid = args[3];
    }
    return sbi_fence_set(vcpu, set, &fence).error;
}

/* An IPI is pending also while it is still mail. 1: one was. */
static int64_t clear_ipi(struct cald_vcpu *vcpu)
{
    const struct engine_ops *ops = vcpu->eng.ops;
    struct engine_state state;
    ops->state(&vcpu->eng, &state);
    ops->irq(&vcpu->eng, GUEST_IRQ_SOFT, false);
    bool mail = atomic_fetch_and(&vcpu->mailbox, ~MAIL_SOFT) & MAIL_SOFT;
    return mail || state.sip >> GUEST_IRQ_SOFT & 1;
}

static struct sbi_ret legacy_handle(struct cald_vcpu *vcpu, uint64_t call, uint64_t function,
                                    const uint64_t args[6])
{
    (void)function; /* legacy calls have none */
    uint8_t in;
    int64_t answer = 0;
    switch (call) {
    case SBI_EXT_LEGACY_SET_TIMER:
        answer = sbi_timer_set(vcpu, args[0]).error;
        break;
    case SBI_EXT_LEGACY_PUTCHAR:
        if (vcpu->vm->has_console)
            answer = sbi_put_byte(vcpu, (char)args[0]);
        break;
    case SBI_EXT_LEGACY_GETCHAR:
        if (vcpu->vm->has_console && ns16550a_take(&vcpu->vm->uart, &in))
            answer = in;
        else
            answer = vcpu->vm->getchar_zero ? 0 : -1;
        break;
    case SBI_EXT_LEGACY_CLEAR_IPI:
        answer = clear_ipi(vcpu);
        break;
    case SBI_EXT_LEGACY_SHUTDOWN:
        vcpu->why = CALD_OFF;
        answer = SBI_NO_ANSWER;
        break;
    default:
        answer = remote(vcpu, call, args);
    }
    return (struct sbi_ret){answer, 0};
}

const struct sbi_extension sbi_legacy = {CALD_SBI_LEGACY, SBI_EXT_LEGACY_SET_TIMER,
                                         SBI_EXT_LEGACY_SHUTDOWN, UINT64_MAX, legacy_handle};
