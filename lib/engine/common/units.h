/* SPDX-License-Identifier: BSD-2-Clause */
/* The FP and vector units of this machine's harts, for every engine. */
#ifndef LIB_ENGINE_COMMON_UNITS_H
#define LIB_ENGINE_COMMON_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "riscv/isa.h"

struct engine_units {
    bool fp, vector; /* registers to switch */
    uint64_t vlenb;  /* bytes in a vector register; 0 without vector */
};

/* What can be switched and so be shown to guests, of `isa`, which all harts have. On a hart that is
 * starting: it takes the traps itself. */
void engine_units_probe(const struct riscv_isa *isa, struct engine_units *units);

#endif
