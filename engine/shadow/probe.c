/* SPDX-License-Identifier: BSD-2-Clause */
/* What this machine's harts offer a guest that runs without the H extension. */
#include "engine/shadow/shadow.h"
#include "riscv/asm.h"

struct s_features s_features;

#define ENVCFG_GUEST (1UL | ENVCFG_CBIE_INVAL | ENVCFG_CBCFE | ENVCFG_CBZE) /* bit 0: FIOM */
#define ASID_MASK 0xffffUL

/* As many as a vCPU has roots, and Caldarium's own. */
static bool enough_asids(void)
{
    uint64_t satp = csr_read(CSR_SATP);
    csr_write(CSR_SATP, satp | ASID_MASK << 44);
    uint64_t stuck = csr_read(CSR_SATP) >> 44 & ASID_MASK;
    csr_write(CSR_SATP, satp);
    sfence_vma_all();
    return stuck >= S_SPACES * S_VIEWS;
}

bool s_probe(unsigned harts)
{
    bool ok;
    csr_try_read(CSR_HSTATUS, ok);
    s_features.h = ok;
    csr_try_read(CSR_SENVCFG, ok);
    s_features.senvcfg = ok;
    if (ok) {
        csr_write(CSR_SENVCFG, ENVCFG_GUEST);
        s_features.envcfg = csr_read(CSR_SENVCFG) & ENVCFG_GUEST;
        csr_write(CSR_SENVCFG, 0);
    }
    s_features.asids = enough_asids();
    csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL);
    s_features.fp = csr_read(CSR_SSTATUS) & SSTATUS_FS;
    s_features.vector = csr_read(CSR_SSTATUS) & SSTATUS_VS;
    if (s_features.vector)
        s_features.vlenb = csr_read(CSR_VLENB);
    csr_clear(CSR_SSTATUS, SSTATUS_FS | SSTATUS_VS);
    return s_hole_build(harts);
}
