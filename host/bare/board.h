/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine as its device tree tells it. Read once on the boot hart; constant afterwards. */
#ifndef HOST_BARE_BOARD_H
#define HOST_BARE_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "appliance/config.h"
#include "drivers/imsic/imsic.h"
#include "drivers/uart/uart.h"
#include "host/bare/ram.h"

#define BOARD_HARTS 64
#define BOARD_RANGES 32
#define BOARD_SOURCES 1023 /* of interrupts: what a PLIC or an APLIC can number */
#define BOARD_RESERVED 64

struct board_hart {
    uint64_t id;
    uint32_t intc; /* phandle of its interrupt controller node */
    struct riscv_isa isa;
};

enum board_irqchip { BOARD_NONE, BOARD_PLIC, BOARD_APLIC, BOARD_IMSIC };

struct board_tree {
    const void *fdt;
    uint64_t fdt_pa, fdt_bytes;
    struct board_hart harts[BOARD_HARTS];
    unsigned hart_count;
    struct ram_range ram[BOARD_RANGES];
    unsigned ram_count;
    struct ram_range reserved[BOARD_RESERVED];
    unsigned reserved_count;
    bool reserved_joined;              /* the last one holds several, and what lies between them */
    bool memory_from_efi;              /* host/efi/tree.c wrote `ram` */
    uint64_t initrd_start, initrd_end; /* equal: none */
    const char *bootargs;              /* "" if none */

    /* The console that stdout-path names; driver NULL: none that can be used. */
    const struct uart_driver *uart_driver;
    const char *uart_compatible; /* the first name it has */
    uint64_t uart_base, uart_bytes;
    unsigned uart_shift, uart_width;
    uint32_t uart_irq; /* its source at the interrupt controller; 0: none */
    uint32_t uart_irq_type;

    enum board_irqchip irqchip_kind;
    const char *irqchip; /* its name, for people */
    int irqchip_node, imsic_node;
    uint64_t irqchip_base, irqchip_bytes; /* PLIC or APLIC */
    unsigned irqchip_sources;
    struct imsic_layout imsic;
};
extern struct board_tree board_tree;

/* Reads the tree at a physical address that the early tables map. Panics if it is no tree. */
void board_read(uint64_t fdt_pa);

/* The context of a hart's S-mode at the interrupt controller, or -1. */
int board_irq_context(const struct board_hart *hart);

/* The value of `name=` in bootargs, copied to out (cut to size); false: not there. */
bool board_option(const char *name, char *out, size_t size);

#endif
