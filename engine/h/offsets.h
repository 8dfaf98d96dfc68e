/* SPDX-License-Identifier: BSD-2-Clause */
/* Where assembly finds the members of struct engine_vcpu; engine/h/run.c asserts every one. */
#ifndef ENGINE_H_OFFSETS_H
#define ENGINE_H_OFFSETS_H

#define V_GPR(n) (8 * (n))
#define V_PC 256
#define V_HOST_SP 264

#endif
