/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SBI as the guest sees it, one file an extension. A handler gets the vCPU and the six arguments in
 * args[0..5] (a0..a5) with the function id, and answers error and value. It runs on the vCPU's own
 * hart, with the vCPU loaded.
 *
 * BASE, TIME, IPI and RFENCE are hot: the engine calls sbi_hot_*() straight from its trap entry,
 * with the guest's a0..a6 in place.
 */
#ifndef LIB_SBI_SBI_H
#define LIB_SBI_SBI_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/vcpu/vcpu.h"
#include "lib/vm/vm.h"
#include "riscv/sbi.h"

struct sbi_extension {
    uint32_t bit;         /* CALD_SBI_*; 0: every VM has it */
    uint64_t first, last; /* extension ids it answers, inclusive */
    uint64_t functions; /* how many it has, numbered from 0; UINT64_MAX: its calls have no number */
    struct sbi_ret (*handle)(struct cald_vcpu *vcpu, uint64_t extension, uint64_t function,
                             const uint64_t args[6]);
};

extern const struct sbi_extension sbi_hsm, sbi_srst, sbi_dbcn, sbi_pmu, sbi_susp, sbi_sta,
    sbi_legacy;

/* True if `id` names an extension this guest can call: what BASE's probe answers. */
bool sbi_has(const struct cald_vcpu *vcpu, uint64_t id);

/*
 * EXIT_SBI: answers the call in v's a0/a1 and moves the pc past the ecall. A handler that has
 * already put the vCPU somewhere else (HSM stop, suspend, SRST) returns SBI_NO_ANSWER as error.
 */
void sbi_handle(struct cald_vcpu *vcpu);
#define SBI_NO_ANSWER INT64_MIN

/* Answers the call that the vCPU's registers hold. */
void sbi_answer(struct cald_vcpu *vcpu, struct sbi_ret ret);

/* A byte for the VM's console, by either of the calls that wait until it is out. Answers
 * SBI_NO_ANSWER while there is no room: the guest makes the call again. */
int64_t sbi_put_byte(struct cald_vcpu *vcpu, char byte);

/* What BASE answers a VM's guest; engine h's trap entry reads it too. */
void sbi_base_init(struct engine_vm *vm, uint64_t mvendorid, uint64_t marchid, uint64_t mimpid);

/* The hot ones. Arguments as the guest's registers a0..a6, a7 replaced by the vCPU. */
struct sbi_ret sbi_hot_base(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                            uint64_t a5, uint64_t function, struct cald_vcpu *vcpu);
struct sbi_ret sbi_hot_time(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                            uint64_t a5, uint64_t function, struct cald_vcpu *vcpu);
struct sbi_ret sbi_hot_ipi(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                           uint64_t a5, uint64_t function, struct cald_vcpu *vcpu);
struct sbi_ret sbi_hot_rfence(uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                              uint64_t a5, uint64_t function, struct cald_vcpu *vcpu);

/* What they and the legacy calls do with arguments that are checked: `set` names vCPUs of the VM.
 */
struct sbi_ret sbi_timer_set(struct cald_vcpu *vcpu, uint64_t time);
struct sbi_ret sbi_ipi_set(struct cald_vcpu *vcpu, uint64_t set);
struct sbi_ret sbi_fence_set(struct cald_vcpu *vcpu, uint64_t set, const struct fence *fence);

/* Whether that call leads nowhere: no such extension, or the extension has no such function. The
 * answer is SBI_ERR_NOT_SUPPORTED then; guests ask so for what they could use. */
bool sbi_hot_missing(uint64_t extension, uint64_t function, struct cald_vcpu *vcpu);

/*
 * hart_mask and hart_mask_base as the SBI defines them: base UINT64_MAX is all harts. Writes the
 * set of vCPUs; false (answer SBI_ERR_INVALID_PARAM) if a named hart does not exist.
 */
static inline bool sbi_hart_mask(const struct cald_vcpu *vcpu, uint64_t mask, uint64_t base,
                                 uint64_t *set)
{
    uint64_t all = UINT64_MAX >> (64 - vcpu->vm->vcpu_count);
    if (base == UINT64_MAX) {
        *set = all;
        return true;
    }
    if (base >= 64) {
        *set = 0;
        return !mask; /* nobody is named: nobody is missing */
    }
    *set = mask << base;
    return *set >> base == mask && !(*set & ~all);
}

/*
 * Starting, stopping and suspending, for HSM, SUSP and the start of a VM. lib/vcpu/run.c calls
 * sbi_hsm_started() and sbi_hsm_resume(), on the vCPU's hart.
 */
void sbi_hsm_reset(struct cald_vcpu *vcpu);   /* stopped */
void sbi_hsm_started(struct cald_vcpu *vcpu); /* carries a pending start out */
void sbi_hsm_resume(struct cald_vcpu *vcpu);  /* a suspended vCPU's interrupt came */

/* Suspends this vCPU: retentive, or to go on at pc with a1 = opaque. Answers SBI_NO_ANSWER. */
struct sbi_ret sbi_hsm_suspend(struct cald_vcpu *vcpu, bool retentive, uint64_t pc,
                               uint64_t opaque);

/* Set-up and part of reset: forget what the guest registered. */
void sbi_pmu_reset(struct cald_vcpu *vcpu);
void sbi_sta_reset(struct cald_vcpu *vcpu);
/* Writes the steal-time record, where the guest registered one. Own hart. */
void sbi_sta_update(struct cald_vcpu *vcpu);

/* The vCPU loses its hart, or gets one: its cycle and instret stand in between. On that hart. */
static inline void sbi_pmu_away(struct cald_vcpu *vcpu)
{
    engine_counter_follow(&vcpu->eng, 0, false);
    engine_counter_follow(&vcpu->eng, 2, false);
}

static inline void sbi_pmu_back(struct cald_vcpu *vcpu)
{
    engine_counter_follow(&vcpu->eng, 0, vcpu->pmu.counter[0].running);
    engine_counter_follow(&vcpu->eng, 2, vcpu->pmu.counter[2].running);
}

/* Their state by number, as include/caldarium/caldarium.h has it; the vCPU is put. */
int sbi_hsm_get(const struct cald_vcpu *vcpu, uint32_t index, uint64_t *value);
int sbi_hsm_set(struct cald_vcpu *vcpu, uint32_t index, uint64_t value);
int sbi_pmu_get(const struct cald_vcpu *vcpu, uint32_t index, uint64_t *value);
int sbi_pmu_set(struct cald_vcpu *vcpu, uint32_t index, uint64_t value);
int sbi_sta_get(const struct cald_vcpu *vcpu, uint32_t index, uint64_t *value);
int sbi_sta_set(struct cald_vcpu *vcpu, uint32_t index, uint64_t value);

#endif
