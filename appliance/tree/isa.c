/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of the board's extensions a VM is shown. */
#include "appliance/tree/tree.h"

void tree_guest_isa(const struct vm_config *config, struct riscv_isa *isa)
{
    *isa = (struct riscv_isa){0};
    const struct riscv_isa *has = config->engine == ENGINE_SHADOW ? &board.isa_shadow : &board.isa;
    bool fp = isa_has(has, ISA_F) && !config->isa_disable[ISA_F];
    bool vector = isa_has(has, ISA_V) && !config->isa_disable[ISA_V];
    for (unsigned ext = 0; ext < ISA_EXT_COUNT; ext++) {
        enum riscv_ext_rule rule = isa_rule(ext);
        if (!isa_has(has, ext) || config->isa_disable[ext] || rule == EXT_HIDDEN)
            continue;
        if (rule == EXT_SSAIA && config->irqchip != IRQCHIP_IMSIC)
            continue;
        if ((rule == EXT_FP && !fp) || (rule == EXT_VECTOR && !vector))
            continue;
        isa_set(isa, ext);
    }
    /* Both together promise a choice by SBI FWFT, which isn't there: what holds is Svade. */
    if (isa_has(isa, ISA_SVADE))
        isa_clear(isa, ISA_SVADU);
}
