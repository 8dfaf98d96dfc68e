/* SPDX-License-Identifier: BSD-2-Clause */
/* Where assembly finds the members of struct engine_vcpu; run.c of each engine asserts them. */
#ifndef LIB_ENGINE_COMMON_OFFSETS_H
#define LIB_ENGINE_COMMON_OFFSETS_H

#define V_GPR(n) (8 * (n))
#define V_PC 256
#define V_HOST_SP 264
#define V_EXITS_SBI_BASE 352 /* exits[EXIT_HOT_SBI_BASE] */
#define V_EXITS_SBI_TIME 360
#define V_EXITS_PRIVILEGED 424
#define V_EXITS_TRAP 448
#define V_VM 536
#define V_COUNTER_MASK(n) (544 + 16 * (n)) /* counter[]: cycle, instret */
#define V_COUNTER_OFFSET(n) (552 + 16 * (n))
#define V_SBI_ID(n) (604 + 4 * (n)) /* sbi_ids[] */

/* Engine h's: struct h_vcpu begins here. */
#define V_H_OWN_TIMER 624

/* Engine shadow's: struct s_vcpu begins here. */
#define V_S_USER 624
#define V_S_DUE 625
#define V_S_MODE_SHOWN 627
#define V_S_VIEW_SHOWN 628
#define V_S_MODES_DIFFER 629
#define V_S_FP_DIRTY 630
#define V_S_VECTOR_DIRTY 631
#define V_S_SSTATUS 640
#define V_S_SIE 648
#define V_S_STVEC 656
#define V_S_SENVCFG 672
#define V_S_TRAP_CSR(n) (680 + 8 * (n)) /* sscratch, sepc, scause, stval */
#define V_S_SIP 712
#define V_S_SATP 720
#define V_S_STATUS_WRITABLE 736
#define V_S_ROOT_AT_HAND(n) (744 + 8 * (n)) /* user, kernel, kernel with SUM */
#define V_S_MODE_CSR(mode, n) (768 + 16 * (mode) + 8 * (n))
#define V_S_PLACE 800
#define V_S_PLACE_MARK 808
#define V_S_NEAR_REGION 816
#define V_S_NEAR_TABLE(n) (824 + 8 * (n))

#endif
