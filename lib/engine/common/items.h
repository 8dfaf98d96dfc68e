/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's registers by number: include/caldarium/caldarium.h's classes up to CALD_TIMER. The vCPU
 * is put. */
#ifndef LIB_ENGINE_COMMON_ITEMS_H
#define LIB_ENGINE_COMMON_ITEMS_H

#include "lib/engine/engine.h"

int engine_get(struct engine_vcpu *v, uint32_t item, uint64_t *value);
int engine_set(struct engine_vcpu *v, uint32_t item, uint64_t value);

#endif
