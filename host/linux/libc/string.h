/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the library calls of a C library, which the kernel has: no other is needed to build the
 * module. */
#ifndef CALDARIUM_LINUX_STRING_H
#define CALDARIUM_LINUX_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int byte, size_t bytes);
size_t strlen(const char *text);

#endif
