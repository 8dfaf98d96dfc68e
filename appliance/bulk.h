/* SPDX-License-Identifier: BSD-2-Clause */
/* Clearing megabytes. The C library's memset() is written for size: a byte at a time. */
#ifndef APPLIANCE_BULK_H
#define APPLIANCE_BULK_H

#include <stddef.h>

void bulk_zero(void *at, size_t bytes);

#endif
