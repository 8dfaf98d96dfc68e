/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/engine/common/unit_state.h"

#include "lib/engine/common/fp.h"
#include "host/host.h"
#include "riscv/asm.h"

void unit_state_load(struct engine_vcpu *v, const struct unit_state *units, bool fp, bool vector)
{
    uint64_t status = csr_read(CSR_SSTATUS);
    host_fp_begin((struct cald_vcpu *)v);
    if (fp) {
        csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL);
        fp_restore(units->fp);
        csr_write(CSR_FCSR, units->fcsr);
    }
    if (vector) {
        csr_set(CSR_SSTATUS, SSTATUS_VS_INITIAL);
        csr_write(CSR_VSTART, 0);
        vector_restore(units->vector);
        vector_config(units->vl, units->vtype);
        csr_write(CSR_VCSR, units->vcsr);
        csr_write(CSR_VSTART, units->vstart);
    }
    csr_write(CSR_SSTATUS, status);
}

void unit_state_put(struct engine_vcpu *v, struct unit_state *units, bool fp, bool vector)
{
    uint64_t status = csr_read(CSR_SSTATUS);
    if (fp) {
        csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL);
        fp_save(units->fp);
        units->fcsr = csr_read(CSR_FCSR);
    }
    if (vector) {
        csr_set(CSR_SSTATUS, SSTATUS_VS_INITIAL);
        units->vstart = csr_read(CSR_VSTART);
        units->vcsr = csr_read(CSR_VCSR);
        units->vl = csr_read(CSR_VL);
        units->vtype = csr_read(CSR_VTYPE);
        csr_write(CSR_VSTART, 0); /* or the whole-register store would begin there */
        vector_save(units->vector);
    }
    csr_write(CSR_SSTATUS, status);
    host_fp_end((struct cald_vcpu *)v);
}
