/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/engine/common/items.h"

#include <string.h>

#include "caldarium/caldarium.h"
#include "lib/vcpu/items.h"
#include "riscv/csr.h"
#include "riscv/isa.h"

#define SSTATUS_WRITABLE (SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP | SSTATUS_SUM | SSTATUS_MXR)
#define SSTATUS_SD (1UL << 63)
#define INTERRUPTS (IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_TIMER) | IRQ_BIT(IRQ_S_EXT))
#define PENDING (IRQ_BIT(IRQ_S_SOFT) | IRQ_BIT(IRQ_S_EXT))

/* Where a CSR is that holds what is written, but for the bits outside of `*bits`; NULL: it isn't
 * one of these. */
static uint64_t *plain(const struct engine_vcpu *v, const struct engine_regs *regs, uint32_t csr,
                       uint64_t *bits)
{
    *bits = UINT64_MAX;
    switch (csr) {
    case CSR_SIE:
        *bits = INTERRUPTS;
        return regs->sie;
    case CSR_STVEC:
        *bits = ~2UL; /* modes 2 and 3 are reserved */
        return regs->stvec;
    case CSR_SCOUNTEREN:
        *bits = regs->scounteren_bits;
        return regs->scounteren;
    case CSR_SSCRATCH:
        return regs->sscratch;
    case CSR_SEPC:
        *bits = ~1UL;
        return regs->sepc;
    case CSR_SCAUSE:
        return regs->scause;
    case CSR_STVAL:
        return regs->stval;
    case CSR_SISELECT:
        return v->vm->isa_disable[ISA_SSAIA] ? NULL : regs->siselect;
    case CSR_FCSR:
        *bits = 0xff;
        return regs->has_fp ? regs->fcsr : NULL;
    case CSR_VSTART: /* as many bits as an element's number has (vector manual, "vstart") */
        *bits = 8 * regs->vlenb - 1;
        return regs->has_vector ? regs->vstart : NULL;
    case CSR_VCSR:
        *bits = 7;
        return regs->has_vector ? regs->vcsr : NULL;
    case CSR_VL: /* load() sets both by a vsetvl, which lets no other values through */
        return regs->has_vector ? regs->vl : NULL;
    case CSR_VTYPE:
        return regs->has_vector ? regs->vtype : NULL;
    }
    return NULL;
}

static uint64_t sstatus_bits(const struct engine_regs *regs)
{
    return SSTATUS_WRITABLE | (regs->has_fp ? SSTATUS_FS : 0) | (regs->has_vector ? SSTATUS_VS : 0);
}

static int get_csr(struct engine_vcpu *v, const struct engine_regs *regs, uint32_t csr,
                   uint64_t *value)
{
    uint64_t bits, *at = plain(v, regs, csr, &bits);
    if (at) {
        *value = *at;
        return CALD_OK;
    }
    switch (csr) {
    case CSR_SSTATUS:
        *value = *regs->sstatus & ~SSTATUS_SD; /* that one follows from the others */
        return CALD_OK;
    case CSR_SENVCFG:
        *value = *regs->senvcfg;
        return regs->senvcfg_bits ? CALD_OK : CALD_ENOENT;
    case CSR_SIP:
        *value = v->ops->special(v, ENGINE_PENDING);
        return CALD_OK;
    case CSR_SATP:
        *value = *regs->satp;
        return CALD_OK;
    }
    return CALD_ENOENT;
}

