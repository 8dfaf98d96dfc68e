/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first instructions of the boot hart and of every other hart. Firmware enters in S-mode with
 * a0 = hart id, paging off, at any 2 MiB-aligned address; a1 = the board's tree (boot hart) or the
 * physical address of this hart's struct hart_boot (the others, through SBI HSM).
 */
#include "host/bare/layout.h"
#include "riscv/csr.h"

    .section .head, "a"
    .option norelax
    .globl  _start
_start:
    /* The header of a RISC-V Linux Image (Linux, Documentation/arch/riscv/boot-image-header.rst). */
    c.li    s4, -13                     /* code0: the bytes "MZ"; s4 is nobody's */
    .option norvc
    j       boot
    .option rvc
    .balign 8
    .dword  0x200000                    /* text_offset: 2 MiB above the start of RAM */
    .dword  image_bytes                 /* image_size, with bss */
    .dword  0                           /* flags: little-endian */
    .word   2                           /* version 0.2 */
    .word   0
    .dword  0
    .ascii  "RISCV\0\0\0"               /* magic */
    .ascii  "RSC\x05"                   /* magic2 */
    .word   pe_header - _start

    /*
     * The same as an EFI application: PE32+ (Microsoft, PE Format), loaded as it lies in the file. The
     * header has a page of its own, since sections begin at one (UEFI 2.10, 2.1.1).
     */
    .balign 8
pe_header:
    .ascii  "PE\0\0"
    .short  0x5064                      /* machine: RISC-V, 64 bits */
    .short  (pe_sections_end - pe_sections) / 40
    .word   0, 0, 0                     /* time stamp; no symbols */
    .short  pe_sections - pe_optional
    .short  0x206                       /* executable; no line numbers, no debugging */
pe_optional:
    .short  0x20b                       /* PE32+ */
    .byte   0, 0                        /* linker version */
    .word   text_end - text_start
    .word   data_end - text_end         /* initialised */
    .word   image_end - data_end        /* not initialised */
    .word   efi_start - _start          /* entry */
    .word   text_start - _start
    .dword  0                           /* image base: any */
    .word   4096, 512                   /* alignment in memory and in the file */
    .short  0, 0                        /* version of the system */
    .short  1, 0                        /* of the image: GRUB gives the initrd by LoadFile2 from 1 on */
    .short  0, 0                        /* of the subsystem */
    .word   0
    .word   image_end - _start
    .word   text_start - _start         /* bytes of headers */
    .word   0                           /* checksum */
    .short  10                          /* an EFI application */
    .short  0x100                       /* its data need not be executable */
    .dword  0, 0, 0, 0                  /* stack and heap: EFI's */
    .word   0
    .word   6                           /* data directories, all empty: nothing to relocate */
    .dword  0, 0, 0, 0, 0, 0
pe_sections:
    .ascii  ".text\0\0\0"
    .word   text_end - text_start, text_start - _start
    .word   text_end - text_start, text_start - _start
    .word   0, 0, 0
    .word   0x60000020                  /* code; read, execute */
    .ascii  ".rodata\0"
    .word   rodata_end - text_end, text_end - _start
    .word   rodata_end - text_end, text_end - _start
    .word   0, 0, 0
    .word   0x40000040                  /* data; read */
    .ascii  ".data\0\0\0"
    .word   image_end - rodata_end, rodata_end - _start
    .word   data_file_end - rodata_end, rodata_end - _start
    .word   0, 0, 0
    .word   0xc0000040                  /* data; read, write */
pe_sections_end:

    .section .text.boot, "ax"
    .option relax
    .globl  boot
boot:
    csrw    CSR_SIE, zero               /* nothing interrupts us from here on */
    csrc    CSR_SSTATUS, SSTATUS_SIE
    mv      tp, zero                    /* none of the harts yet: hart_this() */
    mv      s0, a0                      /* hart id */
    mv      s1, a1                      /* the tree, physical */
    lla     t0, data_end                /* clear bss; addresses are physical still */
    lla     t1, image_end
1:  sd      zero, 0(t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    lla     sp, boot_stack_top
    lla     a0, image_start             /* where we were loaded */
    mv      a1, s1                      /* and the tree */
    call    early_tables                /* returns the satp value, and the image's virtual address */
    lla     t1, image_start
    sub     t0, a1, t1                  /* how far the virtual image is from the physical one */
    lla     t2, boot_virtual
    add     t2, t2, t0
    add     sp, sp, t0
    csrw    CSR_STVEC, t2               /* the fetch after the next line faults, and lands there */
    sfence.vma
    csrw    CSR_SATP, a0
    .balign 4
boot_virtual:
    lla     t0, host_trap
    csrw    CSR_STVEC, t0
    sfence.vma
    mv      a0, s0
    mv      a1, s1
    lla     a2, image_start             /* now virtual; main asks paging.c for the physical one */
    tail    boot_main

/* Another hart: a1 = physical address of its struct hart_boot {satp, entry, stack, hart}. */
    .globl  hart_start
    .balign 4
hart_start:
    fence.i                             /* this hart may know older contents of these addresses */
    csrw    CSR_SIE, zero
    csrc    CSR_SSTATUS, SSTATUS_SIE
    ld      t0, 0(a1)                   /* satp */
    ld      t1, 8(a1)                   /* virtual address of hart_virtual */
    ld      sp, 16(a1)                  /* top of its stack, virtual */
    ld      tp, 24(a1)                  /* its struct hart, virtual */
    csrw    CSR_STVEC, t1               /* same trick as above */
    sfence.vma
    csrw    CSR_SATP, t0
    j       hart_lost                   /* nothing happened: a hart without the boot hart's mode */
    .balign 4
    .globl  hart_virtual
hart_virtual:
    lla     t0, host_trap
    csrw    CSR_STVEC, t0
    sfence.vma
    mv      a0, tp
    tail    hart_main

/* Where a hart ends that comes after it was given up: no stack is its own. */
    .balign 4
    .globl  hart_lost
hart_lost:
    wfi
    j       hart_lost

/* A trap in Caldarium itself, outside hot handlers. The stack may be what is wrong: take another. */
    .balign 4
    .globl  host_trap
host_trap:
    lla     sp, panic_stack_top
    call    host_trap_report

/* void hart_switch_stack(void *top, struct hart *hart, void (*go)(struct hart *)): never returns. */
    .globl  hart_switch_stack
hart_switch_stack:
    mv      sp, a0
    mv      tp, a1
    mv      a0, a1
    jr      a2

/*
 * void image_move(void *to, const void *from, uint64_t bytes, uint64_t satp): uses no stack, since
 * that is copied with the image, and what was stored after its copy would be lost.
 */
    .globl  image_move
image_move:
    add     a2, a2, a1
1:  ld      t0, 0(a1)
    sd      t0, 0(a0)
    addi    a0, a0, 8
    addi    a1, a1, 8
    bltu    a1, a2, 1b
    fence   rw, rw                      /* the copy is there before the tables lead to it */
    fence.i                             /* for fetches too, of which the next one is from the copy */
    csrw    CSR_SATP, a3                /* whose code is the same */
    sfence.vma
    ret

    .bss
    .balign 4096
boot_stack:
    .space  16384
boot_stack_top:
panic_stack:
    .space  8192
panic_stack_top:
