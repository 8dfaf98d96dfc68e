/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef LIB_MACHINE_CBO_H
#define LIB_MACHINE_CBO_H

#include <stdint.h>

/* henvcfg's or senvcfg's bits that stick, less those for cache-block instructions that this hart
 * does not execute. Only while the hart starts: it takes the trap itself. */
uint64_t cbo_working(uint64_t envcfg);

#endif
