/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * FP and vector registers to and from memory. Caldarium is compiled without F, D and V and never
 * touches these registers otherwise, so a guest's stay where they are until another vCPU runs.
 * Encoded for the assembler by .option arch where it can; vector instructions as words, since
 * clang 14 has no .option arch.
 */
#include "riscv/csr.h"

    .text

/* fsd/fld f\n, 8*\n(a0), as words: base register a0, double width (opcode 0x27, 0x07, funct3 3). */
.macro each_fp operation
    .set    n, 0
    .rept   32
    .ifc    \operation, store
    /* fsd fn, 8n(a0): imm[11:5] | fn | a0=10 | 3 | imm[4:0] | 0x27 */
    .4byte  (((8 * n) >> 5) << 25) | (n << 20) | (10 << 15) | (3 << 12) | (((8 * n) & 31) << 7) | 0x27
    .else
    /* fld fn, 8n(a0): imm[11:0] | a0=10 | 3 | fn | 0x07 */
    .4byte  ((8 * n) << 20) | (10 << 15) | (3 << 12) | (n << 7) | 0x07
    .endif
    .set    n, n + 1
    .endr
.endm

/* void fp_save(uint64_t fp[32]); sstatus.FS is not Off. */
    .globl  fp_save
fp_save:
    each_fp store
    ret

/* void fp_restore(const uint64_t fp[32]); */
    .globl  fp_restore
fp_restore:
    each_fp load
    ret

/*
 * void vector_save(void *room); room for 32 * VLENB bytes. Whole-register moves of eight registers
 * at a time (vs8r.v, vl8re8.v) do not depend on vl and vtype. sstatus.VS is not Off.
 */
    .globl  vector_save
vector_save:
    csrr    t0, CSR_VLENB               /* bytes in one register */
    slli    t0, t0, 3                   /* ... in eight */
    .4byte  0xe2850027                  /* vs8r.v v0, (a0) */
    add     a0, a0, t0
    .4byte  0xe2850427                  /* vs8r.v v8, (a0) */
    add     a0, a0, t0
    .4byte  0xe2850827                  /* vs8r.v v16, (a0) */
    add     a0, a0, t0
    .4byte  0xe2850c27                  /* vs8r.v v24, (a0) */
    ret

/* void vector_restore(const void *room); */
    .globl  vector_restore
vector_restore:
    csrr    t0, CSR_VLENB
    slli    t0, t0, 3
    .4byte  0xe2850007                  /* vl8re8.v v0, (a0) */
    add     a0, a0, t0
    .4byte  0xe2850407                  /* vl8re8.v v8, (a0) */
    add     a0, a0, t0
    .4byte  0xe2850807                  /* vl8re8.v v16, (a0) */
    add     a0, a0, t0
    .4byte  0xe2850c07                  /* vl8re8.v v24, (a0) */
    ret

/* void vector_config(uint64_t vl, uint64_t vtype): vsetvl x0, a0, a1. vl only ever came from a
 * vsetvl with this vtype, so asking for it again gives it back. */
    .globl  vector_config
vector_config:
    .4byte  0x80b57057                  /* vsetvl x0, a0, a1 */
    ret
