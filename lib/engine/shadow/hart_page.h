/* SPDX-License-Identifier: BSD-2-Clause */
/* Where assembly finds the members of struct s_hart_page; trampoline.c asserts them. */
#ifndef LIB_ENGINE_SHADOW_HART_PAGE_H
#define LIB_ENGINE_SHADOW_HART_PAGE_H

#define P_T0 0
#define P_SP 8
#define P_HOST_SATP 16
#define P_VCPU 24
#define P_TRAP 32
#define P_T1 40
#define P_SHADOW_SATP 48
#define P_LEAVE 56
#define P_IN_FORCE 64

#endif
