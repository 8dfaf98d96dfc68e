/* SPDX-License-Identifier: BSD-2-Clause */
/* Which engines this machine has, and which of them a VM gets. */
#include <stdio.h>
#include <string.h>

#include "appliance/bundle/property.h"
#include "appliance/tree/tree.h"
#include "host/bare/board.h"
#include "host/bare/firmware.h"
#include "host/bare/hart.h"
#include "host/bare/irqchip.h"
#include "host/bare/machine.h"
#include "host/bare/paging.h"
#include "host/host.h"
#include "riscv/asm.h"

/* SBI's base extension: functions, and an implementation's id and version. */
#define BASE_IMPL_ID 1
#define BASE_IMPL_VERSION 2
#define IMPL_OPENSBI 1
#define OPENSBI_PRINTS (1UL << 16 | 6)      /* from then on; see machine_warn_of_firmware() */
#define OPENSBI_TIME_CLOSES (1UL << 16 | 6) /* a closed `time` is an illegal instruction */

struct cald_machine *machine;
uint64_t machine_vlenb;
static struct cald_machine_params told;
static bool prefer_shadow;

static unsigned highest_levels(unsigned modes)
{
    return 31 - (unsigned)__builtin_clz(modes);
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

static bool found(uint32_t flag)
{
    return told.flags & flag;
}

/* What guests can be shown, into isa. */
static void read_isa(uint32_t engine, struct riscv_isa *isa)
{
    char text[2048];
    cald_machine_isa(machine, engine, text, sizeof(text));
    *isa = (struct riscv_isa){0};
    isa_parse_string(isa, text);
}

bool machine_find_engines(void)
{
    char option[8], isa[2048];
    bool ok;
    csr_try_read(CSR_STIMECMP, ok);
    hart_has_sstc = ok;
    prefer_shadow = board_option("engine", option, sizeof(option)) && !strcmp(option, "shadow");
    isa_format_string(&board.isa, isa, sizeof(isa));
    told.harts = board_tree.hart_count;
    told.timebase = board.timebase;
    told.isa = isa;
    told.kick_identity = irqchip_kick_identity();
    told.flags = CALD_MACHINE_KICKS_ARE_OURS;
    if (opensbi_version() >= OPENSBI_TIME_CLOSES)
        told.flags |= CALD_MACHINE_TIME_TRAPS;
    if (paging_apart())
        told.flags |= CALD_MACHINE_APART;
    cald_machine_probe(&told);
    int error = cald_machine_create(&told, NULL, &machine);
    board.machine = machine;
    if (error)
        host_error("the harts can't run guests (error %d)", error);
    const struct imsic_layout *imsic = &board_tree.imsic;
    bool fits = imsic->guest_ids % 64 == 63 && imsic->guest_ids < CALD_MAX_IMSIC_IDS;
    board.imsic_ids = fits ? imsic->guest_ids : CALD_MAX_IMSIC_IDS;
    unsigned levels = told.satp_levels - found(CALD_MACHINE_APART);
    board.satp_levels_shadow = levels < 4 ? 3 : 4;
    board.satp_levels = found(CALD_MACHINE_H) ? told.vs_levels : 3;
    if (error)
        return false;
    read_isa(CALD_MACHINE_SHADOW, &board.isa_shadow);
    if (found(CALD_MACHINE_H))
        read_isa(CALD_MACHINE_H, &board.isa);
    machine_vlenb = told.vector_bytes;
    return true;
}

void machine_hart_init(unsigned hart)
{
    if (machine)
        cald_hart_begin(machine, hart);
}

void machine_choose_engine(struct vm_config *config)
{
    if (config->engine == ENGINE_ANY)
        config->engine = found(CALD_MACHINE_H) && !prefer_shadow ? ENGINE_H : ENGINE_SHADOW;
    if (config->engine == ENGINE_H && !found(CALD_MACHINE_H))
        property_refuse(config, "property engine: the harts have no H extension; \"shadow\" or "
                                "nothing is expected");
}

void machine_check_addresses(const struct vm *vm, struct vm_config *config)
{
    if (config->engine != ENGINE_H)
        return;
    uint64_t end = vm_gpa_end(vm), reach = 1UL << (14 + 9 * highest_levels(told.gstage_modes));
    if (end > reach)
        property_refuse(config,
                        "its memory and devices reach up to %#lx; the harts' second stage ends at "
                        "%#lx",
                        end - 1, reach - 1);
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
    char h[80] = "";
    if (found(CALD_MACHINE_H)) {
        unsigned low = (unsigned)__builtin_ctz(told.gstage_modes);
        unsigned high = highest_levels(told.gstage_modes);
        char modes[24] = "";
        if (low < high)
            snprintf(modes, sizeof(modes), "Sv%ux4 to ", 9 * low + 12);
        snprintf(h, sizeof(h), "h, %sSv%ux4, VMID %u bits", modes, 9 * high + 12, told.vmid_bits);
    }
    snprintf(text, bytes, "%s%sshadow, Sv%u%s; timer %s", h, *h ? "; " : "",
             9u * board.satp_levels_shadow + 12, told.asids < CALD_ASIDS ? ", without ASIDs" : "",
             hart_has_sstc ? "Sstc" : "through firmware");
}

/* A guest's sret, wfi and sfence.vma are illegal instructions on engine shadow. OpenSBI gets those
 * first that are not executed from a copy, and hands them on; since 1.6 it prints a line about
 * each. */
void machine_warn_of_firmware(void)
{
    uint64_t version = opensbi_version();
    if (version < OPENSBI_PRINTS)
        return;
    for (unsigned n = 0; n < vm_count; n++) {
        if (vms[n].config->engine != ENGINE_SHADOW || atomic_load(&vms[n].state) == VM_REFUSED)
            continue;
        host_print("firmware OpenSBI %lu.%lu prints \"system_opcode_insn: Invalid opcode ...\" "
                   "when it meets a guest's sret, wfi or sfence.vma on engine shadow, once or "
                   "twice in a boot of Linux; 1.5 doesn't",
                   version >> 16, version & 0xffff);
        return;
    }
}
