/* SPDX-License-Identifier: BSD-2-Clause */
/* What this machine's harts offer a guest that runs without the H extension. */
#include "lib/engine/common/cbo.h"
#include "lib/engine/common/satp.h"
#include "lib/engine/shadow/shadow.h"
#include "host/host.h"
#include "riscv/asm.h"

struct s_features s_features;

#define ENVCFG_GUEST (ENVCFG_FIOM | ENVCFG_CBIE_INVAL | ENVCFG_CBCFE | ENVCFG_CBZE)
#define ASID_MASK 0xffffUL
#define COUNTERS 32u /* cycle, time, instret, hpmcounter3 to 31 */

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
    csr_write(CSR_SCOUNTEREN, UINT32_MAX);
    s_features.scounteren = (uint32_t)csr_read(CSR_SCOUNTEREN);
    csr_write(CSR_SCOUNTEREN, 0);
    for (unsigned n = 0; n < COUNTERS; n++)
        s_features.counters |= (uint32_t)counter_readable(n) << n;
    s_features.levels = probe_levels();
    s_features.asids = enough_asids();
    engine_units_probe(isa, &s_features.units);
    engine_counter_probe();
    return s_trampoline_build(harts);
}
