/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/engine/common/units.h"

#include "riscv/asm.h"

/*
 * "If S-mode is implemented but the F extension is not, FS may optionally be read-only zero", and
 * VS likewise (privileged manual, "Extension Context Status in mstatus Register"): that they can be
 * written tells nothing. So the tree has to name the extension; then the field has to take a value,
 * for M-mode may keep the unit off; and then the unit's own register has to answer.
 */
void engine_units_probe(const struct riscv_isa *isa, struct engine_units *units)
{
    bool ok;
    *units = (struct engine_units){0};
    csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL);
    uint64_t status = csr_read(CSR_SSTATUS);
    if (isa_can_switch_fp(isa) && status & SSTATUS_FS) {
        csr_try_read(CSR_FCSR, ok);
        units->fp = ok;
    }
    if (isa_can_switch_vector(isa) && status & SSTATUS_VS) {
        uint64_t vlenb = csr_try_read(CSR_VLENB, ok);
        units->vector = ok && vlenb;
        units->vlenb = units->vector ? vlenb : 0;
    }
    csr_clear(CSR_SSTATUS, SSTATUS_FS | SSTATUS_VS);
}
