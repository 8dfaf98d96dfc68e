/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's interrupt file in memory: what a vCPU has while no guest interrupt file of a hart is
 * its own, and where its messages are left for it at any time. Source: RISC-V AIA specification
 * 1.0, chapter 3.
 *
 * Pending and enable bits lie as an IOMMU's memory-resident interrupt file has them (RISC-V IOMMU
 * specification 1.0, "MSI page table entry, MRIF mode"), so that an IOMMU may set pending bits too.
 * Anybody sets a pending bit; all else is the vCPU's own hart's. All state is atomic words, there
 * is no lock.
 */
#ifndef LIB_IRQ_IMSIC_H
#define LIB_IRQ_IMSIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "riscv/decode.h"

#define IMSIC_MAX_IDS 255 /* identities 1..255 at most */
#define IMSIC_WORDS ((IMSIC_MAX_IDS + 1) / 64)
#define IMSIC_MRIF_WORDS 32

struct imsic {
    struct {
        _Atomic uint64_t pending, enable;
    } word[IMSIC_MRIF_WORDS] __attribute__((aligned(512)));
    uint32_t delivery, threshold;
    unsigned ids;           /* identities 1..ids exist */
    unsigned file;          /* the number of the hart's file that the loaded vCPU has; 0: none */
    uint64_t files_had;     /* how often it got one */
    _Atomic uint64_t moved; /* messages that came into one as it was leaving, and were moved on */
};

/* The state after reset. `ids`: 63, 127, 191 or 255. */
void imsic_init(struct imsic *file, unsigned ids);

/* A message came. Identities that do not exist are ignored, and those that pend already; true:
 * somebody has to look. */
bool imsic_post(struct imsic *file, uint32_t id);

/* The lowest identity that is pending, enabled and below the threshold; 0: none. */
unsigned imsic_top(const struct imsic *file);

/* The external interrupt that the file shows its hart. */
static inline bool imsic_line(const struct imsic *file)
{
    return file->delivery == 1 && imsic_top(file);
}

/*
 * A CSR instruction of the guest's S-mode on stopei, or on sireg while siselect holds `select`.
 * `value`: rs1's, or the immediate. False: there is no such register, an illegal instruction.
 */
bool imsic_csr(struct imsic *file, const struct riscv_csr_op *op, uint64_t select, uint64_t value,
               uint64_t *before);

/* A store to the file's page. False: no access of that width. */
bool imsic_store(struct imsic *file, uint32_t offset, unsigned width, uint64_t value, bool *posted);

/* Its state by number, as siselect names the registers (CALD_IMSIC); the file is in memory. */
int imsic_get(const struct imsic *file, uint32_t select, uint64_t *value);
int imsic_set(struct imsic *file, uint32_t select, uint64_t value);

#endif
