/* SPDX-License-Identifier: BSD-2-Clause */
/* The kick of one hart by another, as it arrives. */
#ifndef LIB_ENGINE_COMMON_KICK_H
#define LIB_ENGINE_COMMON_KICK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/engine/engine.h"
#include "lib/machine/machine.h"
#include "riscv/asm.h"

/* Takes this hart's interrupt away if it is a kick: the firmware's software interrupt, or a message
 * to its IMSIC. Others leave the file alone, so what reads as the top is what is claimed. Where
 * kicks are not the library's to take, neither matches, and the run ends. */
static inline bool engine_kick_taken(const struct engine_vcpu *v, uint64_t number)
{
    if (number == v->kick_irq) {
        csr_clear(CSR_SIP, IRQ_BIT(IRQ_S_SOFT));
        return true;
    }
    /* What follows is not loaded before: a kick is the most frequent interrupt. */
    __asm__ volatile("" ::: "memory");
    uint32_t identity = v->vm->machine->told.kick_identity;
    if (number != IRQ_S_EXT || !identity || csr_read(CSR_STOPEI) >> 16 != identity)
        return false;
    csr_write(CSR_STOPEI, 0);
    return true;
}

#endif
