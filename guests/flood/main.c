/* SPDX-License-Identifier: BSD-2-Clause */
/* Prints empty lines for ever, 4 KiB of them a call. With `uart=yes` through the serial port,
 * without a look at whether it is ready. */
#include "guests/common/guest.h"

#define UART_DATA ((volatile uint8_t *)0x10000000UL)

void guest_main(uint64_t hart, uint64_t tree);

static char lines[4096];

void guest_main(uint64_t hart, uint64_t tree)
{
    (void)hart;
    int uart = guest_is(tree, "uart", "yes");
    for (unsigned n = 0; n < sizeof(lines); n++)
        lines[n] = '\n';
    guest_print("flood: begins\n");
    for (;;) {
        if (uart)
            *UART_DATA = '\n';
        else
            guest_sbi(SBI_EXT_DBCN, 0, sizeof(lines), (uint64_t)lines, 0, 0);
    }
}
