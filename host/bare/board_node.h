/* SPDX-License-Identifier: BSD-2-Clause */
/* What board.c and board_devices.c share: properties of the board's tree, none of which is taken to
 * be as long as it should be, or to end. */
#ifndef HOST_BARE_BOARD_NODE_H
#define HOST_BARE_BOARD_NODE_H

#include <libfdt.h>
#include <stdbool.h>
#include <string.h>

#include "appliance/config.h"

/* The first string of a property; NULL: it isn't there, or has no end. */
static inline const char *node_text(int node, const char *name)
{
    return fdt_stringlist_get(board.fdt, node, name, 0, NULL);
}

static inline bool node_enabled(int node)
{
    const char *status = node_text(node, "status");
    return !status || !strcmp(status, "okay") || !strcmp(status, "ok");
}

static inline uint32_t node_u32(int node, const char *name, uint32_t otherwise)
{
    int bytes;
    const fdt32_t *cell = fdt_getprop(board.fdt, node, name, &bytes);
    return cell && bytes >= 4 ? fdt32_to_cpu(*cell) : otherwise;
}

/* One line about what is missing or wrong: the node's path, then what `format` says of which of its
 * properties, and what follows from it. */
void board_lack(int node, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The parts of board_read() that board_devices.c has; after the harts are known. */
void board_read_irqchip(void);
void board_read_uart(int chosen);

#endif
