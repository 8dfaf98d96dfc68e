/* SPDX-License-Identifier: BSD-2-Clause */
/* Where assembly finds the members of struct engine_vcpu; run.c of each engine asserts them. */
#ifndef ENGINE_COMMON_OFFSETS_H
#define ENGINE_COMMON_OFFSETS_H

#define V_GPR(n) (8 * (n))
#define V_PC 256
#define V_HOST_SP 264

/* Engine shadow's: struct s_vcpu begins here. */
#define V_S_USER 560
#define V_S_DUE 561

#endif
