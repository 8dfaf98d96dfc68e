/* SPDX-License-Identifier: BSD-2-Clause */
#include "guests/minikernel/mini.h"

static volatile uint32_t *base;
static uint64_t context; /* hart n's S-mode is context 2n + 1 on QEMU's virt, and here */

static volatile uint32_t *reg(uint64_t offset)
{
    return (volatile uint32_t *)((uintptr_t)base + offset);
}

void plic_init(uint64_t tree, uint64_t hart)
{
    struct guest_node node;
    if (!guest_tree_find(tree, "sifive,plic", 0, &node))
        return;
    base = (volatile uint32_t *)node.base;
    context = 2 * hart + 1;
    *reg(0x200000 + context * 0x1000) = 0; /* threshold */
    csr_set(CSR_SIE, IRQ_BIT(IRQ_S_EXT));
}

void plic_enable(uint32_t source)
{
    *reg(source * 4UL) = 1;
    *reg(0x2000 + context * 0x80 + source / 32 * 4UL) |= 1U << source % 32;
}

uint32_t plic_claim(void)
{
    return base ? *reg(0x200004 + context * 0x1000) : 0;
}

void plic_complete(uint32_t source)
{
    *reg(0x200004 + context * 0x1000) = source;
}
