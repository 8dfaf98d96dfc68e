/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Proves: a load or store of the guest's at any offset and of any width touches no memory but the
 *   port's, frees its lock, and leaves its queues within their sizes and its registers without bits
 *   that they haven't got
 * Bounds: any state, with at most 2 bytes typed ahead; one access
 * Assumes: one hart at a time; the owner may have room or not
 * Sources: lib/dev/ns16550a.c
 * Loops: 4 lock_take.0:1 uart_any.0:17
 */
#include "tests/proofs/uart.h"

void proof(void)
{
    uart_any(2);
    uint64_t value;
    uint32_t offset = nondet_u32();
    unsigned width = nondet_u8();
    if (nondet_bool())
        ns16550a_read(&uart, offset, width, &value);
    else
        ns16550a_write(&uart, offset, width, nondet_u64());
    holds(uart_wellformed());
}
