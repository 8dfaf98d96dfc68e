/* SPDX-License-Identifier: BSD-2-Clause */
/* Which engines this machine has, and which of them a VM gets. */
#include <stdio.h>
#include <string.h>

#include "appliance/bundle/property.h"
#include "appliance/tree/tree.h"
#include "lib/engine/h/h.h"
#include "lib/engine/shadow/shadow.h"
#include "host/bare/board.h"
#include "host/bare/firmware.h"
#include "host/bare/hart.h"
#include "host/bare/machine.h"
#include "host/host.h"
#include "riscv/asm.h"

/* SBI's base extension: functions, and an implementation's id and version. */
#define BASE_IMPL_ID 1
#define BASE_IMPL_VERSION 2
#define IMPL_OPENSBI 1
#define OPENSBI_PRINTS (1UL << 16 | 6)      /* from then on; see machine_warn_of_firmware() */
#define OPENSBI_TIME_CLOSES (1UL << 16 | 6) /* a closed `time` is an illegal instruction */

uint64_t machine_vlenb;
static bool has_h, has_shadow, prefer_shadow;

static unsigned highest_levels(unsigned modes)
{
    return 31 - (unsigned)__builtin_clz(modes);
}

/* What firmware keeps closed, or the engine can't give, is not there for guests either. */
static void h_isa(struct riscv_isa *isa)
{
    if (!h_features.sstc)
        isa_clear(isa, ISA_SSTC);
    isa_hide_units(isa, h_features.units.fp, h_features.units.vector);
    if (!h_features.aia)
        isa_clear(isa, ISA_SSAIA);
    if (!(h_features.henvcfg & ENVCFG_ADUE))
        isa_clear(isa, ISA_SVADU);
    if (!(h_features.henvcfg & ENVCFG_PBMTE))
        isa_clear(isa, ISA_SVPBMT);
    if (!(h_features.henvcfg & ENVCFG_CBCFE))
        isa_clear(isa, ISA_ZICBOM);
    if (!(h_features.henvcfg & ENVCFG_CBZE))
        isa_clear(isa, ISA_ZICBOZ);
}

/* What S-mode has beyond the base, this engine has to do itself. */
static void shadow_isa(struct riscv_isa *isa)
{
    static const enum riscv_ext none[] = {ISA_SVPBMT, ISA_SVNAPOT, ISA_SVINVAL, ISA_SVRSW60T59B};
    for (unsigned n = 0; n < sizeof(none) / sizeof(*none); n++)
        isa_clear(isa, none[n]);
    isa_set(isa, ISA_SSAIA); /* all of it is done in core, whatever the harts have */
    isa_set(isa, ISA_SSTC);  /* by the engine */
    isa_hide_units(isa, s_features.units.fp, s_features.units.vector);
    if (!(s_features.envcfg & ENVCFG_CBCFE))
        isa_clear(isa, ISA_ZICBOM);
    if (!(s_features.envcfg & ENVCFG_CBZE))
        isa_clear(isa, ISA_ZICBOZ);
}

static uint64_t firmware_base(unsigned function)
{
    struct sbi_ret ret = firmware_call(SBI_EXT_BASE, function, 0, 0, 0);
    return ret.error ? UINT64_MAX : ret.value;
}

/* OpenSBI's version, major << 16 | minor; 0: the firmware is another. */
static uint64_t opensbi_version(void)
{
    uint64_t version = firmware_base(BASE_IMPL_VERSION);
    return firmware_base(BASE_IMPL_ID) == IMPL_OPENSBI && version != UINT64_MAX ? version : 0;
}

bool machine_find_engines(void)
{
    char option[8];
    bool ok;
    csr_try_read(CSR_STIMECMP, ok);
    hart_has_sstc = ok;
    prefer_shadow = board_option("engine", option, sizeof(option)) && !strcmp(option, "shadow");
    has_h = h_probe(&board.isa);
    has_shadow = s_probe(board_tree.hart_count, &board.isa);
    s_features.time_closes = opensbi_version() >= OPENSBI_TIME_CLOSES;
    if (!has_shadow)
        host_error("no memory for engine shadow");
    board.satp_levels_shadow = s_features.levels;
    board.satp_levels = has_h ? h_probe_satp_levels() : 3;
    board.isa_shadow = board.isa;
    const struct imsic_layout *imsic = &board_tree.imsic;
    bool fits = imsic->guest_ids % 64 == 63 && imsic->guest_ids < IMSIC_MAX_IDS;
    board.imsic_ids = fits ? imsic->guest_ids : IMSIC_MAX_IDS;
    if (has_h)
        h_isa(&board.isa);
    if (has_shadow)
        shadow_isa(&board.isa_shadow);
    machine_vlenb = has_h && h_features.units.vector        ? h_features.units.vlenb
                    : has_shadow && s_features.units.vector ? s_features.units.vlenb
                                                            : 0;
    return has_h || has_shadow;
}

