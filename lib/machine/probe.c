/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a hart offers, asked of the registers themselves: a device tree tells what the hart could
 * do, but firmware may have kept it closed (menvcfg, mstateen, mcounteren). Only for hosts that own
 * their harts; nothing else of the library refers to this file.
 */
#include "lib/engine/shadow/shadow.h"
#include "lib/machine/cbo.h"
#include "lib/machine/machine.h"
#include "lib/machine/satp.h"
#include "caldarium/host.h"
#include "riscv/asm.h"
#include "riscv/walk.h"

#define ENVCFG_GUEST (ENVCFG_FIOM | ENVCFG_CBIE_INVAL | ENVCFG_CBCFE | ENVCFG_CBZE)
#define ASID_MASK 0xffffUL
#define COUNTERS 32u /* cycle, time, instret, hpmcounter3 to 31 */
#define FOUND                                                                                      \
    (CALD_MACHINE_H | CALD_MACHINE_SHADOW | CALD_MACHINE_FP | CALD_MACHINE_COUNTERS |              \
     CALD_MACHINE_SSTC | CALD_MACHINE_HSTATEEN | CALD_MACHINE_AIA | CALD_MACHINE_SENVCFG |         \
     CALD_MACHINE_HSTATUS)

/* Sets bits in a WARL register, reports which stuck, and leaves the register as it was. */
#define stuck_bits(csr, bits)                                                                      \
    ({                                                                                             \
        uint64_t before_ = csr_read(csr);                                                          \
        csr_write(csr, bits);                                                                      \
        uint64_t stuck_ = csr_read(csr);                                                           \
        csr_write(csr, before_);                                                                   \
        stuck_;                                                                                    \
    })

/* The register exists. */
#define exists(csr)                                                                                \
    ({                                                                                             \
        bool there_;                                                                               \
        csr_try_read(csr, there_);                                                                 \
        there_;                                                                                    \
    })

/* While V=0, a write of an unsupported mode to vsatp or hgatp is not ignored, as it is for satp,
 * but leaves some legal mode there (privileged manual, "vsatp" and "hgatp"). Nobody uses either
 * now. */
static unsigned probe_vs_levels(void)
{
    for (unsigned levels = 5; levels > 3; levels--) {
        uint64_t mode = SATP_MODE_SV39 + levels - 3;
        if (stuck_bits(CSR_VSATP, mode << SATP_MODE_SHIFT) >> SATP_MODE_SHIFT == mode)
            return levels;
    }
    return 3;
}

static void probe_gstage(struct cald_machine_params *params)
{
    for (unsigned levels = 3; levels <= 5; levels++) {
        uint64_t mode = SATP_MODE_SV39 + levels - 3;
        uint64_t now =
            stuck_bits(CSR_HGATP, mode << SATP_MODE_SHIFT | HGATP_VMID_MASK << HGATP_VMID_SHIFT);
        if (now >> SATP_MODE_SHIFT != mode)
            continue;
        params->gstage_modes |= 1U << levels;
        uint64_t vmid = now >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;
        params->vmid_bits = (unsigned)__builtin_popcountll(vmid);
    }
}

static uint32_t flag_if(bool there, uint32_t flag)
{
    return there ? flag : 0;
}

static uint32_t probe_h(struct cald_machine_params *params)
{
    probe_gstage(params);
    if (!params->gstage_modes)
        return 0;
    if (exists(CSR_HENVCFG))
        params->henvcfg = cbo_working(
            stuck_bits(CSR_HENVCFG, ENVCFG_STCE | ENVCFG_PBMTE | ENVCFG_ADUE | ENVCFG_CBZE |
                                        ENVCFG_CBCFE | ENVCFG_CBIE_INVAL));
    params->vs_levels = probe_vs_levels();
    /* Without STCE here (firmware left menvcfg.STCE clear) vstimecmp traps. */
    bool sstc = exists(CSR_VSTIMECMP) && params->henvcfg & ENVCFG_STCE;
    return CALD_MACHINE_H | flag_if(sstc, CALD_MACHINE_SSTC) |
           flag_if(exists(CSR_HSTATEEN0), CALD_MACHINE_HSTATEEN) |
           flag_if(exists(CSR_HVICTL), CALD_MACHINE_AIA); /* vsiselect alone may be Sscsrind's */
}

/* All from 1 on, so that 0 stays the host's own. */
static unsigned probe_asids(void)
{
    uint64_t satp = csr_read(CSR_SATP);
    csr_write(CSR_SATP, satp | ASID_MASK << SATP_ASID_SHIFT);
    uint64_t stuck = csr_read(CSR_SATP) >> SATP_ASID_SHIFT & ASID_MASK;
    csr_write(CSR_SATP, satp);
    sfence_vma_all();
    return (unsigned)stuck;
}

/*
 * A mode that is taken is in force at once, so the root that is tried leads to the present one for
 * every address that Sv39 has: its entries 0 and 511 are the two halves. A hart that has a mode has
 * the smaller ones too (privileged manual, "satp").
 */