static int set_csr(struct engine_vcpu *v, const struct engine_regs *regs, uint32_t csr,
                   uint64_t value)
{
    uint64_t bits, *at = plain(v, regs, csr, &bits);
    if (at) {
        *at = value & bits;
        return CALD_OK;
    }
    switch (csr) {
    case CSR_SSTATUS:
        *regs->sstatus = SSTATUS_UXL_64 | (value & sstatus_bits(regs));
        v->ops->set_special(v, ENGINE_SATP, *regs->satp); /* MXR counts for translations too */
        return CALD_OK;
    case CSR_SENVCFG:
        if ((value & ENVCFG_CBIE_INVAL) == ENVCFG_CBIE_RESERVED)
            value &= ~ENVCFG_CBIE_INVAL;
        *regs->senvcfg = value & regs->senvcfg_bits;
        return regs->senvcfg_bits ? CALD_OK : CALD_ENOENT;
    case CSR_SIP:
        v->ops->set_special(v, ENGINE_PENDING, value & PENDING);
        return CALD_OK;
    case CSR_SATP:
        return v->ops->set_special(v, ENGINE_SATP, value) ? CALD_OK : CALD_EINVAL;
    }
    return CALD_ENOENT;
}

/* x0 is none: it holds nothing. */
static uint64_t *core(struct engine_vcpu *v, uint32_t index)
{
    if (!index)
        return &v->pc;
    return index < 32 ? &v->gpr[index] : NULL;
}

static uint8_t *vector_word(const struct engine_regs *regs, uint32_t index)
{
    uint32_t number = index >> 10, at = (index & 0x3ff) * 8;
    if (!regs->has_vector || number >= 32 || at >= regs->vlenb)
        return NULL;
    return regs->vector + number * regs->vlenb + at;
}

int engine_get(struct engine_vcpu *v, uint32_t item, uint64_t *value)
{
    uint32_t index = item_index(item);
    struct engine_regs regs;
    const uint8_t *word;
    v->ops->regs(v, &regs);
    switch (item_class(item)) {
    case CALD_CORE:
        if (index == CALD_CORE_MODE)
            *value = v->ops->special(v, ENGINE_MODE);
        else if (core(v, index))
            *value = *core(v, index);
        else
            return CALD_ENOENT;
        return CALD_OK;
    case CALD_CSR:
        return get_csr(v, &regs, index, value);
    case CALD_FP:
        if (!regs.has_fp || index >= 32)
            return CALD_ENOENT;
        *value = regs.fp[index];
        return CALD_OK;
    case CALD_VECTOR:
        word = vector_word(&regs, index);
        if (!word)
            return CALD_ENOENT;
        memcpy(value, word, sizeof(*value));
        return CALD_OK;
    case CALD_TIMER:
        *value = v->ops->special(v, ENGINE_TIMER);
        return index ? CALD_ENOENT : CALD_OK;
    }
    return CALD_ENOENT;
}

static int set_core(struct engine_vcpu *v, uint32_t index, uint64_t value)
{
    if (index == CALD_CORE_MODE) {
        if (value > 1)
            return CALD_EINVAL;
        v->ops->set_special(v, ENGINE_MODE, value);
        return CALD_OK;
    }
    uint64_t *at = core(v, index);
    if (!at)
        return CALD_ENOENT;
    *at = index ? value : value & ~1UL;
    return CALD_OK;
}

int engine_set(struct engine_vcpu *v, uint32_t item, uint64_t value)
{
    uint32_t index = item_index(item);
    struct engine_regs regs;
    uint8_t *word;
    v->ops->regs(v, &regs);
    switch (item_class(item)) {
    case CALD_CORE:
        return set_core(v, index, value);
    case CALD_CSR:
        return set_csr(v, &regs, index, value);
    case CALD_FP:
        if (!regs.has_fp || index >= 32)
            return CALD_ENOENT;
        regs.fp[index] = value;
        return CALD_OK;
    case CALD_VECTOR:
        word = vector_word(&regs, index);
        if (!word)
            return CALD_ENOENT;
        memcpy(word, &value, sizeof(value));
        return CALD_OK;
    case CALD_TIMER:
        if (index)
            return CALD_ENOENT;
        v->ops->set_special(v, ENGINE_TIMER, value);
        return CALD_OK;
    }
    return CALD_ENOENT;
}
