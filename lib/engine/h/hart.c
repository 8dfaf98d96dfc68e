/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The CSRs of the H extension on a hart, from cald_hart_begin() to cald_hart_end(). The host may
 * have its own there (Linux has its KVM's), so what is found is kept and put back. htval, htinst
 * and htimedelta's like that any trap or load() writes are kept where nothing else would bring them
 * back.
 */
#include "lib/engine/h/h.h"
#include "riscv/asm.h"

/* The guest handles all of its own exceptions but those that only exist because it is a guest. */
/* ebreak is ours so that a guest that has nothing but ebreaks ahead is found out. */
#define DELEGATED_EXCEPTIONS                                                                       \
    (1UL << CAUSE_INSN_MISALIGNED | 1UL << CAUSE_INSN_ACCESS | 1UL << CAUSE_ILLEGAL |              \
     1UL << CAUSE_LOAD_MISALIGNED | 1UL << CAUSE_LOAD_ACCESS | 1UL << CAUSE_STORE_MISALIGNED |     \
     1UL << CAUSE_STORE_ACCESS | 1UL << CAUSE_USER_ECALL | 1UL << CAUSE_INSN_PAGE |                \
     1UL << CAUSE_LOAD_PAGE | 1UL << CAUSE_STORE_PAGE)

#define ALWAYS 0

/* Each with what the machine must have for it. They are put back in this order: hideleg comes
 * before what it opens (hie, hvip), henvcfg after vstimecmp. */
#define EACH_CSR(DO)                                                                               \
    DO(CSR_HEDELEG, ALWAYS)                                                                        \
    DO(CSR_HIDELEG, ALWAYS)                                                                        \
    DO(CSR_HIE, ALWAYS)                                                                            \
    DO(CSR_VSIE, ALWAYS)                                                                           \
    DO(CSR_HVIP, ALWAYS)                                                                           \
    DO(CSR_HCOUNTEREN, ALWAYS)                                                                     \
    DO(CSR_HTIMEDELTA, ALWAYS)                                                                     \
    DO(CSR_HSTATUS, ALWAYS)                                                                        \
    DO(CSR_HGATP, ALWAYS)                                                                          \
    DO(CSR_VSSTATUS, ALWAYS)                                                                       \
    DO(CSR_VSTVEC, ALWAYS)                                                                         \
    DO(CSR_VSSCRATCH, ALWAYS)                                                                      \
    DO(CSR_VSEPC, ALWAYS)                                                                          \
    DO(CSR_VSCAUSE, ALWAYS)                                                                        \
    DO(CSR_VSTVAL, ALWAYS)                                                                         \
    DO(CSR_VSATP, ALWAYS)                                                                          \
    DO(CSR_HGEIE, CALD_MACHINE_AIA)                                                                \
    DO(CSR_HVICTL, CALD_MACHINE_AIA)                                                               \
    DO(CSR_VSISELECT, CALD_MACHINE_AIA)                                                            \
    DO(CSR_HSTATEEN0, CALD_MACHINE_HSTATEEN)                                                       \
    DO(CSR_VSTIMECMP, CALD_MACHINE_SSTC)                                                           \
    DO(CSR_HENVCFG, ENVCFG)

/* No flag of the host's: henvcfg exists where it has bits. */
#define ENVCFG (1U << 31)

static uint32_t present(const struct cald_machine *machine)
{
    return (machine->told.flags & ~ENVCFG) | (machine->told.henvcfg ? ENVCFG : 0);
}

static bool is_there(uint32_t has, uint32_t needs)
{
    return (has & needs) == needs;
}

/* As no guest's are: none of its interrupts shows, nothing of its is translated. */
static void set_up(const struct cald_machine *machine)
{
    csr_write(CSR_HEDELEG, DELEGATED_EXCEPTIONS);
    csr_write(CSR_HIDELEG, H_INTERRUPTS);
    csr_write(CSR_HVIP, 0);
    csr_write(CSR_HIE, 0);
    csr_write(CSR_HGATP, 0);
    csr_write(CSR_VSATP, 0);
    csr_write(CSR_HCOUNTEREN, 0);
    if (machine->told.henvcfg)
        csr_write(CSR_HENVCFG, 0);
    if (machine_has(machine, CALD_MACHINE_AIA)) {
        csr_write(CSR_HGEIE, 0);
        csr_write(CSR_HVICTL, h_hvictl(false));
    }
    if (machine_has(machine, CALD_MACHINE_SSTC)) {
        csr_write(CSR_HENVCFG, ENVCFG_STCE);
        csr_write(CSR_VSTIMECMP, UINT64_MAX);
    }
    hfence_gvma_all();
    hfence_vvma_all();
}

void h_hart_begin(struct cald_machine *machine, unsigned hart)
{
    uint64_t *found = machine->hart[hart].h.found;
    uint32_t has = present(machine);
#define KEEP(csr, needs)                                                                           \
    if (is_there(has, needs))                                                                      \
        *found = csr_read(csr);                                                                    \
    found++;
    EACH_CSR(KEEP)
#define COUNT(csr, needs) +1 /* NOLINT(bugprone-macro-parentheses): a sum of ones */
    _Static_assert(H_FOUND >= 0 EACH_CSR(COUNT), "room for each");
    machine->hart[hart].h.generation = 0;
    set_up(machine);
}

void h_hart_end(struct cald_machine *machine, unsigned hart)
{
    const uint64_t *found = machine->hart[hart].h.found;
    uint32_t has = present(machine);
#define PUT_BACK(csr, needs)                                                                       \
    if (is_there(has, needs))                                                                      \
        csr_write(csr, *found);                                                                    \
    found++;
    EACH_CSR(PUT_BACK)
    /* VMIDs may have been used that are the host's too. */
    hfence_gvma_all();
    hfence_vvma_all();
}