void machine_hart_init(void)
{
    if (has_h)
        engine_h.hart_init();
    if (has_shadow)
        engine_shadow.hart_init();
}

void machine_choose_engine(struct vm *vm, struct vm_config *config)
{
    if (config->engine == ENGINE_ANY)
        config->engine = has_h && !(prefer_shadow && has_shadow) ? ENGINE_H : ENGINE_SHADOW;
    vm->cald->eng.ops = config->engine == ENGINE_H ? &engine_h : &engine_shadow;
    if (config->engine == ENGINE_H && !has_h)
        property_refuse(config, "property engine: the harts have no H extension; \"shadow\" or "
                                "nothing is expected");
}

void machine_check_addresses(const struct vm *vm, struct vm_config *config)
{
    uint64_t end = vm_gpa_end(vm);
    if (config->engine == ENGINE_H && !gstage_levels(end, h_features.gstage_modes))
        property_refuse(config,
                        "its memory and devices reach up to %#lx; the harts' second stage ends at "
                        "%#lx",
                        end - 1, (1UL << (14 + 9 * highest_levels(h_features.gstage_modes))) - 1);
}

/* A tree of the user's own says which one it was made for; else the guest has what the board has.
 */
static enum config_irqchip usual_irqchip(const struct vm_config *config, bool ssaia)
{
    enum board_irqchip has = board_tree.irqchip_kind;
    if (config->fdt.size)
        return tree_irqchip(config);
    if (has == BOARD_IMSIC && ssaia)
        return IRQCHIP_IMSIC;
    return has == BOARD_IMSIC || has == BOARD_APLIC ? IRQCHIP_APLIC : IRQCHIP_PLIC;
}

void machine_choose_irqchip(struct vm_config *config)
{
    const struct riscv_isa *isa = config->engine == ENGINE_H ? &board.isa : &board.isa_shadow;
    bool ssaia = isa_has(isa, ISA_SSAIA) && !config->isa_disable[ISA_SSAIA];
    if (config->irqchip == IRQCHIP_ANY)
        config->irqchip = usual_irqchip(config, ssaia);
    if (config->irqchip == IRQCHIP_IMSIC && !ssaia)
        property_refuse(config,
                        "property irqchip: \"imsic\" expects extension ssaia, which the harts "
                        "don't have or isa-disable hides; \"aplic\" doesn't");
}

void machine_describe_engines(char *text, size_t bytes)
{
    char h[80] = "", shadow[80] = "";
    if (has_h) {
        unsigned low = (unsigned)__builtin_ctz(h_features.gstage_modes);
        unsigned high = highest_levels(h_features.gstage_modes);
        char modes[24] = "";
        if (low < high)
            snprintf(modes, sizeof(modes), "Sv%ux4 to ", 9 * low + 12);
        snprintf(h, sizeof(h), "h, %sSv%ux4, VMID %u bits", modes, 9 * high + 12,
                 h_features.vmid_bits);
    }
    if (has_shadow)
        snprintf(shadow, sizeof(shadow), "shadow, Sv%u%s", 9 * s_features.levels + 12,
                 s_features.asids ? "" : ", without ASIDs");
    snprintf(text, bytes, "%s%s%s; timer %s", h, has_h && has_shadow ? "; " : "", shadow,
             hart_has_sstc ? "Sstc" : "through firmware");
}

/* A guest's sret, wfi and sfence.vma are illegal instructions on engine shadow. OpenSBI gets them
 * first and hands them on; since 1.6 it prints a line about each. */
void machine_warn_of_firmware(void)
{
    uint64_t version = opensbi_version();
    if (version < OPENSBI_PRINTS)
        return;
    for (unsigned n = 0; n < vm_count; n++) {
        if (vms[n].cald->eng.ops != &engine_shadow || atomic_load(&vms[n].state) == VM_REFUSED)
            continue;
        host_print("firmware OpenSBI %lu.%lu prints \"system_opcode_insn: Invalid opcode ...\" for "
                   "each sret, wfi and sfence.vma of a guest on engine shadow; 1.5 doesn't",
                   version >> 16, version & 0xffff);
        return;
    }
}
