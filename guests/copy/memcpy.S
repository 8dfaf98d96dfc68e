/* SPDX-License-Identifier: BSD-2-Clause */
#include "host/bare/memcpy.S"
