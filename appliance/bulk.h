/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying and clearing megabytes. The C library's are written for size: a byte at a time. */
#ifndef APPLIANCE_BULK_H
#define APPLIANCE_BULK_H

#include <stddef.h>

void bulk_copy(void *to, const void *from, size_t bytes); /* the two do not overlap */
void bulk_zero(void *at, size_t bytes);

#endif
