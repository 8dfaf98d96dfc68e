/* SPDX-License-Identifier: BSD-2-Clause */
/* The hart's own counters, whatever the engine. */
#include "engine/engine.h"
#include "riscv/asm.h"

unsigned engine_kick_identity;

uint64_t engine_counter(unsigned which)
{
    return which == 0 ? csr_read(CSR_CYCLE) : csr_read(CSR_INSTRET);
}
