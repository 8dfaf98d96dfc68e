/* SPDX-License-Identifier: BSD-2-Clause */
/* The hart's own counters, whatever the engine. */
#include "lib/machine/machine.h"
#include "lib/engine/engine.h"
#include "riscv/asm.h"

uint64_t engine_counter(const struct engine_vcpu *v, unsigned which)
{
    if (!machine_has(v->vm->machine, CALD_MACHINE_COUNTERS))
        return 0;
    return which == 0 ? csr_read(CSR_CYCLE) : csr_read(CSR_INSTRET);
}
