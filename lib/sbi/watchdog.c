/* SPDX-License-Identifier: BSD-2-Clause */
/* Caldarium's own SBI extension, in the space that the SBI keeps for a firmware of our
 * implementation id (2.0, chapter 3): the watchdog. */
#include "lib/sbi/sbi.h"
#include "appliance/watchdog.h"

enum { WATCHDOG_KICK, WATCHDOG_TIMEOUT };

static struct sbi_ret handle(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                             const uint64_t args[6])
{
    (void)extension, (void)args;
    uint64_t timeout = vcpu->vm->config->watchdog_ms;
    switch (function) {
    case WATCHDOG_KICK:
        if (!timeout)
            return (struct sbi_ret){SBI_ERR_DENIED, 0};
        watchdog_kick(vcpu->vm);
        return (struct sbi_ret){SBI_SUCCESS, 0};
    case WATCHDOG_TIMEOUT:
        return (struct sbi_ret){SBI_SUCCESS, timeout};
    default:
        return (struct sbi_ret){SBI_ERR_NOT_SUPPORTED, 0};
    }
}

const struct sbi_extension sbi_watchdog = {SBI_EXT_CALDARIUM, SBI_EXT_CALDARIUM, 2, handle};
