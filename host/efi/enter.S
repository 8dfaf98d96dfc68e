/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void efi_enter(hart, tree, entry): boot services have ended. EFI's address space is an identity
 * map (RISC-V UEFI Protocol Specification 1.0; UEFI 2.10, 2.3.7), so the instruction after paging
 * goes off is at the same address.
 */
#include "riscv/csr.h"

    .section .text.efi_enter, "ax"
    .globl  efi_enter
efi_enter:
    csrw    CSR_SIE, zero               /* EFI's timer */
    csrc    CSR_SSTATUS, SSTATUS_SIE
    fence   rw, rw
    fence.i                             /* the copy of the image was written just now */
    csrw    CSR_SATP, zero
    sfence.vma
    jr      a2
