/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices whose DMA goes past the harts' caches. A guest has to know it, and to have what it needs
 * then: Zicbom to write back and drop cache blocks, and Svpbmt, where the harts have that, to map
 * memory uncached. Without them its data would go wrong, silently; so such a device is refused.
 * Source: Devicetree specification 0.4, 2.3.10 and 2.3.11 (the nearest node that says so counts);
 * RISC-V's default is coherent. CMO specification 1.0; privileged manual, "Svpbmt".
 */
#include <libfdt.h>

#include "appliance/bundle/property.h"
#include "appliance/device/passthrough.h"
#include "appliance/tree/tree.h"

static bool is_noncoherent(int node)
{
    for (int at = node; at >= 0; at = fdt_parent_offset(board.fdt, at)) {
        if (fdt_getprop(board.fdt, at, "dma-coherent", NULL))
            return false;
        if (fdt_getprop(board.fdt, at, "dma-noncoherent", NULL))
            return true;
    }
    return false;
}

bool passthrough_check_coherence(struct vm_config *config, struct passthrough *device)
{
    struct riscv_isa isa;
    enum riscv_ext lacks = ISA_EXT_COUNT;
    device->noncoherent = device->dma && is_noncoherent(device->bus);
    if (!device->noncoherent)
        return true;
    tree_guest_isa(config, &isa);
    if (!isa_has(&isa, ISA_ZICBOM) || !board.cbom_block)
        lacks = ISA_ZICBOM;
    else if (isa_has(&board.isa, ISA_SVPBMT) && !isa_has(&isa, ISA_SVPBMT))
        lacks = ISA_SVPBMT;
    if (lacks == ISA_EXT_COUNT)
        return true;
    const char *why = "the guest can't have";
    if (config->isa_disable[lacks])
        why = "isa-disable hides";
    else if (isa_has(&isa, lacks))
        why = "lacks its block size";
    property_refuse(config, "property passthrough: %s is dma-noncoherent and wants %s, which %s",
                    device->path, isa_name(lacks), why);
    return false;
}
