/* SPDX-License-Identifier: BSD-2-Clause */
/* FP and vector registers to memory and back, for every engine. sstatus.FS (VS) is not Off. */
#ifndef LIB_ENGINE_COMMON_FP_H
#define LIB_ENGINE_COMMON_FP_H

#include <stdint.h>

void fp_save(uint64_t fp[32]);
void fp_restore(const uint64_t fp[32]);

/* Room for 32 registers of VLENB bytes each; vstart is zero. */
void vector_save(void *room);
void vector_restore(const void *room);

/* Sets vl and vtype to what they were. */
void vector_config(uint64_t vl, uint64_t vtype);

#endif