static unsigned probe_levels(void)
{
    uint64_t before = csr_read(CSR_SATP);
    int present = riscv_satp_levels(before);
    uint64_t *root = present == 3 ? host_pages_alloc(HOST_PAGE_SIZE, HOST_PAGE_SIZE) : NULL;
    if (!root)
        return present < 3 ? 3 : (unsigned)present;
    root[0] = root[511] = (before & SATP_PPN_MASK) << PTE_PPN_SHIFT | PTE_V;
    uint64_t wanted = SATP_MODE_SV48 << SATP_MODE_SHIFT | host_pa(root) >> 12;
    uint64_t distance = (uint64_t)&satp_try - host_image_pa((const void *)satp_try);
    bool taken = satp_try(wanted, distance) >> SATP_MODE_SHIFT == SATP_MODE_SV48;
    host_pages_free(root, HOST_PAGE_SIZE);
    return taken ? 4 : 3;
}

/*
 * Whether the hart has that counter and firmware lets us read it (mcounteren): each number has its
 * instruction in a table. The trap vector is as in csr_try_read().
 */
static bool counter_readable(uint64_t number)
{
    uint64_t vector, ok = 0;
    __asm__ volatile("lla %0, 3f\n csrrw %0, 0x105, %0\n"
                     "lla t0, 1f\n slli t1, %2, 3\n add t0, t0, t1\n jr t0\n"
                     ".balign 8\n1:\n"
                     ".irp number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, "
                     "18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31\n"
                     ".4byte 0xc00022f3 + (\\number << 20)\n" /* csrr t0, 0xc00 + number */
                     "j 2f\n .balign 8\n"
                     ".endr\n"
                     "2: li %1, 1\n"
                     ".balign 4\n3: csrw 0x105, %0"
                     : "=&r"(vector), "+r"(ok)
                     : "r"(number)
                     : "t0", "t1", "memory");
    return ok;
}

static void probe_shadow(struct cald_machine_params *params)
{
    if (params->senvcfg) {
        uint64_t before = csr_read(CSR_SENVCFG);
        csr_write(CSR_SENVCFG, params->senvcfg & ENVCFG_GUEST);
        params->user_senvcfg = cbo_working(csr_read(CSR_SENVCFG) & ENVCFG_GUEST);
        csr_write(CSR_SENVCFG, before);
    }
    params->scounteren = (uint32_t)stuck_bits(CSR_SCOUNTEREN, UINT32_MAX);
    params->satp_levels = probe_levels();
    params->asids = probe_asids();
    params->first_asid = 1;
}

/*
 * "If S-mode is implemented but the F extension is not, FS may optionally be read-only zero", and
 * VS likewise (privileged manual, "Extension Context Status in mstatus Register"): that they can be
 * written tells nothing. So the isa has to name the extension; then the field has to take a value,
 * for M-mode may keep the unit off; and then the unit's own register has to answer.
 */
static uint32_t probe_units(struct cald_machine_params *params)
{
    struct riscv_isa isa = {0};
    uint64_t before = csr_read(CSR_SSTATUS);
    bool fp = false;
    isa_parse_string(&isa, params->isa);
    csr_set(CSR_SSTATUS, SSTATUS_FS_INITIAL | SSTATUS_VS_INITIAL);
    uint64_t status = csr_read(CSR_SSTATUS);
    if (isa_can_switch_fp(&isa) && status & SSTATUS_FS)
        fp = exists(CSR_FCSR);
    if (isa_can_switch_vector(&isa) && status & SSTATUS_VS) {
        bool ok;
        uint64_t bytes = csr_try_read(CSR_VLENB, ok);
        params->vector_bytes = ok ? (uint32_t)bytes : 0;
    }
    csr_write(CSR_SSTATUS, before);
    return flag_if(fp, CALD_MACHINE_FP);
}

int cald_machine_probe(struct cald_machine_params *params)
{
    if (!params->isa)
        return CALD_EINVAL;
    struct cald_machine_params found = {.harts = params->harts,
                                        .flags = params->flags & ~FOUND,
                                        .timebase = params->timebase,
                                        .isa = params->isa,
                                        .kick_identity = params->kick_identity};
    uint64_t status = csr_read(CSR_SSTATUS); /* the traps of what is tried change SPP and SPIE */
    for (unsigned n = 0; n < COUNTERS; n++)
        found.counters |= (uint32_t)counter_readable(n) << n;
    found.flags |= flag_if((found.counters & 5) == 5, CALD_MACHINE_COUNTERS); /* cycle, instret */
    if (exists(CSR_SENVCFG)) {
        found.flags |= CALD_MACHINE_SENVCFG;
        found.senvcfg = stuck_bits(CSR_SENVCFG, UINT64_MAX);
    }
    if (exists(CSR_HSTATUS))
        found.flags |= CALD_MACHINE_HSTATUS | probe_h(&found);
    found.flags |= probe_units(&found);
    if (riscv_satp_levels(csr_read(CSR_SATP)) >= 3) {
        found.flags |= CALD_MACHINE_SHADOW;
        probe_shadow(&found);
    }
    csr_write(CSR_SSTATUS, status);
    *params = found;
    return CALD_OK;
}
