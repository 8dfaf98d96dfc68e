/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU's FP and vector registers: on to a hart and off it, for every engine. */
#ifndef LIB_ENGINE_COMMON_UNIT_STATE_H
#define LIB_ENGINE_COMMON_UNIT_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct engine_vcpu;

/* What they are while the vCPU is off its hart. */
struct unit_state {
    uint64_t fp[32], fcsr;
    void *vector; /* room for 32 registers of VLENB bytes, or NULL */
    uint64_t vstart, vcsr, vl, vtype;
};

/* The units that the VM has get their registers; the hart's sstatus stays as it is. Begins what
 * host_fp_begin() says. */
void unit_state_load(struct engine_vcpu *v, const struct unit_state *units, bool fp, bool vector);

/* The registers of the units that the guest has changed since; ends what load began. */
void unit_state_put(struct engine_vcpu *v, struct unit_state *units, bool fp, bool vector);

#endif
