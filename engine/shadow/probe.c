/* SPDX-License-Identifier: BSD-2-Clause */
/* What this machine's harts offer a guest that runs without the H extension. */
#include "engine/common/cbo.h"
#include "engine/common/satp.h"
#include "engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

struct s_features s_features;

#define ENVCFG_GUEST (ENVCFG_FIOM | ENVCFG_CBIE_INVAL | ENVCFG_CBCFE | ENVCFG_CBZE)
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

/*
 * 4 where satp takes Sv48, else 3. A mode that is taken is in force at once, so the root that is
 * tried leads to the present one for every address that Sv39 has: its entries 0 and 511 are the two
 * halves.
 */
static unsigned probe_levels(void)
{
    uint64_t before = csr_read(CSR_SATP);
    uint64_t *root = host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE);
    if (!root)
        return 3;
    root[0] = root[511] = (before & SATP_PPN_MASK) << PTE_PPN_SHIFT | PTE_V;
    uint64_t wanted = SATP_MODE_SV48 << SATP_MODE_SHIFT | host_pa(root) >> 12;
    uint64_t distance = (uint64_t)&s_features - host_image_pa(&s_features);
    bool taken = satp_try(wanted, distance) >> SATP_MODE_SHIFT == SATP_MODE_SV48;
    host_pages_free(root, HOST_PAGE_SIZE);
    return taken ? 4 : 3;
}

bool s_probe(unsigned harts, const struct riscv_isa *isa)
{
    bool ok;
    csr_try_read(CSR_HSTATUS, ok);
    s_features.h = ok;
    csr_try_read(CSR_SENVCFG, ok);
    s_features.senvcfg = ok;
    if (ok) {
        csr_write(CSR_SENVCFG, ENVCFG_GUEST);
        s_features.envcfg = cbo_working(csr_read(CSR_SENVCFG) & ENVCFG_GUEST);
        csr_write(CSR_SENVCFG, 0);
    }
    s_features.levels = probe_levels();
    s_features.asids = enough_asids();
    engine_units_probe(isa, &s_features.units);
    return s_hole_build(harts);
}
