/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_MACHINE_SATP_H
#define LIB_MACHINE_SATP_H

#include <stdint.h>

/*
 * What satp holds after a write of `wanted`; the present satp is in force again then. Tables that
 * `wanted` leads to have to map Caldarium as the present ones do. `distance`: from the physical
 * addresses of the image to its virtual ones. Nothing is mapped at the former. Interrupts are off.
 */
uint64_t satp_try(uint64_t wanted, uint64_t distance);

#endif
