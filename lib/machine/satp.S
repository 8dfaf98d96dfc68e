/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A write of an unsupported mode to satp has no effect at all (privileged manual, "satp"). Not
 * everything that executes RISC-V keeps to that: some take it for Bare, and then the next instruction
 * is fetched from the physical address that is this code's virtual one, where there is nothing. That
 * trap is caught where this code is physically.
 */
#include "riscv/csr.h"

    .text
    .globl  satp_try
    .balign 4
satp_try:
    csrr    t0, CSR_SATP                /* the one to come back to */
    csrr    t1, CSR_STVEC
    lla     t2, became_bare
    sub     t2, t2, a1                  /* its physical address */
    lla     t3, back                    /* a virtual one */
    csrw    CSR_STVEC, t2
    csrw    CSR_SATP, a0
    csrr    a0, CSR_SATP                /* refused or taken: the code is still here */
    csrw    CSR_SATP, t0
    j       back

    .balign 4
became_bare:
    csrr    a0, CSR_SATP
    csrw    CSR_STVEC, t3
    csrw    CSR_SATP, t0                /* the next fetch faults, and leads to `back` */
    .balign 4
back:
    csrw    CSR_STVEC, t1
    sfence.vma                          /* nothing is remembered of the tables that were tried */
    ret
