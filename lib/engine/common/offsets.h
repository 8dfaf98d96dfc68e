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
#define V_VM 536
#define V_COUNTER_MASK(n) (544 + 16 * (n)) /* counter[]: cycle, instret */
#define V_COUNTER_OFFSET(n) (552 + 16 * (n))
#define V_SBI_ID(n) (604 + 4 * (n)) /* sbi_ids[] */

/* Engine h's: struct h_vcpu begins here. */
#define V_H_OWN_TIMER 624

/* Engine shadow's: struct s_vcpu begins here. */
#define V_S_USER 624
#define V_S_DUE 625

#endif
