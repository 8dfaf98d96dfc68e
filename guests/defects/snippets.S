/* SPDX-License-Identifier: BSD-2-Clause */
/* What is tried. Each comes to an ebreak if nothing stops it before. a0 and a1 are looked at. */
    .option norvc
    .macro  snippet name
    .balign 4
    .globl  \name
\name:
    .endm
    .macro  end name
    .globl  \name
\name:
    ebreak
    .endm

    .text
    .balign 4096
    .globl  snippets_begin, snippets_end
snippets_begin:
snippet s_satp
    csrw    satp, zero
    ebreak
snippet s_sret
    sret
    ebreak
snippet s_sfence
    sfence.vma
    ebreak
snippet s_sstatus
    csrr    a0, sstatus
    ebreak
snippet s_ecall
    ecall
    ebreak
snippet s_x0                            /* a0 = what x0 is worth after a CSR was read into it */
    csrrs   x0, stval, x0
    add     a0, x0, x0
    csrrw   x0, stval, a1
    add     a0, a0, x0
    ebreak
snippet s_ebreak
    ebreak
snippet s_loop
    j       s_loop
snippet s_jump
    jr      a1
    ebreak
snippet s_undecodable
    .word   0xffffffff
    ebreak
snippet s_undecodable_short
    .hword  0, 0
    ebreak
snippet s_hstatus
    csrr    a0, 0x600
    ebreak
snippet s_htimedelta
    csrr    a0, 0x605
    ebreak
snippet s_hfence
    .insn r 0x73, 0, 0x31, x0, x0, x0   /* hfence.gvma */
    ebreak
snippet s_hlv
    .insn r 0x73, 4, 0x34, a0, a1, x0   /* hlv.w a0, (a1) */
    ebreak
snippet s_mstatus
    csrr    a0, 0x300
    ebreak
snippet s_mret
    .word   0x30200073
    ebreak
snippet s_ld
    ld      a0, 0(a1)
    ebreak
snippet s_sd
    sd      a2, 0(a1)
    ebreak
    .option rvc
snippet s_clw
    c.lw    a0, 0(a1)
end s_clw_end
snippet s_csw
    c.sw    a2, 0(a1)
end s_csw_end
snippet s_cld
    c.ld    a0, 0(a1)
end s_cld_end
snippet s_csd
    c.sd    a2, 0(a1)
end s_csd_end
snippets_end:
    .balign 4096
