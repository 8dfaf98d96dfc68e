/* SPDX-License-Identifier: BSD-2-Clause */
/* The hart's own counters, whatever the engine. */
#include "lib/engine/engine.h"
#include "riscv/asm.h"

unsigned engine_kick_identity;

static bool readable; /* written before other harts start */

void engine_counter_probe(void)
{
    bool cycle, instret;
    csr_try_read(CSR_CYCLE, cycle);
    csr_try_read(CSR_INSTRET, instret);
    readable = cycle && instret;
}

uint64_t engine_counter(unsigned which)
{
    if (!readable)
        return 0;
    return which == 0 ? csr_read(CSR_CYCLE) : csr_read(CSR_INSTRET);
}
