/* SPDX-License-Identifier: BSD-2-Clause */
/* What the H extension of this machine offers, asked of the registers themselves: a device tree
 * tells what the hart could do, but firmware may have kept it closed (menvcfg, mstateen). */
#include "lib/engine/common/cbo.h"
#include "lib/engine/h/h.h"
#include "riscv/asm.h"

struct h_features h_features;

/* Sets bits in a WARL register, reports which stuck, and leaves the register zero. */
#define stuck_bits(csr, bits)                                                                      \
    ({                                                                                             \
        csr_write(csr, bits);                                                                      \
        uint64_t stuck_ = csr_read(csr);                                                           \
        csr_write(csr, 0);                                                                         \
        stuck_;                                                                                    \
    })

/* While V=0, a write of an unsupported mode to vsatp or hgatp is not ignored, as it is for satp,
 * but leaves some legal mode there (privileged manual, "vsatp" and "hgatp"). Nobody uses either
 * now. */
unsigned h_probe_satp_levels(void)
{
    for (unsigned levels = 5; levels > 3; levels--) {
        uint64_t mode = SATP_MODE_SV39 + levels - 3;
        csr_write(CSR_VSATP, mode << SATP_MODE_SHIFT);
        bool taken = csr_read(CSR_VSATP) >> SATP_MODE_SHIFT == mode;
        csr_write(CSR_VSATP, 0);
        if (taken)
            return levels;
    }
    return 3;
}

static void probe_gstage(void)
{
    h_features.gstage_modes = 0;
    for (unsigned levels = 3; levels <= 5; levels++) {
        uint64_t mode = SATP_MODE_SV39 + levels - 3;
        csr_write(CSR_HGATP, mode << SATP_MODE_SHIFT | HGATP_VMID_MASK << HGATP_VMID_SHIFT);
        uint64_t now = csr_read(CSR_HGATP);
        if (now >> SATP_MODE_SHIFT != mode)
            continue;
        h_features.gstage_modes |= 1U << levels;
        uint64_t vmid = now >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;
        h_features.vmid_bits = (unsigned)__builtin_popcountll(vmid);
    }
    csr_write(CSR_HGATP, 0);
}

bool h_probe(const struct riscv_isa *isa)
{
    bool ok;
    csr_try_read(CSR_HSTATUS, ok);
    if (!ok)
        return false;
    probe_gstage();
    if (!h_features.gstage_modes)
        return false;
    csr_try_read(CSR_HENVCFG, ok);
    if (ok)
        h_features.henvcfg =
            stuck_bits(CSR_HENVCFG, ENVCFG_STCE | ENVCFG_PBMTE | ENVCFG_ADUE | ENVCFG_CBZE |
                                        ENVCFG_CBCFE | ENVCFG_CBIE_INVAL);
    h_features.henvcfg = cbo_working(h_features.henvcfg);
    csr_try_read(CSR_SENVCFG, ok);
    if (ok)
        h_features.senvcfg = stuck_bits(CSR_SENVCFG, UINT64_MAX);
    /* Without STCE here (firmware left menvcfg.STCE clear) vstimecmp traps. */
    csr_try_read(CSR_VSTIMECMP, ok);
    h_features.sstc = ok && h_features.henvcfg & ENVCFG_STCE;
    csr_try_read(CSR_HSTATEEN0, ok);
    h_features.hstateen = ok;
    csr_try_read(CSR_HVICTL, ok); /* vsiselect alone may be Sscsrind's */
    h_features.aia = ok;

    engine_units_probe(isa, &h_features.units);
    engine_counter_probe();
    return true;
}
