/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What include/caldarium needs of C's own header, which the kernel doesn't have. */
#ifndef CALDARIUM_LINUX_STDINT_H
#define CALDARIUM_LINUX_STDINT_H

#include <linux/types.h>

#define UINT32_MAX (~0U)
#define UINT64_MAX (~0ULL)

#endif
