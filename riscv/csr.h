/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CSR numbers and fields that Caldarium uses. Source: RISC-V privileged manual 20240411, AIA
 * specification 1.0. Numbers, not names, reach the assembler, since neither gcc 12 nor clang 14
 * knows them all.
 */
#ifndef RISCV_CSR_H
#define RISCV_CSR_H

/* Unprivileged. */
#define CSR_FCSR 0x003
#define CSR_VSTART 0x008
#define CSR_VCSR 0x00f
#define CSR_CYCLE 0xc00
#define CSR_TIME 0xc01
#define CSR_INSTRET 0xc02
#define CSR_HPMCOUNTER31 0xc1f
#define CSR_VL 0xc20
#define CSR_VTYPE 0xc21
#define CSR_VLENB 0xc22

/* Supervisor. */
#define CSR_SSTATUS 0x100
#define CSR_SIE 0x104
#define CSR_STVEC 0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SENVCFG 0x10a
#define CSR_SSCRATCH 0x140
#define CSR_SEPC 0x141
#define CSR_SCAUSE 0x142
#define CSR_STVAL 0x143
#define CSR_SIP 0x144
#define CSR_STIMECMP 0x14d
#define CSR_SISELECT 0x150
#define CSR_SIREG 0x151
#define CSR_STOPEI 0x15c
#define CSR_SATP 0x180
#define CSR_STOPI 0xdb0

/* Hypervisor. */
#define CSR_HSTATUS 0x600
#define CSR_HEDELEG 0x602
#define CSR_HIDELEG 0x603
#define CSR_HIE 0x604
#define CSR_HTIMEDELTA 0x605
#define CSR_HCOUNTEREN 0x606
#define CSR_HGEIE 0x607
#define CSR_HVICTL 0x609
#define CSR_HENVCFG 0x60a
#define CSR_HSTATEEN0 0x60c
#define CSR_HTVAL 0x643
#define CSR_HIP 0x644
#define CSR_HVIP 0x645
#define CSR_HTINST 0x64a
#define CSR_HGATP 0x680
#define CSR_HGEIP 0xe12

/* Virtual supervisor. */
#define CSR_VSSTATUS 0x200
#define CSR_VSIE 0x204
#define CSR_VSTVEC 0x205
#define CSR_VSSCRATCH 0x240
#define CSR_VSEPC 0x241
#define CSR_VSCAUSE 0x242
#define CSR_VSTVAL 0x243
#define CSR_VSIP 0x244
#define CSR_VSTIMECMP 0x24d
#define CSR_VSISELECT 0x250
#define CSR_VSIREG 0x251
#define CSR_VSTOPEI 0x25c
#define CSR_VSATP 0x280

/* An interrupt file's registers, by siselect or vsiselect (AIA specification 3.8). On RV64 the
 * arrays have even numbers only, 64 identities a register. */
#define IMSIC_IPRIO0 0x30
#define IMSIC_IPRIO15 0x3f
#define IMSIC_EIDELIVERY 0x70
#define IMSIC_EITHRESHOLD 0x72
#define IMSIC_EIP0 0x80
#define IMSIC_EIE0 0xc0
#define IMSIC_EIE63 0xff

/* sstatus and vsstatus. */
#define SSTATUS_SIE (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP (1UL << 8)
#define SSTATUS_VS (3UL << 9)
#define SSTATUS_VS_INITIAL (1UL << 9)
#define SSTATUS_VS_CLEAN (2UL << 9)
#define SSTATUS_FS (3UL << 13)
#define SSTATUS_FS_INITIAL (1UL << 13)
#define SSTATUS_FS_CLEAN (2UL << 13)
#define SSTATUS_SUM (1UL << 18)
#define SSTATUS_MXR (1UL << 19)
#define SSTATUS_SD (1UL << 63)
#define SSTATUS_UXL_64 (2UL << 32)

/* hstatus. */
#define HSTATUS_GVA (1UL << 6)
#define HSTATUS_SPV (1UL << 7)
#define HSTATUS_SPVP (1UL << 8)
#define HSTATUS_VGEIN_SHIFT 12
#define HSTATUS_VGEIN (63UL << HSTATUS_VGEIN_SHIFT)
#define HSTATUS_VTW (1UL << 21)
#define HSTATUS_VSXL_64 (2UL << 32)

#define HVICTL_IID_SHIFT 16

/* Interrupt bits: sip/sie for our own, hip/hie/hvip for the guest's. */
#define IRQ_S_SOFT 1
#define IRQ_VS_SOFT 2
#define IRQ_S_TIMER 5
#define IRQ_VS_TIMER 6
#define IRQ_S_EXT 9
#define IRQ_VS_EXT 10
#define IRQ_S_GUEST_EXT 12
#define IRQ_BIT(n) (1UL << (n))

/* scause. */
#define CAUSE_INTERRUPT (1UL << 63)
#define CAUSE_INSN_MISALIGNED 0
#define CAUSE_INSN_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_USER_ECALL 8
#define CAUSE_HS_ECALL 9
#define CAUSE_VS_ECALL 10
#define CAUSE_INSN_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15
#define CAUSE_INSN_GUEST_PAGE 20
#define CAUSE_LOAD_GUEST_PAGE 21
#define CAUSE_VIRTUAL_INSN 22
#define CAUSE_STORE_GUEST_PAGE 23

/* satp and hgatp: the same mode numbers, x4 for the latter. */
#define SATP_MODE_SHIFT 60
#define SATP_PPN_MASK ((1UL << 44) - 1)
#define SATP_ASID_SHIFT 44
#define SATP_MODE_SV39 8UL
#define SATP_MODE_SV48 9UL
#define SATP_MODE_SV57 10UL
#define HGATP_VMID_SHIFT 44
#define HGATP_VMID_MASK 0x3fffUL

/* henvcfg and senvcfg. */
#define ENVCFG_FIOM 1UL
#define ENVCFG_CBIE_INVAL                                                                          \
    (3UL << 4) /* cbo.inval invalidates, as hardware without control would                         \
                */
#define ENVCFG_CBIE_FLUSH (1UL << 4)
#define ENVCFG_CBIE_RESERVED (2UL << 4)
#define ENVCFG_CBCFE (1UL << 6)
#define ENVCFG_CBZE (1UL << 7)
#define ENVCFG_ADUE (1UL << 61)
#define ENVCFG_PBMTE (1UL << 62)
#define ENVCFG_STCE (1UL << 63)

/* hstateen0: which state a guest reaches (Smstateen/Ssstateen). */
#define HSTATEEN_IMSIC (1UL << 58)
#define HSTATEEN_AIA (1UL << 59)
#define HSTATEEN_CSRIND (1UL << 60)
#define HSTATEEN_SENVCFG (1UL << 62)

/* scounteren, hcounteren. */
#define COUNTEREN_CY (1UL << 0)
#define COUNTEREN_TM (1UL << 1)
#define COUNTEREN_IR (1UL << 2)
/* As firmware leaves it. */
#define COUNTEREN_AT_START (COUNTEREN_CY | COUNTEREN_TM | COUNTEREN_IR)

/* Page-table entries, both stages. */
#define PTE_V (1UL << 0)
#define PTE_R (1UL << 1)
#define PTE_W (1UL << 2)
#define PTE_X (1UL << 3)
#define PTE_U (1UL << 4)
#define PTE_G (1UL << 5)
#define PTE_A (1UL << 6)
#define PTE_D (1UL << 7)
#define PTE_PPN_SHIFT 10
#define PTE_ABOVE_PPN (0x3ffUL << 54) /* reserved, or of Svnapot, Svpbmt, Svrsw60t59b */

#endif
