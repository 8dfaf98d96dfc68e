/* SPDX-License-Identifier: BSD-2-Clause */
/* A trap of the hypervisor's own while it answers a hot exit: a bug, or a machine error. Both
 * engines' entry.S call it. */
#include "lib/common/line.h"
#include "lib/engine/engine.h"
#include "riscv/asm.h"

void engine_trap_inside(void)
{
    line_panic("trap inside the hypervisor: scause %#lx sepc %#lx stval %#lx", csr_read(CSR_SCAUSE),
               csr_read(CSR_SEPC), csr_read(CSR_STVAL));
}
