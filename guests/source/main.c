/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two of these share a region of memory and call each other by its doorbell, whose interrupt may
 * have any number that the guest's interrupt controller knows. Each answers each call that it
 * takes; at the end it says by which source, through which controller, and how many came.
 */
#include <stdbool.h>

#include "guests/common/guest.h"
#include "guests/common/tree.h"

#define ROUNDS 100U
#define S_EXT (1UL << 9)
#define IDENTITY 2U

enum { OWN_INDEX = 0, RING = 8, RANG = 12 };

void guest_main(uint64_t hart, uint64_t tree);

static volatile uint8_t *plic, *aplic;
static bool messages;

static volatile uint32_t *reg(volatile uint8_t *base, uint64_t offset)
{
    return (volatile uint32_t *)(base + offset);
}

static void file_write(unsigned which, uint64_t value)
{
    csr_write(CSR_SISELECT, which);
    csr_write(CSR_SIREG, value);
}

static void open_plic(uint32_t source)
{
    *reg(plic, source * 4UL) = 1;
    *reg(plic, 0x2080 + source / 32 * 4UL) = 1U << source % 32;
    *reg(plic, 0x201000) = 0;
}

/* Hart 0, by an edge: at its IDC with priority 1, or as a message. */
static void open_aplic(uint32_t source)
{
    *reg(aplic, 0) = 0x100;
    *reg(aplic, source * 4UL) = 4;
    *reg(aplic, 0x3000 + source * 4UL) = messages ? IDENTITY : 1;
    *reg(aplic, 0x1edc) = source;
    if (!messages) {
        *reg(aplic, 0x4008) = 0;
        *reg(aplic, 0x4000) = 1;
        return;
    }
    file_write(IMSIC_EIE0, 1UL << IDENTITY);
    file_write(IMSIC_EITHRESHOLD, 0);
    file_write(IMSIC_EIDELIVERY, 1);
}

/* The source that interrupts; for a message, the one that was told to send it. */
static uint32_t claim(uint32_t expected)
{
    if (plic)
        return *reg(plic, 0x201004);
    if (!messages)
        return *reg(aplic, 0x401c) >> 16;
    uint64_t top;
    __asm__ volatile("csrrw %0, 0x15c, zero" : "=r"(top) : : "memory");
    return top >> 16 == IDENTITY ? expected : 0;
}

static uint32_t await(uint32_t expected)
{
    uint32_t source = 0;
    while (!source) {
        while (!(csr_read(CSR_SIP) & S_EXT))
            wait_for_interrupt();
        source = claim(expected);
    }
    if (plic)
        *reg(plic, 0x201004) = source;
    return source;
}

static volatile uint8_t *find(uint64_t tree, const char *name)
{
    struct guest_node node;
    return guest_tree_find(tree, name, 0, &node) ? (volatile uint8_t *)node.base : 0;
}

static void call(volatile uint8_t *bell, uint32_t peer)
{
    __asm__ volatile("fence w, o" ::: "memory");
    *reg(bell, RING) = peer;
}

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)hart;
    struct guest_node bell, region;
    plic = find(tree, "sifive,plic-1.0.0");
    aplic = find(tree, "riscv,aplic");
    messages = find(tree, "riscv,imsics");
    if (!guest_tree_find(tree, "caldarium,doorbell-v1", 0, &bell) ||
        !guest_tree_find(tree, "caldarium,shared-memory-v1", 0, &region)) {
        guest_print("source: no memory is shared\n");
        guest_poweroff();
    }
    volatile uint8_t *doorbell = (volatile uint8_t *)bell.base;
    volatile uint32_t *here = (volatile uint32_t *)region.base;
    uint32_t me = *reg(doorbell, OWN_INDEX), strange = 0;
    if (plic)
        open_plic(bell.interrupt);
    else
        open_aplic(bell.interrupt);
    csr_write(CSR_SIE, S_EXT); /* ends a WFI; nothing is taken as a trap */
    here[me] = 1;
    while (!here[0] || !here[1])
        ;
    if (me)
        call(doorbell, 0);
    for (uint32_t n = 0; n < ROUNDS; n++) {
        strange += await(bell.interrupt) != bell.interrupt;
        if (*reg(doorbell, RANG) != 1U << !me)
            strange++;
        if (!me || n + 1 < ROUNDS)
            call(doorbell, !me);
    }
    uint64_t sources = guest_tree_word(tree, plic ? "riscv,ndev" : "riscv,num-sources") >> 32;
    guest_print("source: %u taken %u times, %u strange, through %s of %u sources\n",
                (uint64_t)bell.interrupt, (uint64_t)ROUNDS, (uint64_t)strange,
                plic       ? "a PLIC"
                : messages ? "an APLIC with an IMSIC"
                           : "an APLIC",
                sources);
    guest_poweroff();
}
